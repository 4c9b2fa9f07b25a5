"""A dataset from spectra that carry their structure: screened, standardised, written as one Parquet file."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import SCHEMA, normalised_collision_energy, rows_to_batch
from diptych.data.instruments import instrument_class
from diptych.data.screening import (
    Exclusion,
    MassTolerance,
    exclusion_before_structure,
    precursor_exclusion,
    structure_texts,
    with_odd_adduct,
)
from diptych.errors import DatasetError, ReadError, StructureError
from diptych.files import replacing
from diptych.molecules.structure import Structure
from diptych.spectra.readers import read_spectra
from diptych.spectra.spectrum import Spectrum
from diptych.spectra.wording import mz_text

_SPECTRA_AT_A_TIME = 1024
_CHUNKS_AHEAD = 4
_EXAMPLES_PER_REASON = 5

StructureTexts = tuple[str, str]
StandardisedTexts = Structure | str


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """How a dataset is built.

    Attributes
    ----------
    tolerance
        Of the stated precursor m/z.
    format
        Of the source, for a suffix that does not say it.
    workers
        Processes that standardise structures; 1 for this process alone.
    """

    tolerance: MassTolerance = field(default_factory=MassTolerance)
    format: str | None = None
    workers: int = 1


@dataclass(kw_only=True)
class BuildReport:
    """What was kept, and why the rest was not.

    Attributes
    ----------
    excluded
        Reason -> number of records.
    examples
        Reason -> the first few identifiers, with what exactly was wrong.
    kept_by
        Column -> value -> number of spectra.
    """

    source: str
    settings: BuildSettings
    records: int = 0
    kept: int = 0
    molecules: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    kept_by: dict[str, Counter[str]] = field(default_factory=dict)

    def exclude(self, reason: Exclusion, example: str) -> None:
        """Count a record that is left out."""
        self.excluded[reason.value] += 1
        examples = self.examples.setdefault(reason.value, [])
        if len(examples) < _EXAMPLES_PER_REASON:
            examples.append(example)

    def keep(self, example: AnnotatedSpectrum) -> None:
        """Count a record that is kept."""
        spectrum = example.spectrum
        self.kept += 1
        values = {
            "polarity": spectrum.polarity,
            "adduct": spectrum.adduct.name if spectrum.adduct else None,
            "instrument_class": instrument_class(spectrum.instrument_type, spectrum.metadata.get("instrument")).value,
            "licence": example.licence,
            "contributor": spectrum.metadata.get("contributor"),
        }
        for column, value in values.items():
            self.kept_by.setdefault(column, Counter())[value or "unknown"] += 1

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values, the most frequent first; every reason is there, also with 0."""
        excluded = {reason.value: self.excluded[reason.value] for reason in Exclusion}
        by = {column: dict(counts.most_common()) for column, counts in self.kept_by.items()}
        return {**asdict(self), "excluded": excluded, "kept_by": by}


def build_dataset(
    source: Path,
    output: Path,
    *,
    settings: BuildSettings | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> BuildReport:
    """Write the usable spectra of a file as a dataset, and a JSON report beside it; return the report.

    Parameters
    ----------
    source
        Anything that `read_spectra` reads whose records state a SMILES or an InChI: MassBank's archive, a labelled MGF.
    output
        The Parquet file; the report is written to the same name with the suffix ``.build.json``.
    settings
        Tolerance, format, number of processes.
    on_progress
        Called now and then with the number of records done so far.

    Raises
    ------
    DatasetError
        None of the records can be used.
    OutputError
        The output cannot be written.

    Notes
    -----
    One pass in bounded memory. A structure that comes again is standardised once. Where the SMILES cannot be parsed the
    InChI is taken. Two records are exact duplicates when molecule, adduct, collision energy and all peaks are the same:
    the first is kept.
    """
    settings = settings or BuildSettings()
    report = BuildReport(source=source.name, settings=settings)
    first_blocks: set[str] = set()
    with replacing(output) as path, pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for examples in _examples(source, settings, report, on_progress):
            first_blocks.update(example.structure.inchikey_first_block for example in examples)
            writer.write_batch(rows_to_batch(examples))
        report.molecules = len(first_blocks)
        if not report.kept:
            raise DatasetError(f"{source}: none of {report.records} records can be used: {_reasons(report)}")
    with replacing(output.with_suffix(".build.json")) as path:
        path.write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return report


def _reasons(report: BuildReport) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in report.excluded.most_common()) or "the file holds none"


def _examples(
    source: Path, settings: BuildSettings, report: BuildReport, on_progress: Callable[[int], None]
) -> Iterator[list[AnnotatedSpectrum]]:
    seen: set[bytes] = set()
    with _Standardiser(workers=settings.workers) as standardiser:
        waiting: deque[list[Spectrum]] = deque()
        for chunk in _chunks(_screened(source, settings, report)):
            standardiser.request(structure_texts(spectrum) for spectrum in chunk)
            waiting.append(chunk)
            if len(waiting) > _CHUNKS_AHEAD:
                yield _annotated(waiting.popleft(), standardiser, report, seen)
            on_progress(report.records)
        while waiting:
            yield _annotated(waiting.popleft(), standardiser, report, seen)


def _screened(source: Path, settings: BuildSettings, report: BuildReport) -> Iterator[Spectrum]:
    def on_problem(error: ReadError) -> None:
        report.records += 1
        report.exclude(Exclusion.UNREADABLE, str(error))

    for stated in read_spectra(source, format=settings.format, on_problem=on_problem):
        report.records += 1
        spectrum = with_odd_adduct(stated)
        reason = exclusion_before_structure(spectrum)
        if reason is None:
            yield spectrum
        else:
            report.exclude(reason, _described(spectrum, reason))


def _described(spectrum: Spectrum, reason: Exclusion) -> str:
    stated = {
        Exclusion.NOT_MS2: "ms_level",
        Exclusion.UNKNOWN_ADDUCT: "adduct",
        Exclusion.WITHDRAWN: "deprecated",
        Exclusion.POLARITY: "ionmode",
    }.get(reason, "")
    return f"{spectrum.identifier} {spectrum.metadata.get(stated, '')}".strip()


def _chunks(spectra: Iterable[Spectrum]) -> Iterator[list[Spectrum]]:
    iterator = iter(spectra)
    while chunk := list(islice(iterator, _SPECTRA_AT_A_TIME)):
        yield chunk


def _annotated(
    chunk: list[Spectrum], standardiser: _Standardiser, report: BuildReport, seen: set[bytes]
) -> list[AnnotatedSpectrum]:
    kept = []
    for spectrum in chunk:
        structure = standardiser.structure(structure_texts(spectrum))
        reason, detail = _exclusion(spectrum, structure, report.settings, seen)
        if reason is None and isinstance(structure, Structure):
            kept.append(_example(spectrum, structure, report.source))
            report.keep(kept[-1])
        elif reason is not None:
            report.exclude(reason, f"{spectrum.identifier} {detail}")
    return kept


def _exclusion(
    spectrum: Spectrum, structure: StandardisedTexts, settings: BuildSettings, seen: set[bytes]
) -> tuple[Exclusion | None, str]:
    if isinstance(structure, str):
        return Exclusion.UNPARSABLE_STRUCTURE, structure
    reason = precursor_exclusion(spectrum, structure, tolerance=settings.tolerance)
    if reason is not None:
        computed = spectrum.adduct.mz(structure.neutral_mass) if spectrum.adduct else float("nan")
        name = spectrum.adduct.name if spectrum.adduct else ""
        return reason, f"{name} {mz_text(spectrum.precursor_mz, decimals=4)}, computed {computed:.4f}"
    identity = _identity(spectrum, structure)
    if identity in seen:
        return Exclusion.DUPLICATE, structure.inchikey_first_block
    seen.add(identity)
    return None, ""


def _identity(spectrum: Spectrum, structure: Structure) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    energies = (spectrum.collision_energy, normalised_collision_energy(spectrum.metadata))
    name = spectrum.adduct.name if spectrum.adduct else ""
    digest.update(f"{structure.inchikey_first_block}\n{name}\n{energies}\n".encode())
    digest.update(spectrum.mz.tobytes())
    digest.update(spectrum.intensity.tobytes())
    return digest.digest()


def _example(spectrum: Spectrum, structure: Structure, source: str) -> AnnotatedSpectrum:
    metadata = spectrum.metadata
    named = Structure(**{**asdict(structure), "name": metadata.get("compound_name", "")})
    return AnnotatedSpectrum(spectrum=spectrum, structure=named, source=source, licence=metadata.get("license", ""))


class _Standardiser:
    """Structures of (SMILES, InChI) texts, each made once; in other processes where there is more than one worker."""

    def __init__(self, *, workers: int) -> None:
        self._places: dict[StructureTexts, tuple[Future[list[StandardisedTexts]], int]] = {}
        # Not fork: pyarrow keeps threads, and a fork can deadlock on what they hold.
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(max_workers=workers, mp_context=context) if workers > 1 else None

    def __enter__(self) -> _Standardiser:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def request(self, texts: Iterable[StructureTexts]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._places]
        if new:
            future = self._submit(new)
            self._places |= {text: (future, index) for index, text in enumerate(new)}

    def _submit(self, texts: list[StructureTexts]) -> Future[list[StandardisedTexts]]:
        if self._pool is not None:
            return self._pool.submit(standardise_texts, texts)
        done: Future[list[StandardisedTexts]] = Future()
        done.set_result(standardise_texts(texts))
        return done

    def structure(self, texts: StructureTexts) -> StandardisedTexts:
        future, index = self._places[texts]
        return future.result()[index]


def standardise_texts(texts: list[StructureTexts]) -> list[StandardisedTexts]:
    """Return the structure of each (SMILES, InChI), or why it has none."""
    return [_standardised(smiles, inchi) for smiles, inchi in texts]


def _standardised(smiles: str, inchi: str) -> StandardisedTexts:
    reason = ""
    for text, make in ((smiles, Structure.from_smiles), (inchi, Structure.from_inchi)):
        if text:
            try:
                return make(text)
            except StructureError as error:
                reason = reason or str(error)
    return reason or "no SMILES and no InChI"
