"""The written form of an audit: Markdown for reading, and a page with the hardest cases drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from diptych.evaluation.report.tables import (
    COMPARED,
    Rows,
    comparison_legend,
    comparison_row,
    interval_cell,
    length_table,
    rate_cell,
    stratum_table,
    table,
)
from diptych.evaluation.statistics.against_controls import against_said, below_said
from diptych.evaluation.statistics.strata import column_title
from diptych.evaluation.wording import queries_of_molecules

if TYPE_CHECKING:
    from diptych.evaluation.audit.audit import Audit, HardCase
    from diptych.evaluation.audit.leaks import Finding


def markdown(audit: Audit) -> str:
    """Return the audit as Markdown."""
    interval = "" if math.isnan(audit.low) else f" ({interval_cell(audit.low, audit.high)}, 95 % over molecules)"
    parts = [
        f"# Audit of {audit.name}",
        f"{queries_of_molecules(audit.n_queries, audit.n_molecules)}; hit rate at 1 {rate_cell(audit.hit_rate)} %"
        f"{interval}, by spectrum, ties against the target.",
    ]
    for title, text, header, rows in sections(audit):
        parts += [f"## {title}", text, table(header, rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def sections(audit: Audit) -> list[tuple[str, str, Sequence[str], Rows]]:
    """Return title, remark, header and rows of every table of an audit."""
    found: list[tuple[str, str, Sequence[str], Rows]] = [
        (
            "Leaks and losses",
            "",
            ("check", "verdict", "finding"),
            [(f.check, f.verdict, f.says) for f in audit.findings],
        ),
        (
            "Distance to training",
            "Tested molecules by their Tanimoto similarity to the nearest molecule of training.",
            ("similarity", "molecules", "share"),
            _distances(audit.findings),
        ),
        (
            "Better than what?",
            f"Hit rate at 1, the method less the control, in points. {comparison_legend(audit.above)}".strip(),
            ("control", *COMPARED),
            [comparison_row(one, name=one.second) for one in audit.above],
        ),
        (
            "What it looks at",
            f"{audit.asked} Hit rate at 1 of perturbed spectra less that of the same spectra unperturbed. What costs "
            "nothing is not used. A model does not answer a spectrum without a precursor m/z: where none is stated, "
            "every query is a miss by definition, and what that costs is the hit rate of the sample itself. ".lstrip()
            + comparison_legend(audit.uses),
            ("perturbation", *COMPARED),
            [comparison_row(one, name=one.first) for one in audit.uses],
        ),
        (
            "List length",
            _joined(
                "Hit rate at 1 beside that of random scores in the same lists.",
                against_said(audit.lengths),
                below_said(audit.lengths, of="bins"),
            ),
            *length_table(audit.lengths),
        ),
    ]
    found += [
        (f"By {column_title(column)}", below_said(strata, of="strata"), *stratum_table(strata))
        for column, strata in audit.strata.items()
    ]
    found += [_harmful(audit.harmful, audit.n_models), _hardest(audit.hardest)]
    return [section for section in found if section[3]]


def _distances(findings: Sequence[Finding]) -> Rows:
    """Return the histogram of `near_twins`; no row where the training structures are not known."""
    numbers = next((one.numbers for one in findings if "histogram" in one.numbers), {"histogram": ()})
    counts = numbers["histogram"]
    return [
        (f"{low:.1f} to {low + 0.1:.1f}", f"{count:,}", f"{rate_cell(count / sum(counts))} %")
        for low, count in zip(numbers.get("histogram_edges", ()), counts, strict=False)
    ]


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _harmful(harmful: Sequence[Mapping[str, Any]], n_models: int) -> tuple[str, str, Sequence[str], Rows]:
    models = "one model, a single point of the training" if n_models == 1 else f"{n_models} models"
    text = (
        "Training spectra on whose labels a step of training would raise the loss of the tested answers most (against "
        "the answers), then those whose own gradient is greatest (against the rest: a step on them would lower their "
        "own loss most, since the rest of training speaks against their labels). Products of gradients "
        f"(doi:10.48550/arXiv.2002.08484), summed over {models}, by the last linear layer of the spectrum tower: only "
        "the vectors are differentiated, not the second look nor the prior. Wrong labels gather here; so do rare ones."
    )
    header = ("accession", "molecule", "list", "influence")
    return (
        "Training labels to look at",
        text,
        header,
        [(row["accession"], row["molecule"], row["list"], f"{row['influence']:.3g}") for row in harmful],
    )


def _hardest(hardest: Sequence[HardCase]) -> tuple[str, str, Sequence[str], Rows]:
    rows = [
        (
            one.query,
            f"{one.rank:.0f} of {one.n_candidates}" if math.isfinite(one.rank) else "miss",
            f"`{one.target_smiles}`",
            f"`{one.best_smiles}`",
            "" if math.isnan(one.tanimoto) else f"{one.tanimoto:.2f}",
            ", ".join(one.neighbours),
        )
        for one in hardest
    ]
    header = ("query", "rank", "answer", "stood first", "Tanimoto", "nearest training molecules")
    return "Hardest queries", "Wrong by the widest margin of score, one per molecule.", header, rows
