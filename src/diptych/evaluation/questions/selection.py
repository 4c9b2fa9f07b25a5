"""Which spectra of a file an evaluation asks: those that a table of folds names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diptych.data.columns import FOLD_PREFIX
from diptych.data.dataset import Dataset, read_dataset, read_without_peaks
from diptych.data.tables import read_columns, read_header
from diptych.errors import EvaluationError
from diptych.evaluation.questions.known import KnownSpectra, accession_of

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

_BLOCK = "inchikey_first_block"


def read_fold(path: Path, fold: str) -> Dataset:
    """Return the spectra of a dataset that are of a fold.

    Parameters
    ----------
    path
        A dataset file.
    fold
        As COLUMN=NAME, of one of the dataset's splits (``scaffold=test``).

    Raises
    ------
    EvaluationError
        No spectrum is of that fold.
    DatasetError
        The file cannot be read, or lacks the split.
    """
    split, _, name = fold.partition("=")
    found = read_dataset(path, split=split, where={"fold": name})
    if not len(found):
        folds = sorted({str(value) for value in read_without_peaks(path).column(FOLD_PREFIX + split) if value})
        raise EvaluationError(f"{path}: no spectrum of fold {fold!r}; {split} has {', '.join(folds) or 'none'}")
    return found


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Accessions of one fold, each with the first block that the table gives it (empty where it gives none)."""

    blocks: dict[str, str]

    @classmethod
    def read(cls, path: Path, *, fold: str) -> Selection:
        """Return the accessions whose ``fold`` is the one asked for, from a table with ``accession`` and ``fold``.

        Raises
        ------
        EvaluationError
            No accession is of that fold, or one is of two folds.
        DatasetError
            The table cannot be read, or lacks a column.
        """
        block = [_BLOCK] if _BLOCK in read_header(path) else []
        rows = [(*row, "")[:3] for row in read_columns(path, ("accession", "fold", *block))]
        fold_of: dict[str, str] = {}
        for accession, its_fold, _ in rows:
            if fold_of.setdefault(accession, its_fold) != its_fold:
                raise EvaluationError(
                    f"{path}: {accession} is of fold {fold_of[accession]} and {its_fold}; expected one fold"
                )
        blocks = {accession: block for accession, its_fold, block in rows if its_fold == fold}
        if not blocks:
            raise EvaluationError(
                f"{path}: no accession of fold {fold!r}; it has {', '.join(sorted({row[1] for row in rows})) or 'none'}"
            )
        return cls(blocks=blocks)

    def filter(self, spectra: Iterable[Spectrum]) -> Iterator[Spectrum]:
        """Yield the selected spectra, found by accession or identifier."""
        for spectrum in spectra:
            if self._name(spectrum) is not None:
                yield spectrum

    def label(self, known: KnownSpectra) -> KnownSpectra:
        """Return the selected spectra with the first blocks of the table.

        Raises
        ------
        EvaluationError
            None of the selected accessions is among the spectra.
        """
        names = [(item, self._name(item.spectrum)) for item in known.spectra]
        kept = tuple(replace(item, other_block=self.blocks[name]) for item, name in names if name is not None)
        if not kept and not known.n_without_structure + known.n_not_ms2:
            raise EvaluationError(
                f"none of the {len(self.blocks)} selected accessions, for instance {next(iter(self.blocks))!r}, is the "
                "accession or identifier of a spectrum"
            )
        return replace(known, spectra=kept)

    def _name(self, spectrum: Spectrum) -> str | None:
        return next((name for name in (accession_of(spectrum), spectrum.identifier) if name in self.blocks), None)
