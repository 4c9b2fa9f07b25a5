"""The text of README.md: tables of what ``run.py`` measured, settings of the trainings, and the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_METRICS = ("hit_rate@1", "hit_rate@5", "hit_rate@20", "mrr")
_RANKERS = (
    "nearest_neighbour",
    "nearest_neighbours_20",
    "spectral_entropy_neighbour",
    "spectral_entropy_neighbours_20",
)
_SCORERS = ("binned_cosine", "spectral_entropy")
_COMMANDS = """\
    python benchmarks/learned_similarities/export_spectra.py ../shared/data/massbank-2025.05.1.tar.xz \\
        ../shared/data/peer_benchmark -o learned/spectra.npz

    python3.11 -m venv venv-spec2vec
    venv-spec2vec/bin/pip install spec2vec==0.9.1 matchms==0.30.2
    PYTHONHASHSEED=0 venv-spec2vec/bin/python benchmarks/learned_similarities/train_spec2vec.py \\
        learned/spectra.npz -o learned/spec2vec.npz

    python3.11 -m venv venv-ms2deepscore
    venv-ms2deepscore/bin/pip install torch==2.13.0 ms2deepscore==2.11 onnxruntime
    venv-ms2deepscore/bin/python benchmarks/learned_similarities/train_ms2deepscore.py \\
        learned/spectra.npz -o learned/ms2deepscore.npz --processor-minutes 40

    python benchmarks/learned_similarities/run.py learned/spectra.npz ../shared/data/peer_benchmark \\
        learned/spec2vec.npz learned/ms2deepscore.npz

The same on any frozen benchmark: the folder of `diptych benchmark build` in place of the peers', its dataset in place
of the archive, then `diptych benchmark run FOLDER --vectors learned/spec2vec.npz --dataset DATASET ...`; on our own
scaffold split [vectors.md](../massbank/vectors.md) has both."""
_METHOD = """\
Spec2Vec (doi:10.1371/journal.pcbi.1008724) and MS2DeepScore (doi:10.1186/s13321-021-00558-4), each trained by its own
package on the training fold alone, with the settings below; none was chosen on the validation or the test fold. One
training each, of the size given below: lower bounds for these methods, not verdicts. A candidate's score is the
Tanimoto similarity (Morgan, radius 2, 4096 bits) to the molecule of the nearest training spectrum, or the mean of it
over the 20 nearest molecules, weighted by similarity; a negative cosine counts as 0."""
_METHODS = ("spec2vec", "ms2deepscore")
_SETTINGS = """\
Peaks below 0.001 of the most intense one are left out; nothing else is. Spec2Vec: words of two decimals; neutral losses
of 5 to 200 Da, which version 0.9 makes no longer and which are made here; the package's defaults (CBOW, 300
dimensions, window 500, 5 noise words, learning rate 0.025 less 0.00025 per epoch), 15 epochs, one thread; a spectrum is
the sum of its words, weighted by the square root of intensity. MS2DeepScore: the package's defaults (bins of 0.1 from
10 to 1000 Th, batches of 32 pairs, Adam at 0.00025, mean squared error) but for those named as smaller; training ends
when its processor time is spent."""


def to_markdown(report: Mapping[str, Any], *, rankers: Mapping[str, Any], searched: Mapping[str, Any]) -> str:
    """Return the page; ``rankers`` and ``searched`` are figures by name that were measured elsewhere."""
    lines = [
        "# Learned similarities between spectra: Spec2Vec and MS2DeepScore",
        "",
        _METHOD,
        "",
        *_absent(report["trainings"]),
        *_ranking(report, rankers),
        *_library_search(report, searched),
        *_trainings(report["trainings"]),
        "## Commands",
        "",
        "The two trainings have environments of their own, as their packages want other versions than Diptych does; "
        "the other commands run in that of Diptych. No file is pickled.",
        "",
        _COMMANDS,
        "",
        *_run_as(report),
    ]
    return "\n".join(lines)


def _run_as(report: Mapping[str, Any]) -> list[str]:
    if not report["learned_only"]:
        return []
    names = ", ".join(report["trainings"])
    return [f"The tables above are of the last command with `--learned-only` and the vectors of {names} alone.", ""]


def _absent(trainings: Mapping[str, Any]) -> list[str]:
    names = [name for name in _METHODS if name not in trainings]
    if not names:
        return []
    return [
        f"**Not measured yet: {', '.join(names)}.** There was no time for its training; the command below is untested.",
        "",
    ]


def _ranking(report: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    rows = [(name, metrics, report["less_reference"].get(name)) for name, metrics in report["rankers"].items()]
    rows += [
        (f"{name} \\*", others[name], None) for name in _RANKERS if name in others.keys() - report["rankers"].keys()
    ]
    rows.sort(key=lambda row: -row[1]["hit_rate@1"]["spectrum"])
    return [
        "## Candidate ranking, same formula, test fold",
        "",
        f"{report['n_queries']:,} spectra of {report['n_molecules']:,} molecules. % by spectrum, ties against the "
        f"target, 95 % intervals of a bootstrap over molecules ({report['n_bootstrap']:,} resamples). nearest_... is "
        "the cosine of binned spectra; the last column is paired.",
        "",
        "| ranker | @1 | @5 | @20 | MRR | @1 by molecule | @1 less nearest_neighbours_20 |",
        "|---|---|---|---|---|---|---|",
        *(_row([name, *_cells(metrics), _signed(difference)]) for name, metrics, difference in rows),
        "",
        "\\* of [rankers.md](../rankers.md), 10,000 resamples.",
        "",
    ]


def _cells(metrics: Mapping[str, Any]) -> list[str]:
    cells = [_with_interval(metrics[name]["spectrum"], metrics[name]) for name in _METRICS]
    return [*cells, f"{100 * metrics[_METRICS[0]]['molecule']:.1f}"]


def _library_search(report: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    searched = dict(report["library_search"])
    first = next(iter(searched.values()))
    searched |= {f"{name} \\*": others[name] for name in _SCORERS if name not in searched and name in others}
    return [
        "## Library search, hard library",
        "",
        f"Top 1 with its 95 % interval over molecules / top 5 / top 10 in %, {report['n_references']:,} references, "
        "queries asked in brackets. Only references of the query's adduct compete.",
        "",
        _row(["scorer", *(f"{form} ({figures['queries']})" for form, figures in first.items())]),
        _row(["---"] * (len(first) + 1)),
        *(_row([name, *map(_search_cell, forms.values())]) for name, forms in searched.items()),
        "",
        *(["\\* of [library_search.md](../library_search.md).", ""] if any("*" in name for name in searched) else []),
    ]


def _search_cell(figures: Mapping[str, Any]) -> str:
    rates = [figures[f"hit_rate@{k}"] for k in (1, 5, 10)]
    if not isinstance(rates[0], Mapping):
        return " / ".join(f"{100 * rate:.1f}" for rate in rates)
    first = _with_interval(rates[0]["value"], rates[0])
    return " / ".join([first, *(f"{100 * rate['value']:.1f}" for rate in rates[1:])])


def _trainings(trainings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["## Trainings", "", _SETTINGS, ""]
    for name, said in trainings.items():
        settings = "; ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in said.items())
        lines += [f"- **{name}**: {settings}."]
    return [*lines, ""]


def _value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _with_interval(value: float, ends: Mapping[str, float]) -> str:
    return f"{100 * value:.1f} ({100 * ends['low']:.1f} to {100 * ends['high']:.1f})"


def _signed(difference: Mapping[str, float] | None) -> str:
    if difference is None:
        return ""
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * difference[key] for key in ("value", "low", "high")))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
