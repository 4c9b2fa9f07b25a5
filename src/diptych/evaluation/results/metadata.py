"""What is known of each query beside its answer: how it was measured, what its molecule is, how near training was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from diptych.data.instruments import instrument_class
from diptych.errors import StructureError
from diptych.molecules.mces import MCES_THRESHOLD, has_exact_mces, mces_distance, mces_lower_bound
from diptych.molecules.murcko import murcko_scaffold
from diptych.molecules.rings import n_ring_systems
from diptych.molecules.similarity import aligned_similarity, greatest_similarity, packed_fingerprints
from diptych.molecules.structural_class import structural_class
from diptych.molecules.structure import Structure

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.spectra.spectrum import Spectrum


Mces = Literal["bound", "exact", "none"]
"""Which MCES distance of the first candidate to the answer is computed."""
_REMEMBERED_PAIRS = 200_000
ACYCLIC = "acyclic"
"""What stands for the scaffold of an answer without rings, which has none."""


def spectrum_columns(spectra: Sequence[Spectrum]) -> dict[str, list[Any]]:
    """Return how each spectrum was measured, as columns of metadata; what its file does not say is None.

    Units: ``collision_energy`` eV, ``normalised_collision_energy`` %, ``precursor_mz`` Th.
    """
    return {
        "adduct": [spectrum.adduct.name if spectrum.adduct else None for spectrum in spectra],
        "polarity": [spectrum.polarity for spectrum in spectra],
        "instrument_class": [
            instrument_class(spectrum.instrument_type, spectrum.metadata.get("instrument")).value
            for spectrum in spectra
        ],
        "collision_energy": [spectrum.collision_energy for spectrum in spectra],
        "normalised_collision_energy": [spectrum.metadata.get("normalised_collision_energy") for spectrum in spectra],
        "n_peaks": [spectrum.n_peaks for spectrum in spectra],
        "precursor_mz": [spectrum.precursor_mz for spectrum in spectra],
        "contributor": [spectrum.metadata.get("contributor") for spectrum in spectra],
    }


def structure_columns(results: QueryResults) -> dict[str, list[Any]]:
    """Return formula, number of ring systems and structural class of each right answer; None of an unknown SMILES."""
    found = {smiles: _read(smiles) for smiles in set(results.text("target_smiles"))}
    structures = [found[smiles] for smiles in results.text("target_smiles")]
    systems = {smiles: None if one is None else n_ring_systems(one.mol()) for smiles, one in found.items()}
    classes = {smiles: None if one is None else structural_class(one.smiles) for smiles, one in found.items()}
    return {
        "formula": [None if one is None else one.formula for one in structures],
        "ring_systems": [systems[smiles] for smiles in results.text("target_smiles")],
        "structural_class": [classes[smiles] for smiles in results.text("target_smiles")],
    }


def first_hit_tanimoto(results: QueryResults) -> NDArray[np.float64]:
    """Return the Tanimoto similarity (Morgan radius 2, 4096 bits) of each first candidate to the right answer.

    Returns
    -------
    ndarray
        float64, of shape (n_queries,), in [0, 1]; NaN where one of the two is not known.
    """
    pairs = list(zip(results.text("best_smiles"), results.text("target_smiles"), strict=True))
    both = np.array([bool(first and target) for first, target in pairs], dtype=bool)
    known = [pair for pair in pairs if all(pair)]
    similarity = np.full(len(results), np.nan)
    if known:
        distinct = sorted({text for pair in known for text in pair})
        row = {text: number for number, text in enumerate(distinct)}
        packed = packed_fingerprints(distinct)
        first, target = np.array([[row[text] for text in pair] for pair in known]).T
        similarity[both] = aligned_similarity(packed[first], packed[target])
    return similarity


def first_hit_mces(results: QueryResults, *, exact: bool) -> NDArray[np.float64]:
    """Return the MCES distance of each first candidate to the right answer, or the bound below it.

    Parameters
    ----------
    results
        With the SMILES of both.
    exact
        Whether to compute the distance up to `MCES_THRESHOLD` (with ``diptych[mces]``, a few seconds a pair and now
        and then a minute) rather than the bound of `mces_lower_bound` (about two milliseconds). Either is computed once
        for each distinct pair, and remembered.

    Returns
    -------
    ndarray
        float64, of shape (n_queries,), at most `MCES_THRESHOLD`; NaN where one of the two is not known.

    Raises
    ------
    StructureError
        The exact distance is asked for and its package is not installed.
    """
    check_mces("exact" if exact else "bound")
    pairs = zip(results.text("best_smiles"), results.text("target_smiles"), strict=True)
    return np.array([_distance(*pair, exact=exact) if all(pair) else np.nan for pair in pairs], dtype=np.float64)


def check_mces(mces: Mces) -> None:
    """Check that an MCES distance can be computed, before anything is asked.

    Raises
    ------
    StructureError
        The exact distance is asked for and its package is not installed.
    """
    if mces == "exact" and not has_exact_mces():
        raise StructureError("the exact MCES distance needs the package myopic-mces: pip install 'diptych[mces]'")


@lru_cache(maxsize=_REMEMBERED_PAIRS)
def _distance(first: str, second: str, *, exact: bool) -> float:
    if first == second:
        return 0.0
    return min((mces_distance if exact else mces_lower_bound)(first, second), MCES_THRESHOLD)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingMolecules:
    """The molecules that a model was trained on, or that a baseline looks answers up in.

    Attributes
    ----------
    first_blocks
        Of each, distinct.
    smiles
        Of each whose structure is known; empty where no more than first blocks are known.
    formulas
        Likewise.
    """

    first_blocks: tuple[str, ...]
    smiles: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()

    @cached_property
    def scaffolds(self) -> frozenset[str]:
        """Bemis-Murcko scaffolds; molecules without rings have none."""
        return frozenset(scaffold for scaffold in map(scaffold_of, self.smiles) if scaffold)

    @cached_property
    def fingerprints(self) -> NDArray[np.uint64]:
        """Packed Morgan bits, of shape (n, n_words)."""
        return packed_fingerprints(self.smiles)

    def columns(self, results: QueryResults) -> dict[str, list[Any]]:
        """Return what training had of each right answer; None where it is not known.

        ``molecule_seen``, ``formula_seen`` and ``scaffold_seen`` are "seen" or "unseen"; an answer without rings has no
        scaffold, and is "acyclic". ``nearest_training`` is the greatest Tanimoto similarity to a training molecule.
        """
        blocks, formulas = set(self.first_blocks), set(self.formulas)
        molecules = [_seen(target in blocks) for target in results.targets]
        if not self.smiles:
            return {"molecule_seen": molecules}
        targets = results.text("target_smiles")
        distinct = sorted({text for text in targets if text})
        nearest = dict(
            zip(distinct, greatest_similarity(packed_fingerprints(distinct), self.fingerprints), strict=True)
        )
        scaffolds = {text: self._scaffold_seen(text) for text in distinct}
        return {
            "molecule_seen": molecules,
            "formula_seen": [_seen(text in formulas) if text else None for text in results.text("formula")],
            "scaffold_seen": [scaffolds.get(text) for text in targets],
            "nearest_training": [float(nearest[text]) if text else None for text in targets],
        }

    def _scaffold_seen(self, smiles: str) -> str | None:
        scaffold = scaffold_of(smiles)
        if scaffold:
            return _seen(scaffold in self.scaffolds)
        return None if _read(smiles) is None else ACYCLIC


def scaffold_of(smiles: str) -> str:
    """Return the Bemis-Murcko scaffold of a SMILES; empty for a molecule without rings, or text that is none."""
    structure = _read(smiles)
    return "" if structure is None else murcko_scaffold(structure)


def described(results: QueryResults, spectra: Sequence[Spectrum] = (), *, mces: Mces = "bound") -> QueryResults:
    """Return results with everything that can be told from spectra and SMILES.

    Parameters
    ----------
    results
        With the SMILES of the answers and of what stood first: formula, ring systems and structural class, and
        Tanimoto similarity and MCES distance of the two, are added.
    spectra
        That were asked, in the same order: how they were measured is added. Empty for none.
    mces
        Whether that distance is exact or the bound below it; ``none`` leaves it out.

    Raises
    ------
    StructureError
        The exact distance is asked for and its package is not installed.
    """
    numbers = {"tanimoto": first_hit_tanimoto(results)}
    if mces != "none":
        numbers["mces"] = first_hit_mces(results, exact=mces == "exact")
    known = results.with_metadata(structure_columns(results)).with_numbers(numbers)
    return known.with_metadata(spectrum_columns(spectra)) if spectra else known


def _seen(found: bool) -> str:
    return "seen" if found else "unseen"


def _read(smiles: str) -> Structure | None:
    if not smiles:
        return None
    try:
        return Structure.from_smiles(smiles)
    except StructureError:
        return None
