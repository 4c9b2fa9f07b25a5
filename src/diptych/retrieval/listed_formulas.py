"""What a list of candidates tells of a spectrum: the formula, where all of them have the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from diptych.spectra.peak_formulas import with_formula

if TYPE_CHECKING:
    from diptych.ranking.query import CandidateList, Query
    from diptych.spectra.spectrum import Spectrum


def common_formula(candidates: CandidateList) -> str | None:
    """Return the formula that all candidates of a list have; None where they have several, or there are none."""
    formulas = {structure.formula for structure in candidates.structures}
    return formulas.pop() if len(formulas) == 1 else None


def asked_spectra(queries: Sequence[Query]) -> list[Spectrum]:
    """Return the spectra of queries, each with the formula that its list gives away and with no other.

    So a tower that takes formulas is told what anybody who holds the list knows, and never that of the answer.
    """
    lists = {id(query.candidates): query.candidates for query in queries}
    formulas = {key: common_formula(candidates) for key, candidates in lists.items()}
    return [with_formula(query.spectrum, formulas[id(query.candidates)]) for query in queries]
