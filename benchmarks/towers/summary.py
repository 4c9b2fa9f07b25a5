"""The table of all presets from their results: mean over seeds, with the spread.

    python benchmarks/towers/summary.py benchmarks/towers/results

Written: ``benchmarks/towers/README.md``, at its end ``notes.md``, and ``benchmarks/towers/summary.json`` (``--output``
names another folder).
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from diptych.files import replacing

LISTS = {
    "formula": "Same-formula lists",
    "measured": "Lists of measured molecules of the same formula",
    "mass": "Lists within 10 ppm",
}
_METRICS = ("hit_rate@1", "hit_rate@5", "hit_rate@20", "mrr")
_SEARCH = ("open", "10 ppm", "10 ppm, with a competitor", "10 ppm, with a competitor, other origin")
_NEIGHBOURS = "nearest_neighbours_20"
_WITH_EVIDENCE = "with_match_evidence"
Value = float | None


def read_results(folder: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return fold -> name -> results of its seeds."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(result["fold"], {}).setdefault(result["name"], []).append(result)
    return found


def at(result: Mapping[str, Any], *keys: str) -> Value:
    """Return a value deep inside a result; None where it was not measured."""
    value: Any = result
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def spread(results: Iterable[Mapping[str, Any]], *keys: str) -> dict[str, Any] | None:
    """Return mean and sample standard deviation of a value over seeds; None where it was not measured."""
    values = [value for value in (at(result, *keys) for result in results) if value is not None]
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "deviation": deviation, "seeds": len(values)}


def summarised(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of one preset over its seeds."""
    ranking = {kind: _ranking_figures(results, "ranking", kind) for kind in LISTS}
    search = {
        form: {k: spread(results, "library_search", "model", form, k) for k in ("hit_rate@1", "hit_rate@5")}
        | {
            said: spread(results, "library_search", scorer, form, "hit_rate@1")
            for said, scorer in (("blind", "spectrum_blind"), (_WITH_EVIDENCE, _WITH_EVIDENCE))
        }
        for form in _SEARCH
    }
    return {
        "ranking": ranking,
        "measured_without_prior": _ranking_figures(results, "ranking", "measured", "without_prior"),
        "consensus": spread(results, "consensus", "metrics", "hit_rate@1", "spectrum"),
        "zero_shot": spread(results, "zero_shot", "metrics", "hit_rate@1", "spectrum"),
        "zero_shot_blind": spread(results, "zero_shot", "controls", "spectrum_blind", "hit_rate@1", "spectrum"),
        "few_shot": spread(results, "few_shot", "model", "accuracy"),
        "few_shot_blind": spread(results, "few_shot", "spectrum_blind", "accuracy"),
        "library_search": search,
        "parameters": spread(results, "parameters", "total"),
        "epochs": spread(results, "training", "epochs"),
        "last_validation": {
            metric: spread(results, "training", "last_validation", f"val_{metric}") for metric in _METRICS
        },
        "training_seconds": spread(results, "training", "seconds"),
        "share_waiting_for_data": spread(results, "training", "share_waiting_for_data"),
        "spectra_per_second": spread(results, "speed", "spectra_per_second"),
        "structures_per_second": spread(results, "speed", "structures_per_second"),
        "seeds": [result["seed"] for result in results],
    }


def _ranking_figures(results: Sequence[Mapping[str, Any]], *keys: str) -> dict[str, Any]:
    """Return what is said of one kind of list."""
    return {
        **{metric: spread(results, *keys, "metrics", metric, "spectrum") for metric in _METRICS},
        "hit_rate@1 by molecule": spread(results, *keys, "metrics", "hit_rate@1", "molecule"),
        "low": spread(results, *keys, "metrics", "hit_rate@1", "low"),
        "high": spread(results, *keys, "metrics", "hit_rate@1", "high"),
        "blind": spread(results, *keys, "controls", "spectrum_blind", "hit_rate@1", "spectrum"),
        "above_blind": spread(results, *keys, "above_controls", "spectrum_blind", "value"),
        "above_neighbours": spread(results, *keys, "above_controls", _NEIGHBOURS, "value"),
    }


def to_markdown(summary: Mapping[str, Any], results: Mapping[str, Any], *, command: str) -> str:
    """Return every table of every fold."""
    lines = [
        "# Every preset on the peer benchmark",
        "",
        "Trained on the training fold of the peer benchmark (scaffold-disjoint), no structure of its lists as a "
        "negative unless it is a training molecule itself. Mean over seeds ± sample standard deviation; in % unless "
        "said otherwise. Ties count against the target, queries with one candidate are left out. *Blind* is the same "
        "model asked without peaks. Decoys of the "
        "measured lists may be molecules of the training fold, which draw the nearest neighbours to themselves; decoys "
        "of the 10 ppm lists may have been negatives in training, those of the same-formula lists were so only where "
        "they are training molecules. *Without prior*: what the model says without peaks is taken off (`--prior 0`), "
        "for lists of training molecules. "
        "*With match evidence*: the evidence of peaks, instruments and energies that two spectra are of one molecule, "
        "plus 4 times the cosine of the vectors, plus 4 times the match of the precursors (one at equal m/z, 5 ppm "
        "standard deviation); the weights were chosen on the validation fold. Rankings are with the second look where "
        "a model has one; zero-shot and consensus are of its vectors alone.",
        "",
    ]
    for fold, presets in summary.items():
        first = next((result for group in results[fold].values() for result in group if "ranking" in result), None)
        lines += [f"## Fold {fold}", ""]
        for kind, title in LISTS.items() if first else ():
            lines += _ranking_table(title, kind, presets, first)
        lines += _identification_table(presets) + _search_table(presets, results[fold]) + _cost_table(presets)
    every = [result for presets in results.values() for group in presets.values() for result in group]
    example = min((result["made"]["command"] for result in every if result["preset"]), key=len)
    return "\n".join([*lines, "Each row by a command such as", "", f"    {example}", f"    {command}", ""])


def _ranking_table(title: str, kind: str, presets: Mapping[str, Any], first: Mapping[str, Any]) -> list[str]:
    asked = first["ranking"][kind]
    neighbours = [at(asked, "controls", _NEIGHBOURS, metric, "spectrum") for metric in _METRICS]
    said = (
        f"{asked['queries']:,} spectra of {asked['molecules']:,} molecules have at least two candidates, "
        f"{asked['list_length']:.0f} on average; {asked['counts']['queries_left_out_for_short_lists']:,} have not."
    )
    columns = (
        "preset",
        "@1",
        "@5",
        "@20",
        "MRR",
        "@1, 95 % over molecules",
        "blind @1",
        "above blind",
        "above 20 neighbours",
    )
    rows = []
    for name, row in _rows_of(kind, presets):
        interval = f"{_cell(row['low'])} to {_cell(row['high'])}" if row["low"] else "-"
        numbers = [_cell(row[metric]) for metric in _METRICS]
        rows.append(
            [name, *numbers, interval, *(_cell(row[key]) for key in ("blind", "above_blind", "above_neighbours"))]
        )
    rows.append(["*20 nearest neighbours*", *(_percent(value) for value in neighbours), "", "", "", ""])
    return [f"### {title}", "", said, "", *_table(columns, rows), ""]


def _rows_of(kind: str, presets: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a kind of list; measured molecules are ranked without the model's prior, too."""
    for name, figures in presets.items():
        yield name, figures["ranking"][kind]
        freed = figures["measured_without_prior"]
        if kind == "measured" and freed["hit_rate@1"]:
            yield f"{name}, without prior", freed


def _identification_table(presets: Mapping[str, Any]) -> list[str]:
    columns = ("preset", "256-way zero-shot", "blind", "5-way 5-shot", "blind", "consensus of 8 spectra, formula lists")
    keys = ("zero_shot", "zero_shot_blind", "few_shot", "few_shot_blind", "consensus")
    rows = [[name, *(_cell(figures[key]) for key in keys)] for name, figures in presets.items()]
    return ["### Zero-shot, few-shot, consensus", "", *_table(columns, rows), ""]


def _search_table(presets: Mapping[str, Any], results: Mapping[str, Any]) -> list[str]:
    search = next(iter(results.values()))[0]["library_search"]
    asked = [search["model"][form]["queries"] for form in _SEARCH]
    columns = ("preset", *(f"{form} ({n})" for form, n in zip(_SEARCH, asked, strict=True)), "blind, with a competitor")
    rows = []
    for name, figures in presets.items():
        found = figures["library_search"]
        blind = _cell(found[_SEARCH[2]]["blind"])
        rows.append([name, *(_cell(found[form]["hit_rate@1"]) for form in _SEARCH), blind])
        if found[_SEARCH[0]][_WITH_EVIDENCE]:
            rows.append([f"{name}, with match evidence", *(_cell(found[form][_WITH_EVIDENCE]) for form in _SEARCH), ""])
    said = (
        f"Top 1 of {search['queries']:,} queries among {search['references']:,} references; queries asked in brackets."
    )
    return ["### Library search", "", said, "", *_table(columns, rows), ""]


def _cost_table(presets: Mapping[str, Any]) -> list[str]:
    columns = (
        "preset",
        "seeds",
        "parameters (M)",
        "epochs",
        "training (s)",
        "waiting for data",
        "spectra/s",
        "structures/s",
    )
    rows = [
        [
            name,
            ", ".join(map(str, figures["seeds"])),
            _mean(figures["parameters"], lambda value: f"{value / 1e6:.2f}"),
            _mean(figures["epochs"], lambda value: f"{value:.0f}"),
            _mean(figures["training_seconds"], lambda value: f"{value:,.0f}"),
            _mean(figures["share_waiting_for_data"], lambda value: f"{100 * value:.0f} %"),
            _mean(figures["spectra_per_second"], lambda value: f"{value:,.0f}"),
            _mean(figures["structures_per_second"], lambda value: f"{value:,.0f}"),
        ]
        for name, figures in presets.items()
    ]
    return ["### Size and speed", "", *_table(columns, rows), ""]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _percent(value: Value) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _cell(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "-"
    shown = _percent(figure["mean"])
    return shown if figure["deviation"] is None else f"{shown} ± {_percent(figure['deviation'])}"


def _mean(figure: Mapping[str, Any] | None, shown: Callable[[float], str]) -> str:
    return "-" if figure is None else shown(figure["mean"])


def main(argv: Sequence[str] | None = None) -> None:
    """Write the summary from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", "-o", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args(argv)
    results = read_results(arguments.results)
    if not results:
        parser.error(f"{arguments.results}: no results; expected files that run.py writes")
    summary = {fold: {name: summarised(group) for name, group in presets.items()} for fold, presets in results.items()}
    text = to_markdown(summary, results, command=f"python {shlex.join(sys.argv)}")
    notes = Path(__file__).parent / "notes.md"
    if notes.is_file():
        text += "\n" + notes.read_text(encoding="utf-8")
    for name, content in (("README.md", text), ("summary.json", json.dumps(summary, indent=1) + "\n")):
        with replacing(arguments.output / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
