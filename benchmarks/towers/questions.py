"""What every preset is asked: spectra of the peer benchmark, three kinds of candidate lists, library search."""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diptych.data.candidate_files import read_candidate_file
from diptych.data.candidates import CandidateTable, candidates_by_formula, candidates_by_mass
from diptych.data.dataset import Dataset, read_dataset
from diptych.data.tables import read_columns
from diptych.errors import FormulaError
from diptych.evaluation.protocols.repeated_search import query_splits
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.evaluation.questions.known import KnownSpectrum
from diptych.files import replacing
from diptych.molecules.formula import Formula
from diptych.ranking import CandidateList, Query, Ranker
from diptych.spectra import Spectrum
from diptych.training.structures import ParsedSmiles, parse_smiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peer_benchmark import FoldRow, known_spectra, neighbour_rankers, read_folds

LONGEST_LIST = 256
PPM = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """The spectra of one fold, those to learn from, and where candidates are drawn from.

    Attributes
    ----------
    fold
        Of the queries.
    dataset
        Of ``diptych dataset build``; its molecules are the measured ones.
    benchmark
        Folder with ``folds.tsv.xz``, ``candidates_formula.json.xz`` and ``library_search.json.xz``.
    structures
        Table of structures from which the lists by mass are drawn.
    """

    fold: str
    dataset: Dataset
    benchmark: Path
    structures: Path

    @classmethod
    def read(cls, dataset: Path, *, benchmark: Path, structures: Path, fold: str) -> Material:
        """Return the material; peaks are read, everything else when it is asked for."""
        return cls(fold=fold, dataset=read_dataset(dataset), benchmark=benchmark, structures=structures)

    @cached_property
    def folds(self) -> dict[str, FoldRow]:
        """Accession -> molecule and fold."""
        return read_folds(self.benchmark / "folds.tsv.xz")

    @cached_property
    def spectra(self) -> list[Spectrum]:
        """All spectra of the benchmark that the dataset has."""
        rows = np.flatnonzero([name in self.folds for name in self.dataset.column("identifier")])
        return [self.dataset[int(row)].spectrum for row in rows]

    @cached_property
    def known(self) -> tuple[KnownSpectrum, ...]:
        """The spectra that are asked, with their structures."""
        return known_spectra(self.spectra, self.folds, fold=self.fold)

    def neighbours(self) -> Ranker:
        """Return the 20 nearest neighbours among the training spectra, as a ranker."""
        return neighbour_rankers(known_spectra(self.spectra, self.folds, fold="train"))[1]

    def lists(self) -> dict[str, dict[str, list[str]]]:
        """Return for each kind of list the SMILES of the candidates of each target."""
        given = read_candidate_file(self.benchmark / "candidates_formula.json.xz")
        targets = {item.target: item for item in self.known}
        own = [(block, item.structure.smiles, item.structure.formula) for block, item in targets.items()]
        measured = CandidateTable.of([*own, *self._columns()])
        every = CandidateTable.of([*own, *_with_mass(self.structures)])
        return {
            "formula": {
                block: list(given[item.other_block]) for block, item in targets.items() if item.other_block in given
            },
            "measured": {block: candidates_by_formula(measured, block, limit=LONGEST_LIST) for block in targets},
            "mass": {block: candidates_by_mass(every, block, ppm=PPM, limit=LONGEST_LIST) for block in targets},
        }

    def _columns(self) -> list[tuple[str, str, str]]:
        columns = [self.dataset.column(name) for name in ("inchikey_first_block", "smiles", "formula")]
        return list(dict.fromkeys(zip(*columns, strict=True)))

    def library_search(self) -> tuple[SearchableSpectra, np.ndarray, np.ndarray]:
        """Return spectra, and the rows of queries and references: of the test fold as given, else drawn alike."""
        spectra = SearchableSpectra(
            spectra=self.spectra,
            molecules=[self.folds[spectrum.identifier].first_block for spectrum in self.spectra],
            origins=[spectrum.metadata.get("contributor", "") for spectrum in self.spectra],
        )
        fold_of = np.array([self.folds[spectrum.identifier].fold for spectrum in self.spectra])
        if self.fold != "test":
            queries = next(query_splits(spectra, rows=np.flatnonzero(fold_of == self.fold), n_splits=1, seed=0))
            return spectra, queries, np.setdiff1d(np.flatnonzero(np.isin(fold_of, [self.fold, "train"])), queries)
        given = json.loads(lzma.decompress((self.benchmark / "library_search.json.xz").read_bytes()))
        row = {spectrum.identifier: i for i, spectrum in enumerate(self.spectra)}
        queries = [query["id"] for query in given["queries"]]
        references = given["library_base"] + given["library_extra_train"]
        return spectra, _rows(row, queries), _rows(row, references)


def _with_mass(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of a structure table whose mass is known; technetium and the like have none."""
    rows = read_columns(path, ("inchikey_first_block", "smiles", "formula"))
    return ((block, smiles, formula) for block, smiles, formula in rows if _has_mass(formula))


@cache
def _has_mass(formula: str) -> bool:
    try:
        Formula.parse(formula)
    except FormulaError:
        return False
    return True


def _rows(row: Mapping[str, int], names: Sequence[str]) -> np.ndarray:
    return np.array([row[name] for name in names if name in row], dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """Queries of each kind of list, and all their candidates described for one structure tower."""

    queries: Mapping[str, tuple[Query, ...]]
    parsed: ParsedSmiles


def ask_with(featuriser: Any, material: Material, *, cache: Path) -> Asked:  # noqa: ANN401 - the tower's own
    """Return the queries with their candidates; what is described once is kept in the cache."""
    lists = material.lists()
    texts = (smiles for by_target in lists.values() for listed in by_target.values() for smiles in listed)
    parsed = parse_smiles(texts, featuriser, cache=cache)
    return Asked(
        queries={kind: _queries(material.known, by_target, parsed) for kind, by_target in lists.items()}, parsed=parsed
    )


def _queries(
    known: Sequence[KnownSpectrum], lists: Mapping[str, Sequence[str]], parsed: ParsedSmiles
) -> tuple[Query, ...]:
    found = parsed.structure_of
    made = {
        target: CandidateList.distinct(
            (found[text] for text in texts if text in found), unparsed=(text for text in texts if text not in found)
        )
        for target, texts in lists.items()
    }
    return tuple(
        Query(
            identifier=item.spectrum.identifier,
            spectrum=item.spectrum,
            target=item.target,
            candidates=made.get(item.target, CandidateList(structures=())),
        )
        for item in known
    )


class KeptRanker:
    """A ranker whose answers are kept in a folder, as no preset changes them.

    Parameters
    ----------
    name
        Of the ranker.
    build
        Makes it when it is needed.
    folder
        Made when first needed; may be deleted at any time.
    """

    def __init__(self, name: str, build: Callable[[], Ranker], *, folder: Path) -> None:
        self.name, self._build, self._folder = name, build, folder

    def score(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """Return the ranker's scores."""
        path = self._folder / f"{self.name}.{_digest(queries)}.npy"
        lengths = [len(query.candidates.structures) for query in queries]
        if not path.is_file():
            scores = np.concatenate([np.asarray(row, dtype=np.float64) for row in self._build().score(queries)])
            with replacing(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, scores, allow_pickle=False)
        return np.split(np.load(path, allow_pickle=False), np.cumsum(lengths)[:-1])


def _digest(queries: Sequence[Query]) -> str:
    lists = {id(query.candidates): " ".join(query.candidates.positions) for query in queries}
    digest = hashlib.sha256()
    for query in queries:
        digest.update(f"{query.identifier}\t{lists[id(query.candidates)]}\n".encode())
    return digest.hexdigest()[:24]
