"""How much of a test set a model was trained on."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diptych.errors import EvaluationError, reason_of
from diptych.evaluation.statistics.figures_of_merit import summarised
from diptych.evaluation.statistics.metrics import hits
from diptych.evaluation.wording import counted
from diptych.files import replacing

if TYPE_CHECKING:
    from diptych.evaluation.evaluation import Evaluation
    from diptych.evaluation.questions.known import KnownSpectra

SEEN, NEW = "seen", "new"
_FIRST_BLOCK = re.compile(r"[A-Z]{14}")


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Spectra of known molecules, told apart by whether the model was trained on their molecule.

    Attributes
    ----------
    spectra
        Accession and first block of each spectrum, in the order of the file.
    seen
        First blocks among them that the model was trained on.
    n_without_structure, n_not_ms2
        Spectra that could not be judged.
    """

    spectra: tuple[tuple[str, str], ...]
    seen: frozenset[str]
    n_without_structure: int = 0
    n_not_ms2: int = 0

    @classmethod
    def of(cls, known: KnownSpectra, trained_on: AbstractSet[str]) -> Overlap:
        """Return the overlap of known spectra with the first blocks that a model was trained on.

        Raises
        ------
        EvaluationError
            No spectrum names its structure.
        """
        if not known.spectra:
            raise EvaluationError(
                f"no overlap to state: none of {known.n_without_structure} MS/MS spectra says its structure; expected "
                "smiles, inchi or inchikey in the metadata of at least one"
            )
        return cls(
            spectra=tuple((item.accession or item.spectrum.identifier, item.target) for item in known.spectra),
            seen=frozenset(item.target for item in known.spectra if item.target in trained_on),
            n_without_structure=known.n_without_structure,
            n_not_ms2=known.n_not_ms2,
        )

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return len({block for _, block in self.spectra})

    @property
    def n_seen_spectra(self) -> int:
        """Number of spectra whose molecule the model was trained on."""
        return sum(block in self.seen for _, block in self.spectra)

    def save(self, path: Path) -> None:
        """Write a table of ``accession``, ``inchikey_first_block`` and ``fold``, which is "seen" or "new".

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(["accession", "inchikey_first_block", "fold"])
            writer.writerows([*row, SEEN if row[1] in self.seen else NEW] for row in self.spectra)


def with_overlap(evaluation: Evaluation, trained_on: AbstractSet[str]) -> Evaluation:
    """Return an evaluation whose provenance says how many queries are of molecules that its model was trained on.

    ``training_overlap`` holds ``seen_queries`` and ``queries`` and, of the queries that are not seen, where there are
    both kinds, ``hit_rate@1`` with the ends of its interval over molecules.
    """
    seen = np.array([target in trained_on for target in evaluation.targets], dtype=bool)
    said: dict[str, Any] = {"seen_queries": int(seen.sum()), "queries": seen.size}
    if 0 < seen.sum() < seen.size:
        hit = summarised(
            {"hit": hits(1, evaluation.answers.ranks[~seen])},
            molecules=[evaluation.targets[row] for row in np.flatnonzero(~seen)],
            n_bootstrap=evaluation.n_bootstrap,
            seed=evaluation.seed,
        )["hit"]
        ends = {name: None if math.isnan(end) else end for name, end in (("low", hit.low), ("high", hit.high))}
        said["unseen"] = {"hit_rate@1": hit.spectrum, **ends}
    return replace(evaluation, provenance={**evaluation.provenance, "training_overlap": said})


def overlap_lines(provenance: Mapping[str, Any]) -> list[str]:
    """Return what is said of `with_overlap`, one line; nothing where that is not known."""
    if "training_overlap" not in provenance:
        return []
    said = provenance["training_overlap"]
    n_seen, n_queries = said["seen_queries"], said["queries"]
    queries = counted(n_queries, "query is of a molecule", "queries are of molecules")
    line = f"{n_seen:,} of {queries} that this model was trained on"
    if "unseen" not in said:
        return [f"{line}."]
    rate, low, high = (said["unseen"][name] for name in ("hit_rate@1", "low", "high"))
    interval = "" if low is None else f" ({100 * low:.1f} to {100 * high:.1f})"
    return [f"{line}; hit rate@1 of the other {n_queries - n_seen:,}: {100 * rate:.1f} %{interval}."]


def read_first_blocks(path: Path) -> frozenset[str]:
    """Return the first blocks of a file that has one to the line.

    Raises
    ------
    EvaluationError
        The file cannot be read, is empty, or a line is no first block.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"{path}: the molecules that the model was trained on cannot be read: {reason_of(error)}"
        ) from error
    for number, line in enumerate(lines, start=1):
        if not _FIRST_BLOCK.fullmatch(line):
            raise EvaluationError(
                f"{path}, line {number}: {line!r}; expected the 14 letters of an InChIKey's first block"
            )
    if not lines:
        raise EvaluationError(f"{path}: the file is empty; expected one first block to the line")
    return frozenset(lines)
