"""Ways in which a test can be answered without being understood, each with a verdict and its numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from diptych.evaluation.results.metadata import ACYCLIC
from diptych.evaluation.wording import counted

if TYPE_CHECKING:
    from diptych.evaluation.results.metadata import TrainingMolecules
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.evaluation.results.scores import CandidateScores

NEAR_TWIN = 0.85
_HISTOGRAM_EDGES = np.arange(11) / 10
_NO_REPORT = "a table of ranks does not say what became of the lists; give the report, report.json"
GIVE_TRAINING = "give --train, or --spectra with --accessions or with a dataset's --train-fold COLUMN=NAME"


class Verdict(StrEnum):
    """What a check came to."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "not checked"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    check
        What was looked for.
    verdict
        Whether it was found.
    says
        One sentence with the numbers that decided.
    numbers
        All numbers, as JSON can hold them.
    """

    check: str
    verdict: Verdict
    says: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def not_checked(check: str, why: str) -> Finding:
    """Return the finding of a check that could not be made."""
    return Finding(check=check, verdict=Verdict.UNKNOWN, says=f"Not checked: {why}.")


def shared_molecules(results: QueryResults, training: TrainingMolecules | None) -> Finding:
    """Return how many right answers were trained on; a single one fails."""
    if training is None or not training.first_blocks:
        return not_checked("shared molecules", f"the molecules of training are not known: {GIVE_TRAINING}, or --model")
    seen = set(results.targets) & set(training.first_blocks)
    n_queries = sum(target in seen for target in results.targets)
    return Finding(
        check="shared molecules",
        verdict=Verdict.FAIL if seen else Verdict.PASS,
        says=f"{len(seen):,} of {counted(results.n_molecules, 'tested molecule is', 'tested molecules are')} among the "
        f"{len(training.first_blocks):,} of training ({n_queries:,} of {counted(len(results), 'query', 'queries')}).",
        numbers={"molecules": len(seen), "of_molecules": results.n_molecules, "queries": n_queries},
    )


def shared_scaffolds(results: QueryResults) -> Finding:
    """Return how many answers have a scaffold that training has; more than 5 % warns: not every split forbids it."""
    values = Counter(results.text("scaffold_seen"))
    known, acyclic = values["seen"] + values["unseen"], values[ACYCLIC]
    if not known:
        none = f"of {len(results)} answers {acyclic} are without rings, and so without a scaffold, the others not known"
        return not_checked(
            "shared scaffolds", none if acyclic else "the training structures, or the answers' SMILES, are not known"
        )
    unknown = len(results) - known - acyclic
    share = values["seen"] / known
    return Finding(
        check="shared scaffolds",
        verdict=Verdict.WARN if share > 0.05 else Verdict.PASS,
        says=f"{values['seen']} of {known} queries ({100 * share:.1f} %) are of molecules whose Bemis-Murcko "
        "scaffold is "
        f"in training; {acyclic} are without rings, and so without a scaffold, and of {unknown} it is not known.",
        numbers={"queries": values["seen"], "of_queries": known, "without_scaffold": acyclic, "unknown": unknown},
    )


def near_twins(results: QueryResults) -> Finding:
    """Return how similar tested molecules are to the nearest of training, as a histogram; twins above 5 % warn."""
    nearest = {
        target: float(text)
        for target, text in zip(results.targets, results.text("nearest_training"), strict=True)
        if text
    }
    if not nearest:
        return not_checked("near twins", "the training structures, or the answers' SMILES, are not known")
    values = np.array(list(nearest.values()))
    counts, _ = np.histogram(values, bins=_HISTOGRAM_EDGES)
    share = float(np.mean(values >= NEAR_TWIN))
    return Finding(
        check="near twins",
        verdict=Verdict.WARN if share > 0.05 else Verdict.PASS,
        says=f"{100 * share:.1f} % of {values.size} tested molecules have a Tanimoto similarity of at least "
        f"{NEAR_TWIN} to "
        f"a training molecule (median {np.median(values):.2f}).",
        numbers={
            "share": share,
            "median": float(np.median(values)),
            "histogram_edges": [round(float(edge), 2) for edge in _HISTOGRAM_EDGES],
            "histogram": counts.tolist(),
        },
    )


def ties(results: QueryResults, scores: CandidateScores | None = None) -> Finding:
    """Return in how many queries the answer shares its score with another candidate, which counts against it."""
    if scores is None:
        tied = np.nan_to_num(results.number("margin"), nan=1.0) == 0
        share = float(tied.mean()) if len(results) else 0.0
        says = f"In {100 * share:.1f} % of {len(results)} queries the first two candidates have one score."
    else:
        tied_targets = [
            position is not None and bool(np.sum(of_query == of_query[position]) > 1)
            for of_query, position in zip(scores.per_query, scores.positions, strict=True)
        ]
        share = float(np.mean(tied_targets)) if tied_targets else 0.0
        says = f"In {100 * share:.1f} % of {len(tied_targets)} queries another candidate has the score of the answer."
    return Finding(
        check="ties",
        verdict=Verdict.WARN if share > 0.01 else Verdict.PASS,
        says=says + " Ties count against the answer.",
        numbers={"share": share},
    )


def unscored(results: QueryResults, scores: CandidateScores | None, counts: Mapping[str, int]) -> list[Finding]:
    """Return what was lost on the way: duplicates removed, candidates that were not read or got no score, misses."""
    n_unscored = 0 if scores is None else int(np.isnan(scores.scores).sum())
    n_all = int(results.n_candidates.sum())
    missed = int(np.count_nonzero(np.isinf(results.ranks)))
    unparsed, duplicates = counts.get("unparsed_candidates", 0), counts.get("duplicate_candidates_removed", 0)
    removed = Finding(
        check="duplicate candidates",
        verdict=Verdict.WARN if duplicates else Verdict.PASS,
        says=f"{counted(duplicates, 'further spelling was', 'further spellings were')} removed from the lists before "
        "scoring.",
        numbers={"removed": duplicates},
    )
    known = scores is not None or "unparsed_candidates" in counts
    return [
        removed if "duplicate_candidates_removed" in counts else not_checked("duplicate candidates", _NO_REPORT),
        Finding(
            check="candidates lost",
            verdict=Verdict.FAIL if n_unscored + unparsed > 0.01 * n_all else _warned(n_unscored + unparsed),
            says=f"{counted(unparsed, 'candidate', 'candidates')} could not be read and {n_unscored:,} of {n_all:,} "
            "asked got no score; they stay in their lists, below every number.",
            numbers={"unparsed": unparsed, "unscored": n_unscored, "of": n_all},
        )
        if known
        else not_checked("candidates lost", _NO_REPORT),
        Finding(
            check="queries without a rank",
            verdict=Verdict.WARN if missed > 0.01 * len(results) else Verdict.PASS,
            says=f"{missed:,} of {counted(len(results), 'answer', 'answers')} missing from the list or without score: "
            "counted as misses.",
            numbers={"missed": missed, "of": len(results)},
        ),
    ]


def _warned(count: int) -> Verdict:
    return Verdict.WARN if count else Verdict.PASS


def spelling_shortcut(lists: Mapping[str, Sequence[str]], answers: Mapping[str, Sequence[str]]) -> Finding:
    """Return how often a rule that sees no more than how the SMILES are spelt picks the answer.

    Parameters
    ----------
    lists
        Key -> candidate SMILES as the file spells them, before they are standardised.
    answers
        Key -> those of them that are the answer.

    Notes
    -----
    A feature of the text (chirality marks, double-bond marks, brackets, explicit aromaticity, dots, length, first
    letter) picks the candidates that have most or least of it; a pick among t candidates of which a are the answer
    counts a / t. The best rule over all lists is reported, against the same rule's chance 1 / n and against the best
    of as many rules where the answer is drawn at random.
    """
    usable = [
        (texts, set(answers.get(key, ()))) for key, texts in lists.items() if len(set(texts)) > 1 and answers.get(key)
    ]
    if len(usable) < 20:
        return not_checked("SMILES spelling", f"{len(usable)} lists with their spelling are known, too few to tell")
    found = {
        name: float(np.mean([_picked(texts, right, rule) for texts, right in usable])) for name, rule in _RULES.items()
    }
    best = max(found, key=lambda name: found[name])
    generator = np.random.default_rng(0)
    drawn = [(texts, {texts[int(generator.integers(len(texts)))]}) for texts, _ in usable]
    by_chance = max(float(np.mean([_picked(texts, right, rule) for texts, right in drawn])) for rule in _RULES.values())
    error = math.sqrt(max(by_chance * (1 - by_chance), 1e-12) / len(usable))
    above = found[best] - by_chance
    return Finding(
        check="SMILES spelling",
        verdict=Verdict.FAIL if above > 0.2 else Verdict.WARN if above > max(0.03, 3 * error) else Verdict.PASS,
        says=f"The rule '{best}', which sees no spectrum, picks {100 * found[best]:.1f} % of the answers of "
        f"{len(usable)} "
        f"lists; the best rule picks {100 * by_chance:.1f} % where answers are drawn at random. Candidates are "
        "standardised before any ranker sees them.",
        numbers={"rules": found, "best_by_chance": by_chance, "lists": len(usable)},
    )


def _count(characters: str) -> Any:  # noqa: ANN401 - a function of a text
    return lambda text: sum(text.count(character) for character in characters)


_FEATURES: Mapping[str, Any] = {
    "chirality marks": _count("@"),
    "double-bond marks": _count("/\\"),
    "brackets": _count("["),
    "aromatic letters": _count("cnos"),
    "explicit bonds": _count("=#-:"),
    "dots": _count("."),
    "characters": len,
    "first letter": lambda text: ord(text[0]) if text else 0,
}
_RULES: Mapping[str, Any] = {
    f"{word} {name}": (lambda text, sign=sign, feature=feature: sign * feature(text))
    for name, feature in _FEATURES.items()
    for word, sign in (("most", 1), ("fewest", -1))
}


def _picked(texts: Sequence[str], right: set[str], rule: Any) -> float:  # noqa: ANN401
    values = [rule(text) for text in texts]
    highest = max(values)
    picked = [text for text, value in zip(texts, values, strict=True) if value == highest]
    return sum(text in right for text in picked) / len(picked)
