"""Annotations to files, one at a time: a table with a row per candidate, and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from diptych.annotation.annotation import Annotation, Candidate
from diptych.annotation.blocks import BlockFile
from diptych.annotation.calibration import ScoreCalibration
from diptych.annotation.provenance import Provenance
from diptych.annotation.summary import Summary
from diptych.errors import OutputError, reason_of
from diptych.files import replacing
from diptych.spectra.wording import mz_text

JSON_FORMAT_VERSION = 1

COLUMNS = (
    "mappingFeatureId",
    "spectrumId",
    "spectraFile",
    "scans",
    "precursorMz",
    "retentionTime",
    "rank",
    "molecularFormula",
    "adduct",
    "InChIkey2D",
    "InChI",
    "smiles",
    "name",
    "score",
    "probability",
    "massErrorPpm",
    "numberOfCandidates",
    "status",
    "reason",
)


class AnnotationWriter(Protocol):
    """Writes annotations to one open file."""

    def write(self, annotation: Annotation) -> None:
        """Write one annotation."""

    def finish(self, summary: Summary, *, complete: bool) -> None:
        """Write what stands at the end; ``complete`` is False where spectra were left unanswered."""


class TsvWriter:
    """A tab-separated table (UTF-8, one header line) with one row per candidate.

    A spectrum without candidates is one row with its reason and empty candidate columns. Floats keep the digits that
    mean something: m/z and mass error 1e-5 and 1e-3, score and probability 1e-6.
    """

    def __init__(self, file: BlockFile, provenance: Provenance, calibration: ScoreCalibration | None) -> None:
        del provenance, calibration
        self._file = file
        file.write("\t".join(COLUMNS) + "\n")

    def write(self, annotation: Annotation) -> None:
        """Write the rows of one annotation."""
        self._file.write(tsv_rows(annotation))

    def finish(self, summary: Summary, *, complete: bool) -> None:
        """Write the rows that are still pending; a table is whole after any row."""
        self._file.write_last("", if_cut="")


def tsv_rows(annotation: Annotation) -> str:
    """Return the lines of one annotation, each ended by a line feed."""
    blank = annotation
    before = "\t".join(
        [
            _cell(blank.feature_id),
            _cell(";".join(blank.identifiers)),
            _cell(blank.source),
            _cell(blank.scans),
            mz_text(blank.precursor_mz, decimals=5),
            _cell(blank.retention_time),
        ]
    )
    reason = _cell(blank.reason)
    if not blank.candidates:
        adduct = blank.adduct.name if blank.adduct else ""
        return f"{before}\t\t\t{adduct}\t\t\t\t\t\t\t\t{blank.n_candidates}\tnot annotated\t{reason}\n"
    after = f"{blank.n_candidates}\tannotated\t{reason}\n"
    return "".join([f"{before}\t{_candidate_cells(candidate)}\t{after}" for candidate in blank.candidates])


def _candidate_cells(candidate: Candidate) -> str:
    structure, probability = candidate.structure, candidate.probability
    return (
        f"{candidate.rank}\t{structure.formula}\t{candidate.adduct.name}\t{structure.inchikey_first_block}\t"
        f"{structure.inchi}\t{structure.smiles}\t{_cell(structure.name)}\t{candidate.score:.6f}\t"
        f"{'' if probability is None else f'{probability:.6f}'}\t{candidate.mass_error_ppm:.3f}"
    )


def _cell(text: str) -> str:
    """Return a text without the characters that end a cell or a line, quoted as CSV readers expect it."""
    plain = text if text.isprintable() else " ".join(text.split())
    return '"' + plain.replace('"', '""') + '"' if '"' in plain else plain


class JsonWriter:
    """One JSON object: ``format``, ``provenance``, ``calibration``, ``annotations``, then ``summary``, ``complete``.

    Annotations are written as they come, one per line, so that memory does not grow with their number.
    """

    def __init__(self, file: BlockFile, provenance: Provenance, calibration: ScoreCalibration | None) -> None:
        head = {
            "format": "diptych annotations",
            "format_version": JSON_FORMAT_VERSION,
            "provenance": asdict(provenance),
            "calibration": calibration.to_dict() if calibration else None,
        }
        self._file = file
        self._separator = ""
        file.write(json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}") + ',\n "annotations": [')

    def write(self, annotation: Annotation) -> None:
        """Write one annotation."""
        text = json.dumps(annotation_to_dict(annotation), ensure_ascii=False)
        self._file.write(f"{self._separator}\n  {text}")
        self._separator = ","

    def finish(self, summary: Summary, *, complete: bool) -> None:
        """Close the object."""
        counts = json.dumps(summary.to_dict(), ensure_ascii=False)
        self._file.write_last(
            f'\n ],\n "summary": {counts},\n "complete": {json.dumps(complete)}\n}}\n',
            if_cut='\n ],\n "summary": null,\n "complete": false\n}\n',
        )


def annotation_to_dict(annotation: Annotation) -> dict[str, Any]:
    """Return an annotation as JSON holds it."""
    return {
        "spectra": annotation.identifiers,
        "source": annotation.source,
        "feature_id": annotation.feature_id,
        "scans": annotation.scans,
        "retention_time": annotation.retention_time,
        "precursor_mz": annotation.precursor_mz,
        "adduct": annotation.adduct.name if annotation.adduct else None,
        "n_candidates": annotation.n_candidates,
        "reason": annotation.reason,
        "candidates": [_candidate_to_dict(candidate) for candidate in annotation.candidates],
    }


def _candidate_to_dict(candidate: Candidate) -> dict[str, Any]:
    structure, probability = candidate.structure, candidate.probability
    return {
        "rank": candidate.rank,
        "name": structure.name,
        "smiles": structure.smiles,
        "inchi": structure.inchi,
        "inchikey_first_block": structure.inchikey_first_block,
        "formula": structure.formula,
        "exact_mass": structure.exact_mass,
        "adduct": candidate.adduct.name,
        "score": round(candidate.score, 6),
        "probability": None if probability is None else round(probability, 6),
        "mass_error_ppm": round(candidate.mass_error_ppm, 3),
    }


WriterFactory = Callable[[BlockFile, Provenance, ScoreCalibration | None], AnnotationWriter]

WRITERS: dict[str, WriterFactory] = {"tsv": TsvWriter, "json": JsonWriter}


@dataclass(kw_only=True)
class Results:
    """Files that are being written, and the count of what was.

    Attributes
    ----------
    complete
        Set to False by whoever stops before the last spectrum.
    """

    writers: Sequence[AnnotationWriter]
    summary: Summary = field(default_factory=Summary)
    complete: bool = True

    def write(self, annotation: Annotation) -> None:
        """Write one annotation to every file.

        Raises
        ------
        OutputError
            The disk is full; what was written before can still be finished.
        """
        try:
            for writer in self.writers:
                writer.write(annotation)
        except OSError as error:
            raise OutputError(
                f"results cannot be written on: {reason_of(error)}; the answers before are kept"
            ) from error
        self.summary.add(annotation)

    def finish(self) -> None:
        """Write what stands at the end of every file."""
        for writer in self.writers:
            writer.finish(self.summary, complete=self.complete)


@contextmanager
def writing(
    folder: Path,
    *,
    formats: Sequence[str] = tuple(WRITERS),
    provenance: Provenance,
    calibration: ScoreCalibration | None = None,
) -> Iterator[Results]:
    """Yield results that stand in ``folder`` (``annotations.tsv``, ...) when the block ends without an error.

    Whoever wants to keep what was written before an error or a Ctrl-C catches it within the block and sets
    ``results.complete`` to False.

    Raises
    ------
    OutputError
        The format is unknown, or the folder cannot be written.
    """
    unknown = [name for name in formats if name not in WRITERS]
    if unknown or not formats:
        raise OutputError(f"output format {', '.join(unknown) or 'missing'}; expected one of {', '.join(WRITERS)}")
    _make(folder)
    with ExitStack() as stack:
        writers = []
        for name in formats:
            temporary = stack.enter_context(replacing(folder / f"annotations.{name}"))
            file = stack.enter_context(BlockFile(temporary))
            writers.append(WRITERS[name](file, provenance, calibration))
        results = Results(writers=writers)
        yield results
        results.finish()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: the folder for the results cannot be made: {reason_of(error)}") from error
