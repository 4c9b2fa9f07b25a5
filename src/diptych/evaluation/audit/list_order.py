"""Whether the place of the answer in its list gives it away: in the candidate file, and in the lists as asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from diptych.evaluation.audit.leaks import Finding, Verdict, not_checked

if TYPE_CHECKING:
    from diptych.evaluation.results.scores import CandidateScores

IN_FILE = "order in the file"
ASKED = "order asked"
_PARTS = 10
_LISTS_PER_PART = 5


def order_in_file(lists: Mapping[str, Sequence[str]], answers: Mapping[str, Sequence[str]]) -> Finding:
    """Return whether the answer stands anywhere in the lists of a candidate file alike, as the file orders them.

    Parameters
    ----------
    lists
        Key -> candidate SMILES in the order of the file.
    answers
        Key -> those of them that are the answer.

    Notes
    -----
    Where a list spells its answer several times, one of them is drawn, by a fixed seed: uniform wherever the order of
    the list is random. Lists of one candidate, and those that lack their answer, say nothing.
    """
    if not lists:
        return not_checked(IN_FILE, "no candidate file of the queries is given: --candidates with --spectra")
    generator = np.random.default_rng(0)
    positions, lengths, first, expected = [], [], [], []
    for key, right in answers.items():
        found = np.flatnonzero(np.isin(lists[key], list(right)))
        if found.size and len(lists[key]) > found.size:
            positions.append(int(generator.choice(found)))
            lengths.append(len(lists[key]))
            first.append(found[0] == 0)
            expected.append(found.size / len(lists[key]))
    return _judged(
        IN_FILE,
        np.array(positions),
        np.array(lengths),
        first=np.array(first),
        expected=np.array(expected),
        remark=" Diptych shuffles every list before it asks; what else was given the file saw this order.",
    )


def order_asked(scores: CandidateScores | None) -> Finding:
    """Return whether the answer stands anywhere in the lists as they were asked alike, after any shuffling.

    Spectra of one molecule share a list, so that its position counts once.
    """
    if scores is None:
        return not_checked(ASKED, "the scores of all candidates do not stand beside the results")
    lengths = np.diff(scores.offsets)
    asked = np.flatnonzero((lengths > 1) & (scores.target_positions >= 0))
    keys = {(scores.blocks_of(int(i)), int(scores.target_positions[i])): i for i in asked}
    rows = np.array(list(keys.values()), dtype=np.int64)
    positions, lengths = scores.target_positions[rows], lengths[rows]
    return _judged(ASKED, positions, lengths, first=positions == 0, expected=1 / lengths)


def _judged(
    check: str,
    positions: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    first: NDArray[np.bool_],
    expected: NDArray[np.float64],
    remark: str = "",
) -> Finding:
    """Return the verdict of a chi-square test over equal parts of the list.

    The answer at position p of n is at (p + u) / n, u uniform and drawn by a fixed seed, which is uniform in [0, 1) for
    whatever n where positions are uniform.
    """
    n_parts = min(_PARTS, len(positions) // _LISTS_PER_PART)
    if n_parts < 2:
        return not_checked(check, f"{len(positions)} distinct lists hold their answer and another, too few to tell")
    where = (positions + np.random.default_rng(0).random(len(positions))) / lengths
    counts = np.bincount((where * n_parts).astype(int), minlength=n_parts)
    p_value = float(chisquare(counts).pvalue)
    share, by_chance = float(first.mean()), float(expected.mean())
    return Finding(
        check=check,
        verdict=Verdict.FAIL if p_value < 1e-6 else Verdict.WARN if p_value < 0.01 else Verdict.PASS,
        says=f"The answer stands first in {100 * share:.1f} % of {len(positions)} distinct lists "
        f"({100 * by_chance:.1f} % by chance); over {n_parts} parts of the list chi-square p = {p_value:.2g}.{remark}",
        numbers={"p_value": p_value, "first": share, "expected_first": by_chance, "by_part": counts.tolist()},
    )
