"""Late scores of spectra and structures: by peaks and atoms, or by peaks and fragments, whichever a model has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from diptych.encoders.pairs.late_interaction import late_interaction

if TYPE_CHECKING:
    from diptych.encoders.pairs.fragment_interaction import FragmentInteraction
    from diptych.encoders.pairs.tokens import TokenVectors
    from diptych.molecules.fragment_graphs import FragmentGraphs
    from diptych.molecules.structure import Structure
    from diptych.spectra.spectrum import Spectrum

_PAIRS_AT_A_TIME = 256


class LateModel(Protocol):
    """What late scores need of a `JointEmbedding`."""

    @property
    def interaction(self) -> FragmentInteraction | None:
        """The interaction of peaks and fragments, where the model has one."""
        ...

    def fragment_graphs(self, structures: Sequence[Structure]) -> FragmentGraphs:
        """Return the fragments of structures."""
        ...

    def encode_spectrum_tokens(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> TokenVectors:
        """Return unit vectors of peaks."""
        ...

    def encode_structure_tokens(self, structures: Sequence[Structure]) -> TokenVectors:
        """Return unit vectors of atoms."""
        ...


class LateScorer(Protocol):
    """Scores spectra with structures part by part."""

    def prepared(self, spectra: Sequence[Spectrum]) -> Any:  # noqa: ANN401 - each scorer's own
        """Return what is made once of some spectra; it has ``take(positions)``."""
        ...

    def scores(self, spectra: Any, structures: Sequence[Structure], wanted: NDArray[np.bool_]) -> NDArray[np.float32]:  # noqa: ANN401
        """Return scores, float32 of shape (n_spectra, n_structures); NaN is allowed where they are not wanted."""
        ...


def late_scorer(model: LateModel, *, blind: bool) -> LateScorer:
    """Return the scorer that a model has: by fragments if it was given that, else by the tokens of its towers."""
    return TokenScorer(model, blind=blind) if model.interaction is None else FragmentScorer(model, blind=blind)


class TokenScorer:
    """The mean over peaks of the highest cosine with an atom (`diptych.encoders.pairs.late_interaction`).

    Parameters
    ----------
    model
        Two towers that return tokens.
    blind
        Whether the peaks are withheld.
    """

    def __init__(self, model: LateModel, *, blind: bool) -> None:
        self.model, self.blind = model, blind

    def prepared(self, spectra: Sequence[Spectrum]) -> TokenVectors:
        """Return the vectors of the peaks.

        Raises
        ------
        ConfigError
            The spectrum tower returns none.
        """
        return self.model.encode_spectrum_tokens(spectra, blind=self.blind)

    @torch.no_grad()
    def scores(
        self, spectra: TokenVectors, structures: Sequence[Structure], wanted: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return scores in [-1, 1], of all pairs.

        Raises
        ------
        ConfigError
            The structure tower returns no vectors of atoms, or theirs differ in length from those of the peaks.
        """
        atoms = self.model.encode_structure_tokens(structures)
        scores: NDArray[np.float32] = late_interaction(spectra.vectors, spectra.mask, atoms.vectors, atoms.mask).numpy()
        return scores


class SpectrumRows(list["Spectrum"]):
    """Spectra as they are."""

    def take(self, rows: Sequence[int]) -> SpectrumRows:
        """Return some of them."""
        return SpectrumRows(self[row] for row in rows)


class FragmentScorer:
    """The share of the peaks that a structure makes probable (`diptych.encoders.pairs.fragment_interaction`).

    Parameters
    ----------
    model
        With an interaction of peaks and fragments.
    blind
        Whether the peaks are withheld: every score is 0 then.
    """

    def __init__(self, model: LateModel, *, blind: bool) -> None:
        self.model, self.blind = model, blind

    def prepared(self, spectra: Sequence[Spectrum]) -> SpectrumRows:
        """Return the spectra."""
        return SpectrumRows(spectra)

    def scores(
        self, spectra: SpectrumRows, structures: Sequence[Structure], wanted: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return scores in [0, 1] of the wanted pairs, NaN of all others."""
        scores = np.full(wanted.shape, np.nan, dtype=np.float32)
        rows, columns = np.nonzero(wanted)
        if self.blind or not len(rows):
            scores[wanted] = 0.0
            return scores
        graphs = self.model.fragment_graphs(structures)
        for start in range(0, len(rows), _PAIRS_AT_A_TIME):
            part = slice(start, start + _PAIRS_AT_A_TIME)
            scores[rows[part], columns[part]] = self._scored(spectra, graphs, rows[part], columns[part])
        return scores

    @torch.no_grad()
    def _scored(
        self, spectra: SpectrumRows, graphs: FragmentGraphs, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        net = self.model.interaction
        if net is None:
            raise TypeError("the model has no interaction of peaks and fragments")
        asked, position = np.unique(rows, return_inverse=True)
        training = net.training
        net.eval()
        try:
            pairs = net.collate(spectra.take(asked.tolist()), graphs.take(columns), spectrum=position)
            scores: NDArray[np.float32] = net(pairs.to(net.log_scale.device)).float().cpu().numpy()
        finally:
            net.train(training)
        return scores
