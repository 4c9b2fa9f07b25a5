"""Peaks scored by the fragments of a structure."""

import math

import numpy as np
import pytest
import torch
from rdkit import Chem

from diptych.encoders.pairs.fragment_interaction import FragmentInteraction, build_interaction
from diptych.encoders.pairs.fragment_matches import FragmentPairs, MassTolerance
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.errors import ConfigError
from diptych.molecules.fragment_graphs import FragmentGraphFeaturiser
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

PARACETAMOL, BENZAMIDE = "CC(=O)Nc1ccc(O)cc1", "COc1ccc(C(N)=O)cc1"


def spectrum(*mz: float, adduct: str = "[M+H]+", precursor: float = 152.0706) -> Spectrum:
    return Spectrum(
        identifier="s",
        mz=np.array(sorted(mz)),
        intensity=np.ones(len(mz), dtype=np.float32),
        precursor_mz=precursor,
        adduct=Adduct.parse(adduct),
    )


def pairs(spectra: list[Spectrum], smiles: list[str], positions: list[int], **tolerance: float) -> FragmentPairs:
    graphs = FragmentGraphFeaturiser()([Chem.MolFromSmiles(text) for text in smiles])
    peaks = PeakBatch.from_spectra(spectra)
    return FragmentPairs.of(peaks, graphs, spectrum=np.array(positions), tolerance=MassTolerance(**tolerance))


def scores(net: FragmentInteraction, spectra: list[Spectrum], smiles: list[str], positions: list[int]) -> torch.Tensor:
    graphs = net.featuriser([Chem.MolFromSmiles(text) for text in smiles])
    with torch.no_grad():
        return net.eval()(net.collate(spectra, graphs, spectrum=np.array(positions)))


def test_the_loss_of_ketene_is_found_with_its_hydrogen():
    # [C6H8NO]+ of m/z 110.0600 is H2N-C6H4-OH + H+: the fragment HN-C6H4-OH (108.0449) and one more hydrogen.
    met = pairs([spectrum(110.0600)], [PARACETAMOL], [0])
    found = {
        (round(float(met.mass[f]), 3), int(s) - 2) for f, s in zip(met.match_fragment, met.match_shift, strict=True)
    }
    assert (108.045, 1) in found
    assert met.slot_pair.tolist() == [0]
    assert (met.log_closeness <= 0).all()


def test_closeness_is_that_of_a_normal_distribution():
    met = pairs([spectrum(110.0600 + 0.004)], [PARACETAMOL], [0], ppm=0.0, least=0.004)
    place = (met.match_fragment[:, None] == torch.tensor(np.argmin(np.abs(met.mass.numpy() - 108.0449)))).any(1)
    closest = met.log_closeness[place & (met.match_shift == 3)]
    assert closest.tolist() == pytest.approx([-0.5], abs=0.01)


def test_a_sodium_ion_may_stay_on_the_fragment():
    # 108.0449 + H + Na+: only the last shift, and only for the sodium adduct, allows for it.
    mz = 109.0528 + 22.98922
    with_sodium = pairs([spectrum(mz, adduct="[M+Na]+", precursor=174.0525)], [PARACETAMOL], [0])
    protonated = pairs([spectrum(mz, precursor=174.0525)], [PARACETAMOL], [0])
    assert with_sodium.shifts[0, -1]
    assert not protonated.shifts[0, -1]
    assert len(protonated.match_fragment) == 0


def test_the_precursor_is_no_evidence():
    assert len(pairs([spectrum(152.0706)], [PARACETAMOL], [0]).match_fragment) == 0


def test_the_score_is_that_of_the_equation():
    """Everything that is learned is made constant, so that P is the share of matching fragments and shifts."""
    net = FragmentInteraction()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.background.bias.fill_(math.log(0.01))
    asked = [spectrum(110.0600, 93.0335)]
    met = pairs(asked, [PARACETAMOL], [0])
    n_terms = len(met.mass) * 5
    weights, expected = np.sqrt([93.0335, 110.0600]), 0.0
    for position, weight in enumerate(weights / weights.sum()):
        slot = (met.slot_peak[met.match_slot] == position).numpy()
        probability = np.exp(met.log_closeness.numpy()[slot]).sum() / n_terms
        expected += weight * math.log(1 + probability / 0.01) / math.log(1 + 1 / 0.01)
    assert scores(net, asked, [PARACETAMOL], [0]).tolist() == pytest.approx([expected], rel=1e-4)


def test_the_right_structure_scores_higher_before_anything_is_learned():
    right, wrong = scores(
        FragmentInteraction(), [spectrum(110.0600, 93.0335, 65.0386)], [PARACETAMOL, BENZAMIDE], [0, 0]
    )
    assert right > wrong


def test_without_peaks_every_structure_scores_zero():
    assert scores(FragmentInteraction(), [spectrum()], [PARACETAMOL, BENZAMIDE], [0, 0]).tolist() == [0.0, 0.0]


def test_a_pair_scores_the_same_in_any_company():
    torch.manual_seed(0)
    net = FragmentInteraction()
    first, second = spectrum(110.0600, 93.0335), spectrum(108.0444, 136.0393)
    together = scores(net, [first, second], [PARACETAMOL, BENZAMIDE, PARACETAMOL], [0, 1, 1])
    assert together[0].item() == pytest.approx(scores(net, [first], [PARACETAMOL], [0]).item(), rel=1e-5)
    assert together[1].item() == pytest.approx(scores(net, [second], [BENZAMIDE], [0]).item(), rel=1e-5)
    assert ((together >= 0) & (together <= 1)).all()


def test_every_weight_that_counts_gets_a_gradient():
    net = FragmentInteraction(dropout=0.0, environment_dropout=0.0)
    torch.nn.init.normal_(net.cut_output.weight)
    graphs = net.featuriser([Chem.MolFromSmiles(text) for text in (PARACETAMOL, BENZAMIDE)])
    batch = net.collate([spectrum(110.0600, 93.0335)], graphs, spectrum=np.array([0, 0]))
    logits = net.scaled(net(batch))
    (logits.logsumexp(0) - logits[0]).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_settings_build_the_same_part_again():
    net = FragmentInteraction(hidden_dim=32, ppm=5.0)
    again = build_interaction(net.settings())
    assert again is not None
    assert again.settings() == net.settings()
    assert build_interaction(None) is None


def test_an_unknown_option_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"model\.interaction has no option 'hiden_dim'; did you mean 'hidden_dim'"):
        build_interaction({"hiden_dim": 3})


def test_an_option_without_a_likeness_is_told_what_there_is():
    with pytest.raises(ConfigError, match="has no option 'zzz'; expected one of environment_dim"):
        build_interaction({"zzz": 3})


def test_an_impossible_option_is_told():
    with pytest.raises(ConfigError, match=r"model\.interaction\.hidden_dim must be at least 1, got -3"):
        build_interaction({"hidden_dim": -3})
    with pytest.raises(ConfigError, match=r"model\.interaction cannot be built from"):
        build_interaction({"hidden_dim": 10**400})
