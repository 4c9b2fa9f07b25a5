"""Answers kept while a benchmark runs, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import diptych
from diptych.evaluation.results.score_tables import ScoreTableRanker
from diptych.files import replacing

if TYPE_CHECKING:
    from diptych.ranking.query import CandidateList, Query
    from diptych.ranking.ranking import Ranker

_FOLDER = "unfinished"


class KeptAnswers:
    """A folder beside the results that holds every answer of a run until the results are written.

    Parameters
    ----------
    output
        Folder of the results; the answers stand in ``unfinished`` there.
    files
        What rankers learn from; a file that changed makes its answers another run's.
    settings
        Whatever else decides a score, as JSON-able data: seed, digest of the model, share of the prior.
    """

    def __init__(self, output: Path, *, files: Iterable[Path] = (), settings: Mapping[str, Any]) -> None:
        self.folder = output / _FOLDER
        digests = [_digest_of(path) for path in files]
        said = {"code": _digest_of_code(), "files": digests, "settings": dict(settings)}
        self._key = json.dumps(said, sort_keys=True)
        self._used: set[Path] = set()

    def __len__(self) -> int:
        """Return how many answers are there, of this run or of another."""
        return sum(path.suffix in {".npz", ".json"} for path in self.folder.iterdir()) if self.folder.is_dir() else 0

    def of(self, rankers: Iterable[Ranker]) -> list[Ranker]:
        """Return the rankers, which answer from the folder what they were asked before; tables have no need of it."""
        return [
            ranker
            if isinstance(ranker, ScoreTableRanker)
            else KeptRanker(ranker, self.folder, key=self._key, used=self._used)
            for ranker in rankers
        ]

    def rows(self, name: str, compute: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return the rows of a table, JSON-able data, computed once for one name and the same settings."""
        path = self.folder / f"{hashlib.sha256(f'{self._key} {name}'.encode()).hexdigest()[:32]}.json"
        self._used.add(path)
        try:
            found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = compute()
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(found), encoding="utf-8")
        return found

    def done(self) -> None:
        """Remove the answers of this run, as the results are written; those of others stay."""
        for path in self._used:
            with suppress(OSError):
                path.unlink()
        with suppress(OSError):
            self.folder.rmdir()


class KeptRanker:
    """A ranker whose answers are written to a folder, and read there when the same is asked again.

    Parameters
    ----------
    inner
        Who answers.
    folder
        Where answers stand, a file for each set of queries.
    key
        What else decides a score.
    used
        Takes up the files that are written or read.
    """

    def __init__(self, inner: Ranker, folder: Path, *, key: str, used: set[Path]) -> None:
        self.inner = inner
        self.seconds = 0.0  # what the last answers took, in this run or in the one that was stopped
        self._folder, self._key, self._used = folder, key, used

    @property
    def name(self) -> str:
        """That of the inner ranker."""
        return self.inner.name

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the scores of the inner ranker, asked once for the same spectra, lists and settings."""
        path = self._folder / f"{_digest(queries, f'{self._key} {self.name}')}.npz"
        self._used.add(path)
        kept = _read(path)
        if kept is None:
            started = time.perf_counter()
            scores = self.inner.score(queries)
            kept = scores, time.perf_counter() - started
            _write(path, *kept)
        scores, self.seconds = kept
        return scores


def _write(path: Path, scores: Sequence[NDArray[np.floating]], seconds: float) -> None:
    lengths = np.array([len(found) for found in scores], dtype=np.int64)
    flat = np.concatenate([np.empty(0, np.float32), *scores])
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, scores=flat, lengths=lengths, seconds=np.float64(seconds))


def _read(path: Path) -> tuple[list[NDArray[np.floating]], float] | None:
    try:
        with np.load(path, allow_pickle=False) as archive:
            scores, ends = archive["scores"], np.cumsum(archive["lengths"])
            return [scores[end - n : end] for end, n in zip(ends, archive["lengths"], strict=True)], float(
                archive["seconds"]
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # absent, or damaged: asked anew


def _digest(queries: Sequence[Query], key: str) -> str:
    """Return the digest of everything that a ranker sees."""
    digest = hashlib.sha256(key.encode())
    lists: dict[int, bytes] = {}
    for query in queries:
        spectrum, candidates = query.spectrum, query.candidates
        if id(candidates) not in lists:
            lists[id(candidates)] = _said_of_list(candidates)
        other = (
            *(query.identifier, query.target, spectrum.precursor_mz, spectrum.charge, spectrum.collision_energy),
            *(spectrum.adduct and spectrum.adduct.name, spectrum.instrument_type, sorted(spectrum.metadata.items())),
        )
        for part in (repr(other).encode(), spectrum.mz.tobytes(), spectrum.intensity.tobytes(), lists[id(candidates)]):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:32]


def _said_of_list(candidates: CandidateList) -> bytes:
    return hashlib.sha256("\n".join(structure.smiles for structure in candidates.structures).encode()).digest()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _digest_of_code() -> str:
    """Return the digest of this package's modules: a run may have been stopped by a fault that is mended since."""
    digest = hashlib.sha256()
    for path in sorted(Path(diptych.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
