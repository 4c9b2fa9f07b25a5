"""Spectral libraries: the molecule of a spectrum is sought among reference spectra of known molecules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from diptych.errors import LibraryError, StructureError
from diptych.molecules.structure import Structure
from diptych.ranking.peak_matching import SpectralEntropyScorer
from diptych.spectra.quality import doubts, reject_reason, rejection_text

if TYPE_CHECKING:
    from diptych.ranking.spectrum_scorers import SpectrumScorer
    from diptych.spectra.spectrum import Spectrum

_STATED_BLOCK = re.compile(r"[A-Z]{14}(?![A-Z])")
# Queries of one precursor m/z share a window of references; few at a time keep the window narrow.
_QUERIES_IN_WINDOW = 16


@dataclass(frozen=True, kw_only=True)
class Match:
    """A molecule proposed for a spectrum, by the reference spectrum of it that fits best.

    Attributes
    ----------
    rank
        1-based, over molecules.
    reference
        The spectrum; its metadata say which molecule.
    molecule
        What told it from others: the first block of its InChIKey, else its name, else the identifier of the spectrum.
    score
        As the scorer gave it; to be compared within one query.
    similarity
        Spectral entropy similarity of the two spectra, in [0, 1] (doi:10.1038/s41592-021-01331-z).
    difference_ppm
        (query - reference) / reference precursor m/z, times 1e6.
    """

    rank: int
    reference: Spectrum
    molecule: str
    score: float
    similarity: float
    difference_ppm: float

    @property
    def inchikey_first_block(self) -> str:
        """Of the reference's structure, else as it is stated; empty where neither is known."""
        return first_block_of(self.reference)


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The answer to one spectrum.

    Attributes
    ----------
    query
        What was asked.
    n_references
        How many competed: of its ion, and within the window.
    matches
        Best first, each of another molecule.
    reason
        Why there is none, or what to mind about those that there are, parted by semicolons; a category, then after a
        colon the particulars.
    """

    query: Spectrum
    n_references: int = 0
    matches: tuple[Match, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpectralLibrary:
    """Reference spectra of known molecules.

    Attributes
    ----------
    spectra
        Ascending in precursor m/z; all can be worked with.
    left_out
        How many could not, for each reason.

    Examples
    --------
    >>> from diptych.ranking import SpectralEntropyScorer
    >>> from diptych.spectra import Spectrum
    >>> caffeine = Spectrum.from_peaks([110.07, 138.07], [3.0, 9.0], precursor_mz=195.0877, identifier="caffeine")
    >>> library = SpectralLibrary.of([caffeine])
    >>> (found,) = library.search([caffeine], scorer=SpectralEntropyScorer())
    >>> found.matches[0].molecule, found.matches[0].score
    ('caffeine', 1.0)
    """

    spectra: tuple[Spectrum, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, spectra: Iterable[Spectrum]) -> Self:
        """Return a library of the spectra that can be worked with.

        Raises
        ------
        LibraryError
            None can.
        """
        usable: list[tuple[float, Spectrum]] = []
        left_out: Counter[str] = Counter()
        for spectrum in spectra:
            reason = reject_reason(spectrum)
            if reason is None and spectrum.precursor_mz is not None:
                usable.append((spectrum.precursor_mz, spectrum))
            else:
                left_out[str(reason)] += 1
        if not usable:
            reasons = ", ".join(f"{reason} ({n:,})" for reason, n in left_out.items()) or "there are none"
            raise LibraryError(f"no reference spectrum can be worked with: {reasons}")
        usable.sort(key=lambda pair: pair[0])
        return cls(spectra=tuple(spectrum for _, spectrum in usable), left_out=dict(left_out))

    def __len__(self) -> int:
        return len(self.spectra)

    @cached_property
    def precursor_mz(self) -> NDArray[np.float64]:
        """Th, of shape (n,), ascending."""
        return np.array([spectrum.precursor_mz for spectrum in self.spectra], dtype=np.float64)

    @cached_property
    def _ions(self) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """Adduct and polarity of each spectrum, empty where unknown."""
        adducts = [spectrum.adduct.name if spectrum.adduct else "" for spectrum in self.spectra]
        return np.array(adducts), np.array([spectrum.polarity or "" for spectrum in self.spectra])

    def search(
        self, queries: Sequence[Spectrum], *, scorer: SpectrumScorer, ppm: float | None = None, top: int = 10
    ) -> list[Matches]:
        """Return the best molecules for each spectrum, in the order of the spectra.

        Parameters
        ----------
        queries
            As measured.
        scorer
            Says how alike two spectra are.
        ppm
            Only references whose precursor m/z lies within this of the query's compete; None for all.
        top
            Molecules kept for each query.

        Raises
        ------
        LibraryError
            ``ppm`` or ``top`` is not above 0.

        Notes
        -----
        References of another adduct than the query's do not compete; where one of the two states none, those of the
        other polarity do not. With a window, sixteen queries of like m/z are scored at a time against the references
        that any of them wants, so that the work grows with the width of the window and not with the library.
        """
        if top < 1 or (ppm is not None and not ppm > 0):
            raise LibraryError(f"spectral search with ppm {ppm} and top {top}; expected numbers above 0")
        answers = [Matches(query=query, reason=rejection_text(query)) for query in queries]
        usable = [i for i, answer in enumerate(answers) if not answer.reason]
        mz = np.array([queries[i].precursor_mz for i in usable], dtype=np.float64)
        for places, span in self._blocks(mz, ppm=ppm):
            rows = [usable[place] for place in places.tolist()]
            references = self.spectra[span]
            asked = [queries[row] for row in rows]
            scored = scorer.scores(asked, references) if references else iter([np.empty((len(asked), 0))])
            for row, scores in zip(rows, (row for block in scored for row in block), strict=True):
                answers[row] = self._answer(queries[row], scores, span, ppm=ppm, top=top)
        return answers

    def _blocks(self, mz: NDArray[np.float64], *, ppm: float | None) -> Iterator[tuple[NDArray[np.int64], slice]]:
        """Yield places of queries that are scored together, and the references that any of them wants."""
        if ppm is None:
            yield np.arange(mz.size), slice(0, len(self))
            return
        order = np.argsort(mz, kind="stable")
        for start in range(0, order.size, _QUERIES_IN_WINDOW):
            places = order[start : start + _QUERIES_IN_WINDOW]
            low, high = mz[places[0]] * (1 - ppm * 1e-6), mz[places[-1]] * (1 + ppm * 1e-6)
            first, last = np.searchsorted(self.precursor_mz, low), np.searchsorted(self.precursor_mz, high, "right")
            yield places, slice(int(first), int(last))

    def _answer(
        self, query: Spectrum, scores: NDArray[np.floating], span: slice, *, ppm: float | None, top: int
    ) -> Matches:
        competing = self._of_its_ion(query, span)
        if ppm is not None:
            mz = float(query.precursor_mz or np.nan)
            competing &= np.abs(self.precursor_mz[span] - mz) <= ppm * 1e-6 * mz
        to_mind = doubts(query, ppm=ppm)
        if not competing.any():
            nothing = f"no reference of its ion{'' if ppm is None else f' within {ppm:g} ppm'}"
            return Matches(query=query, reason=f"{nothing}: {to_mind}" if to_mind else nothing)
        rows = np.flatnonzero(competing & ~np.isnan(scores))
        found = self._best_of_each(rows[np.argsort(-scores[rows], kind="stable")], span, top=top)
        references = [self.spectra[span.start + row] for row in found.values()]
        likeness = np.concatenate([*SpectralEntropyScorer().scores([query], references)], axis=None)
        matches = tuple(
            Match(
                rank=rank,
                reference=reference,
                molecule=molecule,
                score=float(scores[row]),
                similarity=float(similarity),
                difference_ppm=_difference_ppm(query, reference),
            )
            for rank, (molecule, row, reference, similarity) in enumerate(
                zip(found, found.values(), references, likeness, strict=True), start=1
            )
        )
        reason = to_mind if matches else "no reference spectrum could be scored"
        return Matches(query=query, n_references=int(competing.sum()), matches=matches, reason=reason)

    def _of_its_ion(self, query: Spectrum, span: slice) -> NDArray[np.bool_]:
        adducts, polarities = (names[span] for names in self._ions)
        same: NDArray[np.bool_] = np.ones(len(adducts), dtype=bool)
        if query.polarity:
            same &= (polarities == query.polarity) | (polarities == "")
        if query.adduct:
            same &= (adducts == query.adduct.name) | (adducts == "")
        return same

    def _best_of_each(self, rows: NDArray[np.int64], span: slice, *, top: int) -> dict[str, int]:
        """Return the first row of each of the first molecules."""
        found: dict[str, int] = {}
        for row in rows.tolist():
            found.setdefault(molecule_of(self.spectra[span.start + row]), row)
            if len(found) == top:
                break
        return found


def molecule_of(spectrum: Spectrum) -> str:
    """Return what tells the molecule of a reference spectrum from others.

    The first block of its InChIKey; else its name in small letters; else the identifier of the spectrum, so that it
    stands for itself.
    """
    block = first_block_of(spectrum)
    return block or spectrum.metadata.get("compound_name", "").strip().casefold() or spectrum.identifier


def first_block_of(spectrum: Spectrum) -> str:
    """Return the first block of the InChIKey of a reference spectrum's molecule; empty where it is not known.

    That of its SMILES, else of its InChI, standardised as all structures are: keys are stated of salts, too. Where none
    can be read, as stated.
    """
    metadata = spectrum.metadata
    block = _first_block(metadata.get("smiles", ""), metadata.get("inchi", ""))
    stated = _STATED_BLOCK.match(metadata.get("inchikey", ""))
    return block or (stated[0] if stated else "")


@lru_cache(maxsize=65536)
def _first_block(smiles: str, inchi: str) -> str:
    for read, text in ((Structure.from_smiles, smiles), (Structure.from_inchi, inchi)):
        if text:
            try:
                return read(text).inchikey_first_block
            except StructureError:
                continue
    return ""


def _difference_ppm(query: Spectrum, reference: Spectrum) -> float:
    asked, known = query.precursor_mz, reference.precursor_mz
    return float("nan") if asked is None or known is None else (asked - known) / known * 1e6
