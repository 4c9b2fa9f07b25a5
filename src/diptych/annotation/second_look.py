"""A second look at the first candidates: by peaks and fragments, or peaks and atoms, instead of whole vectors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from diptych.annotation.calibration import ScoreCalibration
from diptych.errors import ConfigError
from diptych.retrieval.late_scorers import late_scorer
from diptych.retrieval.reranking import ReRanking

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.encoders.pairs.fragment_interaction import FragmentInteraction
    from diptych.encoders.pairs.tokens import TokenVectors
    from diptych.molecules.fragment_graphs import FragmentGraphs
    from diptych.molecules.structure import Structure
    from diptych.spectra.spectrum import Spectrum

# Spectra of one sample ask for the same candidates again and again; a structure's fragments take some 10 kB.
_MOST_REMEMBERED = 20_000


class SecondLook:
    """Puts the first candidates of a spectrum into a new order.

    Parameters
    ----------
    model
        With an interaction of peaks and fragments, or towers that return tokens.
    settings
        How many candidates are looked at again, and how much that counts.
    """

    def __init__(self, model: JointEmbedding, settings: ReRanking) -> None:
        self.settings = settings
        self._scorer = late_scorer(_Remembering(model), blind=False)

    @classmethod
    def of(cls, model: JointEmbedding, *, recall: int) -> Self | None:
        """Return the second look of a model at so many candidates; None for none.

        Raises
        ------
        ConfigError
            The model has not learned to take one.
        """
        if not recall:
            return None
        settings = ReRanking.from_metadata(model.metadata)
        if settings is None:
            raise ConfigError(f"model {model.name} was trained without a second look; expected rerank=0")
        return cls(model, ReRanking(recall=recall, weight=settings.weight, temperature=settings.temperature))

    @property
    def calibration(self) -> ScoreCalibration | None:
        """How new scores become probabilities; None where that was not fitted."""
        temperature = self.settings.temperature
        return None if temperature is None else ScoreCalibration(temperature=temperature)

    def first(self, cosines: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the positions of the candidates that are looked at again."""
        return np.argsort(-cosines, kind="stable")[: self.settings.recall]

    def scores(
        self, spectra: Sequence[Spectrum], structures: Sequence[Structure], *, cosines: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the new scores of all candidates, those that are not looked at again below all others.

        Parameters
        ----------
        spectra
            Of one molecule: their late scores are averaged.
        structures
            Those at ``first(cosines)``, in that order.
        cosines
            Float32, of shape (n_candidates,).
        """
        wanted = np.ones((len(spectra), len(structures)), dtype=bool)
        late = np.full(cosines.shape, np.nan, dtype=np.float32)
        late[self.first(cosines)] = self._scorer.scores(self._scorer.prepared(spectra), structures, wanted).mean(axis=0)
        return self.settings.mixed(cosines, late).astype(np.float32)


def calibration_of(model: JointEmbedding, *, rerank: int | None, prior: float = 1.0) -> ScoreCalibration | None:
    """Return how the scores of answers become probabilities, with or without a second look.

    None where that was not fitted; it never is for less than the model's whole prior. ``rerank`` None: as the model's
    metadata say.
    """
    if prior != 1:
        return None
    if rerank is None:
        settings = ReRanking.from_metadata(model.metadata)
        rerank = settings.recall if settings else 0
    second_look = SecondLook.of(model, recall=rerank)
    return ScoreCalibration.from_metadata(model.metadata) if second_look is None else second_look.calibration


class _Remembering:
    """A model that remembers the fragments of the structures that it was asked for last."""

    def __init__(self, model: JointEmbedding) -> None:
        self._model = model
        self._known: OrderedDict[str, FragmentGraphs] = OrderedDict()

    @property
    def interaction(self) -> FragmentInteraction | None:
        return self._model.interaction

    def fragment_graphs(self, structures: Sequence[Structure]) -> FragmentGraphs:
        parts: list[Any] = []
        for structure in structures:
            block = structure.inchikey_first_block
            if block not in self._known:
                self._known[block] = self._model.fragment_graphs([structure])
            self._known.move_to_end(block)
            parts.append(self._known[block])
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        joined: FragmentGraphs = type(parts[0]).concatenate(parts)
        return joined

    def encode_spectrum_tokens(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> TokenVectors:
        return self._model.encode_spectrum_tokens(spectra, blind=blind)

    def encode_structure_tokens(self, structures: Sequence[Structure]) -> TokenVectors:
        return self._model.encode_structure_tokens(structures)
