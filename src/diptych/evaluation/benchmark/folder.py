"""A frozen benchmark: queries, candidate lists and folds in a small folder, with a digest of its content.

::

    benchmark.json       format version, digest, how it was built, counts
    README.md            the same for people, with the denominators
    queries.parquet      the spectra that are asked, as a dataset
    lists_<kind>.parquet one row per candidate: key of the list, structure; the order is the order that is asked
    folds.tsv.xz         accession, first block, SMILES, formula, adduct and fold of every spectrum of the source
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import lzma
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import rows_to_batch
from diptych.data.dataset import read_dataset
from diptych.data.tables import read_columns
from diptych.errors import DatasetError, EvaluationError, reason_of
from diptych.evaluation.benchmark.list_files import (
    check_kinds,
    list_counts,
    list_file,
    list_rows,
    lists_of,
    read_lists,
    write_lists,
)
from diptych.evaluation.benchmark.readme import readme_of
from diptych.evaluation.questions.candidate_lists import Questions
from diptych.evaluation.questions.known import KnownSpectra
from diptych.evaluation.wording import counted
from diptych.files import replacing_folder
from diptych.ranking.query import CandidateList, Query

if TYPE_CHECKING:
    from diptych.data.dataset import Dataset

FORMAT_VERSION = 1
_DESCRIPTION, _QUERIES, _FOLDS, _README = "benchmark.json", "queries.parquet", "folds.tsv.xz", "README.md"
_KEPT_COUNTS = ("duplicate_candidates_removed", "spectra_of_repeated_identifiers")
_FOLD_COLUMNS = ("accession", "inchikey_first_block", "smiles", "formula", "adduct", "fold")


class FoldRow(NamedTuple):
    """One spectrum of the source and its fold."""

    accession: str
    first_block: str
    smiles: str
    formula: str
    adduct: str
    fold: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Benchmark:
    """A frozen benchmark.

    Attributes
    ----------
    folder
        Where it lives.
    description
        Content of ``benchmark.json``.
    folds
        Fold of every spectrum of the source; the queries are of those that are asked.
    known
        The spectra to ask, in the order of the file.
    lists
        Kind -> first block of the target -> its candidates.
    """

    folder: Path
    description: Mapping[str, Any]
    folds: tuple[FoldRow, ...]
    known: KnownSpectra
    lists: Mapping[str, Mapping[str, CandidateList]]

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Return the benchmark of a folder, its content held against the digest.

        Raises
        ------
        EvaluationError
            A file is missing or damaged, of another format version, or its content is not what was frozen.
        """
        folder = Path(folder)
        description = _read_description(folder)
        try:
            known = KnownSpectra.from_annotated(read_dataset(folder / _QUERIES))
            lists = {kind: read_lists(folder / list_file(kind)) for kind in description["lists"]}
            folds = tuple(FoldRow(*row) for row in read_columns(folder / _FOLDS, _FOLD_COLUMNS))
        except (DatasetError, OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise EvaluationError(f"{folder}: cannot be read as a benchmark: {reason_of(error)}") from error
        found = _digest(known, lists, folds)
        if found != description["digest"]:
            raise EvaluationError(
                f"{folder}: its content has the digest {found[:12]}; expected {str(description['digest'])[:12]}, as "
                "benchmark.json says: a file was changed"
            )
        return cls(folder=folder, description=description, folds=folds, known=known, lists=lists)

    @property
    def queries_path(self) -> Path:
        """The file of the spectra that are asked."""
        return self.folder / _QUERIES

    @property
    def digest(self) -> str:
        """SHA-256 of queries, lists and folds, in hexadecimal."""
        return str(self.description["digest"])

    @cached_property
    def fold_of(self) -> dict[str, str]:
        """Accession -> fold."""
        return {row.accession: row.fold for row in self.folds}

    def asked(self, fold: str) -> KnownSpectra:
        """Return the spectra to ask of one fold.

        Raises
        ------
        EvaluationError
            The benchmark asks none of that fold.
        """
        kept = tuple(item for item in self.known.spectra if self.fold_of.get(item.spectrum.identifier) == fold)
        if not kept:
            asked = Counter(self.fold_of.get(item.spectrum.identifier, "") for item in self.known.spectra)
            those = ", ".join(f"{name} ({n:,} spectra)" for name, n in sorted(asked.items()))
            raise EvaluationError(f"{self.folder}: asks no spectrum of fold {fold!r}; it asks {those}")
        return KnownSpectra(spectra=kept)

    def questions(self, kind: str, *, fold: str = "test") -> Questions:
        """Return the queries of one fold with one kind of lists.

        Raises
        ------
        EvaluationError
            The benchmark has no lists of that kind, or asks none of that fold.
        """
        if kind not in self.lists:
            raise EvaluationError(f"{self.folder}: no lists {kind!r}; it has {', '.join(self.lists)}")
        empty = CandidateList(structures=())
        lists = self.lists[kind]
        known = self.asked(fold)
        return Questions(
            queries=tuple(
                Query(
                    identifier=item.spectrum.identifier,
                    spectrum=item.spectrum,
                    target=item.target,
                    candidates=lists.get(item.target, empty),
                )
                for item in known.spectra
            ),
            provenance={
                "benchmark": self.folder.name,
                "benchmark_digest": self.digest,
                "lists": kind,
                "fold": fold,
                "spectra_without_list": sum(item.target not in lists for item in known.spectra),
                **self._counted(kind),
            },
        )

    def _counted(self, kind: str) -> dict[str, Any]:
        """Return what was counted when the lists of a kind were frozen, and can no longer be seen in them."""
        whole = {name: n for name, n in self.description.items() if isinstance(n, int) and name != "format_version"}
        frozen = {**whole, **self.description["lists"][kind]}
        return {"frozen": frozen, "counts": {name: frozen[name] for name in _KEPT_COUNTS if name in frozen}}

    def training(self, dataset: Dataset, *, fold: str = "train") -> list[AnnotatedSpectrum]:
        """Return the spectra of a dataset that are of the training fold.

        Raises
        ------
        EvaluationError
            The dataset holds none of them.
        """
        identifiers = dataset.column("identifier")
        rows = [row for row, name in enumerate(identifiers) if self.fold_of.get(str(name)) == fold]
        if not rows:
            raise EvaluationError(
                f"{self.folder}: the dataset holds no spectrum of its fold {fold!r}; expected the dataset that it was "
                f"built of, {self.description.get('source', 'unknown')}"
            )
        return list(dataset.take(rows))


def freeze(
    folder: Path,
    *,
    known: KnownSpectra,
    folds: Sequence[FoldRow],
    questions: Mapping[str, Questions],
    description: Mapping[str, Any],
    force: bool = False,
) -> Benchmark:
    """Write a benchmark and return it as it is read again.

    Parameters
    ----------
    folder
        New or empty, or this very benchmark, which is left as it is.
    known
        The spectra to ask, all with a structure.
    folds
        Of every spectrum of the source.
    questions
        Kind of list -> queries of ``known`` in their order.
    description
        How it was built.
    force
        Whether a benchmark that stands there is replaced, whole or not at all.

    Raises
    ------
    EvaluationError
        Two spectra have one identifier, a kind of lists cannot be called so, or the folder holds something else.
    OutputError
        It cannot be written.
    """
    check_kinds(questions)
    _check_distinct(folder, [row.accession for row in folds])
    _check_distinct(folder, [item.spectrum.identifier for item in known.spectra])
    lists = {kind: lists_of(asked) for kind, asked in questions.items()}
    said = {
        "format_version": FORMAT_VERSION,
        "digest": _digest(known, lists, folds),
        **description,
        "folds": dict(sorted(Counter(row.fold for row in folds).items())),
        "queries": len(known.spectra),
        "query_molecules": len({item.target for item in known.spectra}),
        "spectra_without_structure": known.n_without_structure,
        "spectra_not_ms2": known.n_not_ms2,
        "lists": {kind: list_counts(asked) for kind, asked in questions.items()},
    }
    if _holds(folder, said["digest"], force=force):
        return Benchmark.load(folder)
    with replacing_folder(folder) as temporary:
        _write_queries(known, temporary / _QUERIES)
        for kind, by_key in lists.items():
            write_lists(by_key, temporary / list_file(kind))
        (temporary / _FOLDS).write_bytes(lzma.compress(_fold_text(folds).encode()))
        (temporary / _DESCRIPTION).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        (temporary / _README).write_text(readme_of(folder.name, said), encoding="utf-8")
    return Benchmark.load(folder)


def _holds(folder: Path, digest: str, *, force: bool) -> bool:
    """Return whether a folder holds a benchmark already, so that it is kept; False where it may be written."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / _DESCRIPTION).is_file():
        raise EvaluationError(f"{folder}: holds files and no benchmark; expected a new folder")
    if force:
        return False
    found = str(_read_description(folder)["digest"])
    if found != digest:
        raise EvaluationError(
            f"{folder}: holds another benchmark, of the digest {found[:12]}; expected a new folder, or --force to "
            f"replace it by that of the digest {digest[:12]}"
        )
    return True


def _check_distinct(folder: Path, identifiers: Sequence[str]) -> None:
    repeated = {name: n for name, n in Counter(identifiers).items() if n > 1}
    if repeated:
        name, n = next(iter(repeated.items()))
        found = counted(len(repeated), "identifier stands", "identifiers stand")
        raise EvaluationError(
            f"{folder}: cannot be frozen: {found} more than once among {len(identifiers)} spectra, {name!r} {n} times; "
            "expected distinct ones, as queries and folds are told apart by them"
        )


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / _DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"{path}: cannot be read: {reason_of(error)}; expected a benchmark of 'diptych benchmark build'"
        ) from error
    if not isinstance(description, dict) or description.get("format_version") != FORMAT_VERSION:
        raise EvaluationError(f"{path}: no benchmark of format version {FORMAT_VERSION}")
    if not {"digest", "lists"} <= description.keys():
        raise EvaluationError(f"{path}: lacks the digest or the lists of a benchmark")
    lists = description["lists"]
    if not isinstance(lists, dict) or not all(isinstance(counts, dict) for counts in lists.values()) or not lists:
        raise EvaluationError(f"{path}: its lists are {lists!r}; expected the counts of each kind of list")
    return description


def _write_queries(known: KnownSpectra, path: Path) -> None:
    examples = [
        AnnotatedSpectrum(
            spectrum=item.spectrum, structure=item.structure, licence=item.spectrum.metadata.get("license", "")
        )
        for item in known.spectra
        if item.structure is not None
    ]
    pq.write_table(pa.Table.from_batches([rows_to_batch(examples)]), path, compression="zstd")


def _fold_text(folds: Sequence[FoldRow]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(_FOLD_COLUMNS)
    writer.writerows(folds)
    return text.getvalue()


def _digest(known: KnownSpectra, lists: Mapping[str, Mapping[str, CandidateList]], folds: Sequence[FoldRow]) -> str:
    digest = hashlib.sha256()
    for item in known.spectra:
        digest.update(f"{item.spectrum.identifier}\t{item.target}\t{item.spectrum.precursor_mz!r}\n".encode())
        digest.update(item.spectrum.mz.tobytes() + item.spectrum.intensity.tobytes())
    for kind in sorted(lists):
        for key in sorted(lists[kind]):
            rows = (row[:3] for row in list_rows(key, lists[kind][key]))
            digest.update(f"{kind}\n{chr(10).join(map(repr, rows))}\n".encode())
    digest.update(_fold_text(folds).encode())
    return digest.hexdigest()
