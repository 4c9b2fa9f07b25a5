"""Protocols without candidate lists, each with its table: library search, and re-identification by a few spectra."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.evaluation.protocols.few_shot import few_shot
from diptych.evaluation.protocols.library_search import FORMS, OTHER_INSTRUMENT, RIVALLED
from diptych.evaluation.protocols.repeated_search import RepeatedSearch, repeated_search
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.ranking.peak_features import PeakVocabulary

if TYPE_CHECKING:
    from diptych.ranking.spectrum_scorers import SpectrumScorer
    from diptych.spectra.spectrum import Spectrum

SEARCH_KS = (1, 5, 10)
_COUNTS = ("queries", "left_out", "conformal_tested")
_NOTES = {
    "few-shot": "Accuracy with its 95 % interval over molecules, and chance, in %.",
    "library-search": "Hit rates in %, mean and standard deviation over ten draws of the replicate that is asked.",
    "answer-absent": "In %: AUROC of lists with their answer against the same without it, by the best score with its "
    "95 % interval over molecules and by probability; area under risk and coverage; calibration error; conformal sets "
    "at an error rate of 10 % that hold the answer or are empty, with deviations over splits. Sizes are numbers of "
    "candidates.",
}
_SIZES = ("_size", "_size_deviation")
_BY_FORM = ("without_own_reference", "without_competitor", "misses")


def search_scorers(names: Sequence[str]) -> list[SpectrumScorer]:
    """Return spectrum scorers by name.

    Raises
    ------
    EvaluationError
        There is no such scorer.
    """
    from diptych.errors import EvaluationError
    from diptych.ranking.match_evidence import MatchEvidenceScorer
    from diptych.ranking.modified_cosine import ModifiedCosineScorer
    from diptych.ranking.peak_matching import CosineScorer, SpectralEntropyScorer
    from diptych.ranking.spectrum_scorers import BinnedCosineScorer, PrecursorScorer

    scorers: list[SpectrumScorer] = [
        PrecursorScorer(),
        BinnedCosineScorer(),
        CosineScorer(),
        ModifiedCosineScorer(),
        SpectralEntropyScorer(),
        MatchEvidenceScorer(),
    ]
    by_name = {scorer.name: scorer for scorer in scorers}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise EvaluationError(f"no spectrum scorer {unknown[0]!r}; expected one of {', '.join(by_name)}")
    return [by_name[name] for name in names]


def library_search_table(
    scorers: Sequence[SpectrumScorer],
    spectra: SearchableSpectra,
    *,
    rows: NDArray[np.int64] | None = None,
    n_splits: int = 10,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return hit rates of library search over repeated splits, one row per scorer and form.

    The forms are those of `FORMS`, then own references of another instrument class alone, then the third form by the
    instrument class of the query.

    Parameters
    ----------
    scorers
        Who is asked.
    spectra
        Queries and references.
    rows
        Of the spectra that may be queries; None for all.
    n_splits, seed
        How often, and from where, one replicate of each molecule and adduct is drawn as the query.

    Returns
    -------
    list of dicts
        ``scorer``, ``form``, ``n_queries`` (mean of the splits), for every k ``hit_rate@k`` with ``mean`` and
        ``deviation`` (None where unknown), and as ``counts`` the means of what the splits count, see
        `SearchAnswers`, and ``spectra_without_replicate``, which are no query in any.
    """
    table = []
    forms = (*FORMS, OTHER_INSTRUMENT)
    for scorer in scorers:
        searches = repeated_search(scorer, spectra, rows=rows, forms=forms, n_splits=n_splits, seed=seed)
        by_class = searches[forms.index(RIVALLED)].by_group(spectra.instrument_classes)
        table += [_search_row(scorer.name, found) for found in (*searches, *by_class.values())]
    return table


def _search_row(scorer: str, found: RepeatedSearch) -> dict[str, Any]:
    rates = {k: found.hit_rate_at(k) for k in SEARCH_KS}
    return {
        "scorer": scorer,
        "form": found.form.name,
        "n_queries": rates[1].n_queries,
        **{
            f"hit_rate@{k}": {"mean": _known(rate.mean), "deviation": _known(rate.deviation)}
            for k, rate in rates.items()
        },
        "counts": {"spectra_without_replicate": found.n_without_replicate, **found.mean_counts},
    }


def search_count_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return for each scorer of a table of library search a line of what it left out or missed: means of the splits."""
    lines = []
    for scorer in dict.fromkeys(row["scorer"] for row in rows):
        counted = {row["form"]: row["counts"] for row in rows if row["scorer"] == scorer}
        first = next(iter(counted.values()))
        by_form = [
            f"{form} {', '.join(_count(found[name]) for name in _BY_FORM)}"
            for form, found in counted.items()
            if all(name in found for name in _BY_FORM)
        ]
        given = "query" if first["queries_given"] == 1 else "queries"
        alone = "spectrum" if first["spectra_without_replicate"] == 1 else "spectra"
        lines.append(
            f"{scorer}: {_count(first['queries_given'])} {given} given, {_count(first['spectra_without_replicate'])} "
            f"{alone} without a replicate; {', '.join(name.replace('_', ' ') for name in _BY_FORM)}: "
            f"{'; '.join(by_form)}"
        )
    return lines


def few_shot_table(
    vectors: Mapping[str, NDArray[np.floating]],
    molecules: Sequence[str],
    *,
    shapes: Sequence[tuple[int, int]] = ((5, 1), (5, 5), (20, 1), (20, 5)),
    n_episodes: int = 2000,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return the accuracy of N-way K-shot re-identification, one row per method and shape, all of the same episodes.

    A shape that too few molecules have the spectra for has rows without an accuracy.

    Parameters
    ----------
    vectors
        Method -> vectors of shape (n_spectra, dim). A spectrum to which any method gives no vector (NaN, or of length
        0) is left out for all, and counted.
    molecules
        First block of each spectrum.
    shapes
        (N, K) pairs.
    n_episodes, n_bootstrap, seed
        Episodes of each shape; of the interval over molecules.

    Raises
    ------
    EvaluationError
        There are too few molecules for any of the shapes.
    """
    usable = np.ones(len(molecules), dtype=bool)
    for table in vectors.values():
        length = np.linalg.norm(table, axis=1)
        usable &= np.isfinite(length) & (length > 0)
    named = [block for block, kept in zip(molecules, usable, strict=True) if kept]
    n_spectra = Counter(named).values()
    eligible = {k_shot: sum(n > k_shot for n in n_spectra) for _, k_shot in shapes}
    is_unasked = {(n_way, k_shot): eligible[k_shot] < n_way for n_way, k_shot in shapes}
    if all(is_unasked.values()):
        is_unasked[shapes[0]] = False  # which says what is missing

    def accuracy(found: NDArray[np.floating], n_way: int, k_shot: int) -> dict[str, float | None]:
        answers = few_shot(found, named, n_way=n_way, k_shot=k_shot, n_episodes=n_episodes, seed=seed)
        low, high = answers.interval(n_bootstrap=n_bootstrap, seed=seed)
        return {"accuracy": answers.accuracy, "low": _known(low), "high": _known(high)}

    return [
        {
            "method": name,
            "n_way": n_way,
            "k_shot": k_shot,
            **({"accuracy": None, "low": None, "high": None} if unasked else accuracy(table[usable], n_way, k_shot)),
            "chance": 1 / n_way,
            "n_episodes": 0 if unasked else n_episodes,
            "n_eligible_molecules": eligible[k_shot],
            "n_spectra_left_out": int((~usable).sum()),
        }
        for (n_way, k_shot), unasked in is_unasked.items()
        for name, table in vectors.items()
    ]


def binned_vectors(spectra: Sequence[Spectrum], molecules: Sequence[str]) -> NDArray[np.float32]:
    """Return the peaks and neutral losses of spectra as dense vectors: the baseline of re-identification."""
    numbers = np.unique(np.asarray(molecules, dtype=str), return_inverse=True)[1].astype(np.int64)
    vectors: NDArray[np.float32] = PeakVocabulary.of(spectra, numbers, n_columns=2048)(spectra).toarray()
    return vectors


def table_note(protocol: str) -> str:
    """Return what the numbers of a protocol's table are; empty where its columns say it."""
    return _NOTES.get(protocol, "")


def table_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows of one shape as a Markdown table: rates in %, of dicts mean and deviation.

    Numbers of queries and the like stay numbers; the dict ``counts`` is left out.
    """
    names = [name for name in rows[0] if name != "counts"]
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * len(names) + "|"]
    return lines + [f"| {' | '.join(_shown(row[name], name) for name in names)} |" for row in rows]


def _shown(value: object, name: str) -> str:
    if isinstance(value, Mapping):
        mean, deviation = value["mean"], value["deviation"]
        shown = "" if mean is None else f"{100 * mean:.1f}"
        return shown if deviation is None else f"{shown} ± {100 * deviation:.1f}"
    if isinstance(value, float) and name.endswith(_SIZES):
        return f"{value:.1f}"
    if isinstance(value, float) and (name.startswith("n_") or name in _COUNTS):
        return _count(value)
    if isinstance(value, float):
        return f"{100 * value:.1f}" if value <= 1 else f"{value:.0f}"
    return "" if value is None else str(value)


def _count(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:.1f}"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
