"""Which spectra of a file an evaluation asks: those that a table of folds names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from diptych.data.tables import read_columns
from diptych.errors import DatasetError, EvaluationError
from diptych.evaluation.known import KnownSpectrum


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
            No accession is of that fold.
        DatasetError
            The table cannot be read, or lacks a column.
        """
        try:
            rows = list(read_columns(path, ("accession", "fold", "inchikey_first_block")))
        except DatasetError:
            rows = [(*row, "") for row in read_columns(path, ("accession", "fold"))]
        blocks = {accession: block for accession, its_fold, block in rows if its_fold == fold}
        if not blocks:
            raise EvaluationError(
                f"{path}: no accession of fold {fold!r}; it has {', '.join(sorted({row[1] for row in rows})) or 'none'}"
            )
        return cls(blocks=blocks)

    def of(self, spectra: Iterable[KnownSpectrum]) -> tuple[KnownSpectrum, ...]:
        """Return the selected spectra, found by accession or identifier.

        Raises
        ------
        EvaluationError
            None of them is among the spectra.
        """
        kept = []
        for item in spectra:
            name = next((n for n in (item.accession, item.spectrum.identifier) if n in self.blocks), None)
            if name is not None:
                kept.append(replace(item, other_block=self.blocks[name]))
        if not kept:
            raise EvaluationError(
                f"none of the {len(self.blocks)} selected accessions, for instance {next(iter(self.blocks))!r}, is the "
                "accession or identifier of a spectrum with a structure"
            )
        return tuple(kept)
