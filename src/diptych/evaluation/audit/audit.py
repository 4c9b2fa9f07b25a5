"""The audit of a method: what it could have cheated with, what it is better than, what it looks at, where it fails."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diptych.errors import EvaluationError
from diptych.evaluation.audit.leaks import Finding
from diptych.evaluation.audit.perturbed import PERTURBATIONS, PerturbedRanker
from diptych.evaluation.report.section import plain
from diptych.evaluation.results.answers import ask
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.against_controls import strongest_controls, with_controls
from diptych.evaluation.statistics.comparison_table import Comparison, adjusted, compare
from diptych.evaluation.statistics.figures_of_merit import summarised
from diptych.evaluation.statistics.list_length import LengthBin, by_list_length
from diptych.evaluation.statistics.metrics import hits
from diptych.evaluation.statistics.strata import COLUMNS, Stratum, by_stratum
from diptych.files import replacing

if TYPE_CHECKING:
    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker


@dataclass(frozen=True, kw_only=True)
class HardCase:
    """A query that the method got wrong, and was sure of.

    Attributes
    ----------
    query, target, best
        Identifier, first block of the answer and of what stood first.
    target_smiles, best_smiles
        Of both.
    rank, n_candidates, tanimoto
        How wrong it was; the similarity of the two is NaN where unknown.
    neighbours
        The training molecules nearest in the joint space, as text.
    """

    query: str
    target: str
    best: str
    target_smiles: str
    best_smiles: str
    rank: float
    n_candidates: int
    tanimoto: float
    neighbours: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Everything that an audit found.

    Attributes
    ----------
    name
        The method.
    n_queries, n_molecules
        What it was asked.
    hit_rate, low, high
        At 1, with its 95 % interval over molecules.
    findings
        Leaks and losses.
    above
        The method less each control and baseline, hit rate at 1.
    uses
        Perturbed spectra less the unperturbed, on a sample of queries: what the method looks at.
    asked
        A sentence on the method that was asked with perturbed spectra, or on why none was; empty where none was to be.
    strata
        Column -> hit rates, beside those of the strongest control.
    lengths
        Hit rates by list length, likewise.
    hardest
        Queries that were wrong by the widest margin, one per molecule.
    harmful
        Training spectra that gradients hold most against the tested answers: accession, molecule, influence.
    n_models
        Checkpoints over which the gradients were summed.
    """

    name: str
    n_queries: int
    n_molecules: int
    hit_rate: float
    low: float
    high: float
    findings: tuple[Finding, ...]
    above: tuple[Comparison, ...] = ()
    uses: tuple[Comparison, ...] = ()
    asked: str = ""
    strata: Mapping[str, tuple[Stratum, ...]] = field(default_factory=dict)
    lengths: tuple[LengthBin, ...] = ()
    hardest: tuple[HardCase, ...] = ()
    harmful: tuple[Mapping[str, Any], ...] = ()
    n_models: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as JSON-able data; a number that is unknown is None."""
        found: dict[str, Any] = plain(asdict(self))
        return found

    def save(self, folder: Path) -> None:
        """Write ``audit.json`` and ``audit.md`` into a folder.

        Raises
        ------
        OutputError
            They cannot be written.
        """
        from diptych.evaluation.audit.page import markdown

        with replacing(folder / "audit.json") as path:
            path.write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        with replacing(folder / "audit.md") as path:
            path.write_text(markdown(self), encoding="utf-8")


def audit_results(
    name: str,
    results: QueryResults,
    *,
    findings: Sequence[Finding],
    controls: Mapping[str, QueryResults] | None = None,
    uses: Sequence[Comparison] = (),
    asked: str = "",
    hardest: Sequence[HardCase] = (),
    harmful: Sequence[Mapping[str, Any]] = (),
    n_models: int = 0,
    n_bootstrap: int = 10_000,
    seed: int = 0,
) -> Audit:
    """Return the audit of saved results, with what was found by asking anew.

    Parameters
    ----------
    name
        The method.
    results
        Its answers. Controls whose ranks stand in the table are compared with it, too.
    findings
        Of the checks for leaks.
    controls
        Further controls and baselines: name -> results.
    uses, asked, hardest, harmful, n_models
        As `Audit` has them.
    n_bootstrap, seed
        Of intervals and p-values.

    Raises
    ------
    EvaluationError
        A control has the name of the method.
    """
    hit = {"hit": hits(1, results.ranks)}
    whole = summarised(hit, molecules=results.targets, n_bootstrap=n_bootstrap, seed=seed)["hit"]
    others = {control: _with_ranks(results, ranks) for control, ranks in results.control_ranks.items()}
    columns = [column for column in COLUMNS if any(results.text(column))]
    beside = with_controls(results, controls or {})
    grouped: dict[str, Any] = {"controls": strongest_controls(beside), "n_bootstrap": n_bootstrap, "seed": seed}
    return Audit(
        name=name,
        n_queries=len(results),
        n_molecules=results.n_molecules,
        hit_rate=whole.spectrum,
        low=whole.low,
        high=whole.high,
        findings=tuple(findings),
        above=tuple(_above(name, results, others | dict(controls or {}), n_bootstrap=n_bootstrap, seed=seed)),
        uses=tuple(uses),
        asked=asked,
        strata={column: tuple(by_stratum(beside, column, **grouped)) for column in columns},
        lengths=tuple(by_list_length(beside, **grouped)),
        hardest=tuple(hardest),
        harmful=tuple(harmful),
        n_models=n_models,
    )


def _with_ranks(results: QueryResults, ranks: Any) -> QueryResults:  # noqa: ANN401 - an array of ranks
    unknown = np.full(len(results), np.nan)
    return QueryResults(
        queries=results.queries,
        targets=results.targets,
        ranks=ranks,
        n_candidates=results.n_candidates,
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * len(results),
    )


def _above(
    name: str, results: QueryResults, others: Mapping[str, QueryResults], *, n_bootstrap: int, seed: int
) -> list[Comparison]:
    if name in others:
        raise EvaluationError(f"a control is called {name!r}, as the method is; expected another name")
    pairs = [
        compare({name: results, other: found}, against=other, n_bootstrap=n_bootstrap, seed=seed)[0]
        for other, found in others.items()
    ]
    return adjusted(pairs)


def what_it_uses(
    ranker: Ranker, queries: Sequence[Query], *, n_bootstrap: int = 10_000, seed: int = 0
) -> list[Comparison]:
    """Return what each perturbation of the spectra costs a ranker, hit rate at 1: perturbed less unperturbed.

    Parameters
    ----------
    ranker
        Asked once plainly and once for every perturbation of `PERTURBATIONS`.
    queries
        What is asked.
    n_bootstrap, seed
        Of intervals and p-values; the perturbations draw by the same seed.

    Raises
    ------
    EvaluationError
        There is no query.
    """
    plain = _asked(ranker, queries)
    perturbed = {name: _asked(PerturbedRanker(ranker, name, seed), queries) for name in PERTURBATIONS}
    return compare({"unperturbed": plain, **perturbed}, against="unperturbed", n_bootstrap=n_bootstrap, seed=seed)


def _asked(ranker: Ranker, queries: Sequence[Query]) -> QueryResults:
    answers = ask(ranker, queries)
    return QueryResults(
        queries=tuple(query.identifier for query in queries),
        targets=tuple(query.target for query in queries),
        ranks=answers.ranks,
        n_candidates=np.array([query.candidates.n_candidates for query in queries], dtype=np.int64),
        target_scores=answers.target_scores,
        best_scores=answers.best_scores,
        best=answers.best,
    )


def hardest_queries(results: QueryResults, *, n: int = 12) -> list[HardCase]:
    """Return the wrong answers that stood furthest above the right ones, one per molecule.

    The distance is best score less the answer's score; queries whose answer has no finite score, and those without a
    first candidate, are left out: there is nothing to draw side by side.
    """
    told = (results.ranks > 1) & np.isfinite(results.best_scores) & np.isfinite(results.target_scores)
    excess = np.full(len(results), np.nan)
    excess[told] = results.best_scores[told] - results.target_scores[told]
    found: dict[str, HardCase] = {}
    for row in np.argsort(-np.nan_to_num(excess, nan=-np.inf), kind="stable"):
        if len(found) == n or math.isnan(excess[row]):
            break
        found.setdefault(
            results.targets[row],
            HardCase(
                query=results.queries[row],
                target=results.targets[row],
                best=results.best[row],
                target_smiles=results.text("target_smiles")[row],
                best_smiles=results.text("best_smiles")[row],
                rank=float(results.ranks[row]),
                n_candidates=int(results.n_candidates[row]),
                tanimoto=float(results.number("tanimoto")[row]),
            ),
        )
    return list(found.values())
