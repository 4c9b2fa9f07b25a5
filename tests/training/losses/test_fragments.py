"""The listwise loss of peaks and fragments."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rdkit import Chem

from diptych.embedding import JointEmbedding
from diptych.encoders.pairs.fragment_interaction import FragmentInteraction
from diptych.errors import ConfigError
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum
from diptych.training.fragments import FragmentSource
from diptych.training.losses.fragments import FragmentContrast, own_list_losses
from diptych.training.sampling import BatchPlan


def test_each_spectrum_has_a_softmax_of_its_own():
    logits, owner = torch.tensor([1.0, 0.0, 3.0, 0.0]), torch.tensor([0, 1, 0, 1])
    expected = [math.log(math.e + math.e**3) - 1.0, math.log(2.0)]
    assert own_list_losses(logits, owner, n_spectra=2).tolist() == pytest.approx(expected, rel=1e-6)


def test_a_spectrum_without_negatives_loses_nothing():
    assert own_list_losses(torch.tensor([2.0]), torch.tensor([0]), n_spectra=1).tolist() == pytest.approx(
        [0.0], abs=1e-6
    )


def test_huge_logits_stay_finite():
    losses = own_list_losses(torch.tensor([0.0, 1000.0]), torch.tensor([0, 0]), n_spectra=1)
    assert losses.tolist() == pytest.approx([1000.0])


def test_every_spectrum_meets_its_own_molecule_first_and_then_that_molecules_negatives():
    net = FragmentInteraction()
    smiles = ["CCO", "CCN", "COC", "CNC", "CCC"]
    graphs = net.featuriser([Chem.MolFromSmiles(text) for text in smiles])
    source = FragmentSource(graphs=graphs, interaction=net)
    plan = BatchPlan(
        molecules=np.array([0, 1]),
        spectra=np.array([7, 8, 9]),
        molecule=np.array([0, 0, 1]),
        negatives=np.array([2, 3, 4]),
        owner=np.array([0, 1, 1]),
        unlabelled=np.empty(0, np.int64),
        seed=(0,),
    )
    spectra = [
        Spectrum(
            identifier=str(i),
            mz=np.array([30.0]),
            intensity=np.ones(1, np.float32),
            precursor_mz=47.0,
            adduct=Adduct.parse("[M+H]+"),
        )
        for i in range(3)
    ]
    pairs = source.pairs(spectra, plan)
    assert pairs.spectrum.tolist() == [0, 1, 2, 0, 1, 2, 2]
    expected = graphs.take(np.array([0, 0, 1, 2, 2, 3, 4]))
    assert np.array_equal(pairs.mass.numpy(), expected.mass)


def test_a_model_without_interaction_is_refused():
    model = JointEmbedding.from_config(spectrum={}, structure={}, embedding_dim=16)
    with pytest.raises(ConfigError, match=r"'fragments' needs the section model\.interaction"):
        FragmentContrast(model=model)


def test_a_batch_without_pairs_is_refused():
    model = JointEmbedding.from_config(spectrum={}, structure={}, interaction={}, embedding_dim=16)
    context = SimpleNamespace(batch=SimpleNamespace(fragments=None), model=model)
    with pytest.raises(ConfigError, match="the batch has no pairs of spectra and fragments"):
        FragmentContrast(model=model)(context)
