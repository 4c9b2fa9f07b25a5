"""Late interaction of peaks and fragments: the probability of each peak, given how the structure breaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.options import built
from diptych.encoders.pairs.fragment_matches import N_SHIFTS, FragmentPairs, MassTolerance, below_precursor
from diptych.encoders.spectra.conditions import stated_energy
from diptych.encoders.spectra.peak_batch import ADDUCTS, INSTRUMENT_CLASSES, PeakBatch
from diptych.molecules.atom_environments import RADIUS
from diptych.molecules.fragment_graphs import FragmentGraphFeaturiser, FragmentGraphs
from diptych.molecules.fragmentation import HYDROGEN_SHIFTS, N_CUT_KINDS, N_FRAGMENT_KINDS, class_weights
from diptych.spectra.cleaning import CleaningSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from diptych.spectra.spectrum import Spectrum

_CLEANING = CleaningSettings(precursor_margin=0.5, min_relative_intensity=0.001, max_peaks=80)
_NAME_DIM, _SIZE_DIM, _WEIGHT_DIM = 8, 32, 32
_N_NUMBERS = 5
_CONDITION_DIM = _N_NUMBERS + 2 * _NAME_DIM
_BACKGROUND = -8.0
_LOWEST = -30.0
# Deeper neighbourhoods are rarer, so they are withheld more often.
_WITHHELD_BY_RADIUS = (0.2, 0.6, 1.0)


class FragmentInteraction(nn.Module):
    """Scores a spectrum with a structure by the probability of each peak under a model of how the structure breaks.

    Parameters
    ----------
    environment_dim
        Length of the vector of an atom's surroundings.
    environments
        Numbers that surroundings are hashed to.
    hidden_dim
        Of the network that judges cuts.
    dropout
        Of that network.
    environment_dropout
        Share of the widest surroundings withheld in training; of narrower ones fewer are.
    ppm, least_tolerance
        Standard deviation of the difference between a peak and its fragment: relative, and at least so many Da.
    cleaning
        What is removed from a spectrum first.

    Notes
    -----
    A structure breaks into fragments f of at most two cuts, c_1(f) and c_2(f), and each may take hydrogens with it or
    leave them behind, or keep the ion of the adduct (shift s). With the conditions z of the acquisition,

        l(f, s) = g_s(c_1, z) + g_s(c_2, z) + b_s(kind of f, polarity) + h_s(mass of f, z) + a log(ways to f)
        P(f, s) = exp l(f, s) / sum_f's' exp l(f', s')

    where g is a network of the atoms on the kept and on the lost side of the cut, known by their surroundings. Peak p
    is as probable as the fragments that weigh what it weighs, P(p) = sum_fs P(f, s) exp(-z_pfs^2 / 2), above a
    background e(z). The score is the share of what could be gained over the background,

        score = sum_p w_p log(1 + P(p) / e) / log(1 + 1 / e),    sum_p w_p = 1,  in [0, 1]

    with weights from intensity and m/z. A structure that would break elsewhere has spent its probability there, so that
    peaks that are missing count too. Without peaks all structures score 0.

    Explaining peaks by broken bonds is MetFrag's idea (doi:10.1186/s13321-016-0115-9); learning which bonds break is
    that of competitive fragmentation modelling (CFM-ID, doi:10.1007/s11306-014-0676-4) and of ICEBERG
    (doi:10.1021/acs.analchem.3c04654).
    """

    def __init__(
        self,
        *,
        environment_dim: int = 48,
        environments: int = 4096,
        hidden_dim: int = 96,
        dropout: float = 0.2,
        environment_dropout: float = 0.2,
        ppm: float = 7.0,
        least_tolerance: float = 0.002,
        cleaning: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.environment_dim, self.environments = environment_dim, environments
        self.hidden_dim, self.dropout, self.environment_dropout = hidden_dim, dropout, environment_dropout
        self.tolerance = MassTolerance(ppm=ppm, least=least_tolerance)
        self.cleaning = CleaningSettings.from_dict(cleaning) if cleaning is not None else _CLEANING
        rows = environments * (RADIUS + 1) + 1
        self.kept = nn.Parameter(torch.randn(rows, environment_dim) * 0.3)
        self.lost = nn.Parameter(torch.randn(rows, environment_dim) * 0.3)
        self.adducts = nn.Embedding(len(ADDUCTS), _NAME_DIM)
        self.instruments = nn.Embedding(len(INSTRUMENT_CLASSES), _NAME_DIM)
        self.cut_kinds = nn.Embedding(N_CUT_KINDS, hidden_dim)
        self.cut_atoms = nn.Linear(2 * environment_dim, hidden_dim)
        self.cut_share = nn.Linear(2, hidden_dim)
        self.cut_conditions = nn.Linear(_CONDITION_DIM, hidden_dim)
        self.cut_hidden = nn.Linear(hidden_dim, hidden_dim)
        self.cut_output = nn.Linear(hidden_dim, N_SHIFTS)
        nn.init.zeros_(self.cut_output.weight)
        self.kinds = nn.Parameter(_kind_start())
        self.size_mass, self.size_conditions = nn.Linear(2, _SIZE_DIM), nn.Linear(_CONDITION_DIM, _SIZE_DIM)
        self.size_output = nn.Linear(_SIZE_DIM, N_SHIFTS)
        self.ways = nn.Parameter(torch.tensor(0.5))
        self.background = nn.Linear(_CONDITION_DIM, 1)
        nn.init.zeros_(self.background.weight)
        nn.init.constant_(self.background.bias, _BACKGROUND)
        look, weigh = nn.Linear(_CONDITION_DIM + 3, _WEIGHT_DIM), nn.Linear(_WEIGHT_DIM, 1)
        nn.init.zeros_(weigh.weight)
        self.peak_weight = nn.Sequential(look, nn.GELU(), weigh)
        self.log_scale = nn.Parameter(torch.tensor(math.log(100.0)))

    @property
    def featuriser(self) -> FragmentGraphFeaturiser:
        """What makes features of molecules; needs no torch, and can be sent to other processes."""
        return FragmentGraphFeaturiser(width=self.environments)

    def settings(self) -> dict[str, Any]:
        """Return what the part was built with."""
        return {
            "environment_dim": self.environment_dim,
            "environments": self.environments,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
            "environment_dropout": self.environment_dropout,
            "ppm": self.tolerance.ppm,
            "least_tolerance": self.tolerance.least,
            "cleaning": asdict(self.cleaning),
        }

    def collate(
        self, spectra: Sequence[Spectrum], structures: FragmentGraphs, *, spectrum: NDArray[np.int64]
    ) -> FragmentPairs:
        """Return the pairs to be scored.

        Parameters
        ----------
        spectra
            As measured.
        structures
            One row per pair.
        spectrum
            int64, of shape (n_pairs,): position in ``spectra`` of each pair.
        """
        peaks = PeakBatch.cleaned(spectra, self.cleaning)
        return FragmentPairs.of(peaks, structures, spectrum=spectrum, tolerance=self.tolerance)

    def forward(self, pairs: FragmentPairs) -> Tensor:
        """Return the score of each pair, float32 of shape (n_pairs,), in [0, 1]."""
        conditions = self._conditions(pairs.peaks)
        gained = self._log_probability(pairs, conditions)
        background = self.background(conditions)[:, 0].float()
        slot_spectrum = pairs.spectrum[pairs.slot_pair]
        gain = functional.softplus(gained - background[slot_spectrum]) / functional.softplus(-background)[slot_spectrum]
        weights = self._peak_weights(pairs.peaks, conditions).flatten()
        return torch.zeros_like(background[pairs.spectrum]).index_add(
            0, pairs.slot_pair, gain * weights[pairs.slot_peak]
        )

    def scaled(self, scores: Tensor) -> Tensor:
        """Return scores as logits of a softmax over candidates."""
        return scores * self.log_scale.exp()

    def _conditions(self, peaks: PeakBatch) -> Tensor:
        known, energy = stated_energy(peaks)
        precursor = torch.nan_to_num(peaks.precursor_mz).float() / 500
        numbers = [peaks.polarity, known.float(), energy / 50, torch.log1p(energy) / 4, precursor]
        names = [self.adducts(peaks.adduct), self.instruments(peaks.instrument)]
        return torch.cat([torch.stack(numbers, dim=1), *names], dim=1)

    def _log_probability(self, pairs: FragmentPairs, conditions: Tensor) -> Tensor:
        """Return log P(p) of the peaks that meet a fragment, (n_slots,)."""
        logits = self._logits(pairs, conditions)
        highest = torch.full((len(pairs),), _LOWEST, device=logits.device)
        highest = highest.scatter_reduce(0, pairs.fragment_pair, logits.detach().amax(dim=1), "amax")
        terms = torch.exp(logits - highest[pairs.fragment_pair, None]).sum(dim=1)
        total = torch.zeros_like(highest).index_add(0, pairs.fragment_pair, terms)
        pair = pairs.fragment_pair[pairs.match_fragment]
        matched = logits[pairs.match_fragment, pairs.match_shift] - highest[pair] + pairs.log_closeness
        # A match far less probable than the likeliest fragment must not become the logarithm of zero.
        share = torch.exp(matched.clamp(min=_LOWEST)) / total[pair]
        probability = torch.zeros(len(pairs.slot_pair), device=logits.device).index_add(0, pairs.match_slot, share)
        return probability.log()

    def _logits(self, pairs: FragmentPairs, conditions: Tensor) -> Tensor:
        """Return l(f, s), float32 of shape (n_fragments, N_SHIFTS)."""
        cuts = self._cuts(pairs, conditions)
        spectrum = pairs.spectrum[pairs.fragment_pair]
        size = self.size_mass(torch.stack([pairs.relative_mass, pairs.mass / 500], dim=1))
        size = self.size_output(functional.gelu(size + self.size_conditions(conditions)[spectrum]))
        polarity = (pairs.peaks.polarity.long() + 1)[spectrum]
        logits = cuts[pairs.first] + cuts[pairs.second] + self.kinds[pairs.kind, polarity] + size
        logits = logits + self.ways * pairs.n_ways.log()[:, None]
        possible: Tensor = logits.float().masked_fill(~pairs.shifts[spectrum], -torch.inf)
        return possible

    def _cuts(self, pairs: FragmentPairs, conditions: Tensor) -> Tensor:
        """Return g_s of every cut, and zero for none, (n_cuts + 1, N_SHIFTS)."""
        ends = pairs.cut_ends
        second = (ends[:, 2, :1] >= 0).float()
        kept = self._surroundings(self.kept, ends[:, 0]) + second * self._surroundings(self.kept, ends[:, 2])
        lost = self._surroundings(self.lost, ends[:, 1]) + second * self._surroundings(self.lost, ends[:, 3])
        share = torch.stack([pairs.cut_share, pairs.cut_share.square()], dim=1)
        atoms = self.cut_atoms(torch.cat([kept, lost], dim=1)) + self.cut_kinds(pairs.cut_kind) + self.cut_share(share)
        hidden = functional.gelu(atoms + self.cut_conditions(conditions)[pairs.spectrum[pairs.cut_pair]])
        hidden = hidden + functional.gelu(self.cut_hidden(self._dropped(hidden)))
        return functional.pad(self.cut_output(self._dropped(hidden)).float(), (0, 0, 0, 1))

    def _surroundings(self, table: Tensor, atoms: Tensor) -> Tensor:
        """Return the sum of the vectors of an atom's surroundings at every radius, (n, environment_dim)."""
        first = torch.arange(RADIUS + 1, device=atoms.device) * self.environments
        absent = atoms < 0
        if self.training and self.environment_dropout:
            share = self.environment_dropout * torch.tensor(_WITHHELD_BY_RADIUS, device=atoms.device)
            absent = absent | (torch.rand(atoms.shape, device=atoms.device) < share)
        rows = torch.where(absent, len(table) - 1, atoms + first)
        return functional.embedding(rows, table).sum(dim=1)

    def _dropped(self, hidden: Tensor) -> Tensor:
        return functional.dropout(hidden, self.dropout, training=self.training)

    def _peak_weights(self, peaks: PeakBatch, conditions: Tensor) -> Tensor:
        """Return w_p, float32 of shape (n, n_slots): zero for the precursor and where there is no peak."""
        numbers = torch.stack([peaks.intensity, peaks.intensity.sqrt(), peaks.mz.float() / 500], dim=-1)
        around = conditions[:, None, :].expand(-1, peaks.mz.shape[1], -1)
        learned = self.peak_weight(torch.cat([numbers, around], dim=-1))[..., 0].float()
        base = (peaks.intensity * peaks.mz.float() / 200).clamp(min=0).sqrt()
        weights = torch.where(below_precursor(peaks), learned.exp() * base, 0.0)
        return weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-6)


def build_interaction(options: Mapping[str, Any] | None) -> FragmentInteraction | None:
    """Return the late interaction of a configuration; None for none.

    Raises
    ------
    ConfigError
        An option is unknown, or has a wrong type or an impossible value.
    """
    place = "model.interaction"
    return None if options is None else built(FragmentInteraction, options, owner=place, place=f"{place}.")


def _kind_start() -> Tensor:
    """Return b at the start, (N_FRAGMENT_KINDS, 3, N_SHIFTS): twice the logarithm of the fitted class weights."""
    weights = torch.from_numpy(class_weights()).log().reshape(N_FRAGMENT_KINDS, len(HYDROGEN_SHIFTS))
    unmoved = weights[:, HYDROGEN_SHIFTS.index(0), None]
    return 2 * torch.cat([weights, unmoved], dim=1)[:, None, :].repeat(1, 3, 1)
