"""Generalisation: folds that hold out a laboratory, an instrument or an adduct, and the ladder of splits as a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from diptych.data.splits import Fractions, molecule_folds
from diptych.errors import EvaluationError
from diptych.evaluation.benchmark.run import metric_cell

if TYPE_CHECKING:
    from diptych.data.dataset import Dataset
    from diptych.data.splits import Fold
    from diptych.evaluation.evaluation import Evaluation

HELD_OUT_COLUMNS = ("contributor", "instrument_class", "polarity", "adduct")
_VALIDATION = 0.1


def held_out_folds(
    dataset: Dataset, *, column: str, values: Collection[str], base: str | None = None, seed: int = 0
) -> list[Fold]:
    """Return the fold of each spectrum: those measured in one way are tested, those of other ways are trained on.

    Parameters
    ----------
    dataset
        Columns suffice, see `read_without_peaks`.
    column
        ``contributor``, ``instrument_class``, ``polarity`` or ``adduct``, or any other column of text.
    values
        What is held out: the test spectra have one of these values, those of train and val none of them.
    base
        Name of a split of the dataset: test, train and val spectra are of its folds of the same name, so that the
        molecules (scaffolds) are new, too. None: molecules that were measured in the held-out way are not trained on,
        and a tenth of the others is val.
    seed
        Of that tenth.

    Returns
    -------
    list
        "train", "val", "test" or "none", one per spectrum in the order of the dataset.

    Raises
    ------
    EvaluationError
        No spectrum would be tested, or none trained on.
    DatasetError
        There is no such column or split.
    """
    held_out = [value in values for value in dataset.column(column).astype(str)]
    blocks = [str(block) for block in dataset.column("inchikey_first_block")]
    if base is None:
        by_row = _molecules_apart(blocks, held_out, seed=seed)
    else:
        by_row = [
            fold if fold != "none" and (fold == "test") == away else "none"
            for fold, away in zip(dataset.column(f"fold_{base}"), held_out, strict=True)
        ]
    if not {"train", "test"} <= set(by_row):
        present = sorted(set(dataset.column(column).astype(str)))
        raise EvaluationError(
            f"holding out {column} {', '.join(sorted(values))} leaves {by_row.count('test')} spectra to test and "
            f"{by_row.count('train')} to train on; expected some of both; it has {', '.join(present[:20])}"
        )
    return by_row


def _molecules_apart(blocks: Sequence[str], held_out: Sequence[bool], *, seed: int) -> list[Fold]:
    tested = {block for block, away in zip(blocks, held_out, strict=True) if away}
    folds = molecule_folds(
        set(blocks) - tested, fractions=Fractions(train=1 - _VALIDATION, val=_VALIDATION, test=0.0), seed=seed
    )
    return ["test" if away else folds.get(block, "none") for block, away in zip(blocks, held_out, strict=True)]


def leave_one_out(
    dataset: Dataset, *, column: str, base: str | None = None, seed: int = 0, min_spectra: int = 100
) -> dict[str, list[Fold]]:
    """Return the folds that hold each value of a column out in turn.

    Parameters
    ----------
    dataset, column, base, seed
        See `held_out_folds`.
    min_spectra
        Values with fewer test spectra are left out.
    """
    folds = {}
    for value in sorted(set(dataset.column(column).astype(str)) - {"", "None"}):
        try:
            by_row = held_out_folds(dataset, column=column, values=[value], base=base, seed=seed)
        except EvaluationError:  # nothing is left to test or to train on: no such rung
            continue
        if by_row.count("test") >= min_spectra:
            folds[value] = by_row
    return folds


def ladder_lines(rungs: Mapping[str, Evaluation], *, metric: str = "hit_rate@1") -> list[str]:
    """Return a Markdown table of one metric over several splits, with the controls of each beside it.

    Parameters
    ----------
    rungs
        Name of the split -> evaluation on it, the easiest first.
    metric
        Which.

    Raises
    ------
    EvaluationError
        There is no rung, or one of them has no such metric.
    """
    if not rungs:
        raise EvaluationError("a ladder of no splits; expected the reports of some")
    for name, rung in rungs.items():
        if metric not in rung.metrics:
            raise EvaluationError(f"split {name!r}: no metric {metric!r}; expected one of {', '.join(rung.metrics)}")
    controls = list(dict.fromkeys(answers.ranker for rung in rungs.values() for answers in rung.controls))
    lines = [
        f"{metric} in %, by spectrum, with the 95 % interval over molecules.",
        "",
        f"| split | queries | molecules | method | {metric} | {' | '.join(controls)} |".replace("|  |", "|"),
        "|---" * (5 + len(controls)) + "|",
    ]
    for name, rung in rungs.items():
        by_control = {answers.ranker: rung.metrics_of(answers)[metric] for answers in rung.controls}
        shown = [metric_cell(by_control[control]) if control in by_control else "" for control in controls]
        cells = [name, f"{len(rung.queries):,}", f"{rung.n_molecules:,}", rung.model, metric_cell(rung.metrics[metric])]
        lines.append(f"| {' | '.join([*cells, *shown])} |")
    return lines
