"""Answers of a spectral library to files: a table with a row per molecule, and JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diptych.errors import OutputError
from diptych.files import replacing
from diptych.spectra.wording import mz_text

if TYPE_CHECKING:
    from diptych.retrieval.spectral_library import Match, Matches

MATCH_FORMAT_VERSION = 1

COLUMNS = (
    "spectrumId",
    "spectraFile",
    "precursorMz",
    "adduct",
    "rank",
    "name",
    "molecularFormula",
    "InChIkey",
    "InChIkey2D",
    "smiles",
    "referenceId",
    "score",
    "spectralEntropySimilarity",
    "precursorDifferencePpm",
    "numberOfReferences",
    "status",
    "reason",
)
_FACTS = {"name": "compound_name", "molecularFormula": "formula", "InChIkey": "inchikey", "smiles": "smiles"}

# The answers of one file of spectra, under its name.
Answers = Sequence[tuple[str, "Matches"]]


def write_matches(
    folder: Path, answers: Answers, *, formats: Sequence[str] = ("tsv", "json"), provenance: Mapping[str, Any]
) -> list[Path]:
    """Write answers as ``matches.tsv`` and ``matches.json`` into a folder, and return the paths.

    Parameters
    ----------
    folder
        Made if it is not there.
    answers
        Name of the file that a spectrum came from, and its answer.
    formats
        Which files.
    provenance
        What the answers were made with; stands in the JSON file.

    Raises
    ------
    OutputError
        A format is unknown, or a file cannot be written.
    """
    check_formats(formats)
    paths = [folder / f"matches.{name}" for name in formats]
    for name, path in zip(formats, paths, strict=True):
        with replacing(path) as temporary:
            _WRITERS[name](temporary, answers, provenance)
    return paths


def check_formats(formats: Sequence[str]) -> None:
    """Raise OutputError where a format is unknown, or none is named."""
    unknown = [name for name in formats if name not in _WRITERS]
    if unknown or not formats:
        raise OutputError(f"output format {', '.join(unknown) or 'missing'}; expected one of {', '.join(_WRITERS)}")


def _write_tsv(path: Path, answers: Answers, provenance: Mapping[str, Any]) -> None:
    del provenance
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        for source, answer in answers:
            for match in answer.matches or (None,):
                table.writerow({name: " ".join(cell.split()) for name, cell in _row(source, answer, match).items()})


def _row(source: str, answer: Matches, match: Match | None) -> dict[str, str]:
    query = answer.query
    row = {
        "spectrumId": query.identifier,
        "spectraFile": source,
        "precursorMz": mz_text(query.precursor_mz, decimals=5),
        "adduct": query.adduct.name if query.adduct else "",
        "numberOfReferences": str(answer.n_references),
        "status": "not matched" if match is None else "matched",
        "reason": answer.reason,
    }
    if match is None:
        return row
    facts = {column: match.reference.metadata.get(key, "") for column, key in _FACTS.items()}
    return (
        row
        | facts
        | {
            "rank": str(match.rank),
            "InChIkey2D": match.inchikey_first_block,
            "referenceId": match.reference.identifier,
            "score": f"{match.score:.6f}",
            "spectralEntropySimilarity": f"{match.similarity:.6f}",
            "precursorDifferencePpm": "" if math.isnan(match.difference_ppm) else f"{match.difference_ppm:.3f}",
        }
    )


def _write_json(path: Path, answers: Answers, provenance: Mapping[str, Any]) -> None:
    document = {
        "format": "diptych matches",
        "format_version": MATCH_FORMAT_VERSION,
        "provenance": dict(provenance),
        "answers": [_answer_to_dict(source, answer) for source, answer in answers],
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _answer_to_dict(source: str, answer: Matches) -> dict[str, Any]:
    query = answer.query
    return {
        "spectrum": query.identifier,
        "source": source,
        "precursor_mz": query.precursor_mz if query.precursor_mz and math.isfinite(query.precursor_mz) else None,
        "adduct": query.adduct.name if query.adduct else None,
        "n_references": answer.n_references,
        "reason": answer.reason,
        "matches": [_match_to_dict(match) for match in answer.matches],
    }


def _match_to_dict(match: Match) -> dict[str, Any]:
    metadata = match.reference.metadata
    return {
        "rank": match.rank,
        "reference": match.reference.identifier,
        "name": metadata.get("compound_name", ""),
        "smiles": metadata.get("smiles", ""),
        "inchikey": metadata.get("inchikey", ""),
        "inchikey_first_block": match.inchikey_first_block,
        "formula": metadata.get("formula", ""),
        "score": round(match.score, 6),
        "spectral_entropy_similarity": round(match.similarity, 6),
        "precursor_difference_ppm": None if math.isnan(match.difference_ppm) else round(match.difference_ppm, 3),
    }


_WRITERS: dict[str, Callable[[Path, Answers, Mapping[str, Any]], None]] = {"tsv": _write_tsv, "json": _write_json}
