"""The hard negatives that a configuration asks for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.molecules.similarity import packed_fingerprints
from diptych.training.negatives.formula import negatives_by_formula
from diptych.training.negatives.likeness import Likeness, most_similar, tanimoto_to_owner
from diptych.training.negatives.mass import negatives_by_mass
from diptych.training.negatives.mixture import NegativeMixture, NegativeSource
from diptych.training.negatives.spectral import negatives_by_spectrum

if TYPE_CHECKING:
    from diptych.training.config import RunConfig
    from diptych.training.corpus import Corpus
    from diptych.training.ragged import Ragged
    from diptych.training.structures import StructureTable

# A batch may take away some of a molecule's hard negatives, so a few more are kept than are drawn.
_SPARE_NEGATIVES = 4


def gather_negatives(config: RunConfig, corpus: Corpus, table: StructureTable) -> NegativeMixture:
    """Return the kinds of hard negatives of ``negatives.kinds``, in their shares.

    Parameters
    ----------
    config
        Sections ``negatives`` and ``training`` (the seed).
    corpus
        The training spectra; their molecules are the first rows of the table, in the corpus' order.
    table
        All structures; whatever is in it beside the training molecules may be a negative.
    """
    gathering = _Gathering(config, corpus, table)
    settings = config.negatives
    shares = settings.shares or (1.0,) * len(settings.kinds)
    sources = [gathering.source(kind, share=share) for kind, share in zip(settings.kinds, shares, strict=True)]
    return NegativeMixture(sources=sources, sharpness=settings.sharpness)


class _Gathering:
    def __init__(self, config: RunConfig, corpus: Corpus, table: StructureTable) -> None:
        self._settings, self._seed = config.negatives, config.training.seed
        self._corpus, self._table = corpus, table
        self._n_molecules = len(corpus.first_blocks)

    def source(self, kind: str, *, share: float) -> NegativeSource:
        lists, similarity = {
            "formula": self._formula,
            "mass": self._mass,
            "fingerprint": self._fingerprint,
            "spectral": self._spectral,
            "mined": self._not_yet_mined,
        }[kind]()
        return NegativeSource(name=kind, lists=lists, similarity=similarity, share=share)

    def _formula(self) -> tuple[Ragged, NDArray[np.float32] | None]:
        lists = negatives_by_formula(
            self._table.formulas,
            self._table.exact_masses,
            n_molecules=self._n_molecules,
            wanted=self._settings.per_molecule + _SPARE_NEGATIVES,
            fill=self._settings.fill,
        )
        return lists, self._similarity(lists)

    def _mass(self) -> tuple[Ragged, NDArray[np.float32] | None]:
        return self._near_mass, self._similarity(self._near_mass)

    def _fingerprint(self) -> Likeness:
        lists = self._comparable
        return most_similar(lists, tanimoto_to_owner(lists, self._packed), at_most=self._settings.nearest)

    def _spectral(self) -> Likeness:
        return negatives_by_spectrum(
            self._corpus.spectra,
            self._corpus.dataset.molecules,
            n_molecules=self._n_molecules,
            window_da=self._settings.precursor_window_da,
            at_most=self._settings.nearest,
        )

    def _not_yet_mined(self) -> tuple[Ragged, NDArray[np.float32] | None]:
        """Return what is mined from: until there is a model to ask, all of it is drawn alike."""
        return self._comparable, self._similarity(self._comparable)

    def _similarity(self, lists: Ragged) -> NDArray[np.float32] | None:
        return tanimoto_to_owner(lists, self._packed) if self._settings.sharpness else None

    @cached_property
    def _near_mass(self) -> Ragged:
        return negatives_by_mass(
            self._table.exact_masses,
            n_molecules=self._n_molecules,
            window_ppm=self._settings.window_ppm,
            at_most=self._settings.pool,
            seed=self._seed,
        )

    @cached_property
    def _comparable(self) -> Ragged:
        """Structures of the molecule's formula, and those of nearly its mass."""
        same = negatives_by_formula(
            self._table.formulas, self._table.exact_masses, n_molecules=self._n_molecules, wanted=0, fill="none"
        )
        return same.united(self._near_mass)

    @cached_property
    def _packed(self) -> NDArray[np.uint64]:
        return packed_fingerprints([structure.smiles for structure in self._table.structures])
