"""What the README of a frozen benchmark says: what is asked, of how many, and how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diptych.evaluation.wording import counted, repeated_line

_KINDS = {
    "formula": "structures of the target's formula",
    "mass": "structures within the mass window of the target",
    "measured": "measured molecules within the mass window of the target",
}
_ODD = (
    "spectra_without_list",
    "queries_without_candidates",
    "queries_with_one_candidate",
    "targets_missing_from_their_list",
    "duplicate_candidates_removed",
    "unparsed_candidates",
)


def readme_of(name: str, said: Mapping[str, Any]) -> str:
    """Return the README of a benchmark, as Markdown.

    Parameters
    ----------
    name
        Of its folder.
    said
        Content of ``benchmark.json``.
    """
    spectra, without = (counted(said[key], "spectrum", "spectra") for key in ("queries", "spectra_without_structure"))
    lines = [
        f"# {name}",
        "",
        f"{spectra} of {counted(said['query_molecules'], 'molecule is', 'molecules are')} asked. A query whose list "
        "lacks its target, or that a method cannot score, is a miss and stays in the denominator; ties count "
        "against the target.",
        "",
        f"- Source: {said.get('source', 'unknown')}; folds: {said.get('folds_by', 'as given')}.",
        f"- Spectra by fold: {', '.join(f'{fold} {n:,}' for fold, n in said['folds'].items())}.",
        f"- Left out before: {without} without a structure, {said['spectra_not_ms2']:,} that are not MS2.",
        *_repeated(said),
        "- Identity is the first block of the InChIKey after standardisation (largest fragment, neutralised, no "
        "stereo), the same for targets and candidates.",
        f"- Settings: {_settings(said)}.",
        f"- Digest of queries, lists and folds: `{said['digest']}`.",
        "",
        "| lists | what they hold | lists | mean length | median | " + " | ".join(_words(key) for key in _ODD) + " |",
        "|---" * (5 + len(_ODD)) + "|",
        *(
            _row(kind, counts, given=kind in said.get("candidates_sha256", ()))
            for kind, counts in said["lists"].items()
        ),
        "",
        "    diptych benchmark run FOLDER --ranker nearest_neighbours_20 --dataset DATASET -o RESULTS",
        "",
    ]
    return "\n".join(lines)


def _repeated(said: Mapping[str, Any]) -> list[str]:
    n = said.get("spectra_of_repeated_identifiers", 0)
    return [f"- {repeated_line(n, said['renamed_spectra'])}"] if n else []


def _settings(said: Mapping[str, Any]) -> str:
    settings = said.get("settings", {})
    return "; ".join(f"{_words(key)} {_said(value)}" for key, value in settings.items()) or "as given"


def _said(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


def _row(kind: str, counts: Mapping[str, Any], *, given: bool) -> str:
    cells = [
        kind,
        "as given" if given else _KINDS.get(kind, "as given"),
        f"{counts['lists']:,}",
        f"{counts['mean_length']:.1f}",
        str(counts["median_length"]),
        *(f"{counts.get(key, 0):,}" for key in _ODD),
    ]
    return f"| {' | '.join(cells)} |"


def _words(key: str) -> str:
    return key.replace("_", " ")
