import math
from dataclasses import dataclass

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.protocols.library_search import FORMS, OTHER_INSTRUMENT, SearchForm, search, search_splits
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.evaluation.questions.known import KnownSpectra
from diptych.ranking import CosineScorer, PrecursorScorer
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

OPEN, NARROW, RIVALLED, FOREIGN = FORMS


@dataclass(frozen=True)
class Told:
    """Scores as they were told, in blocks of one query."""

    table: list[list[float]]
    name: str = "told"

    def scores(self, queries, references):
        for row in self.table:
            yield np.array([row])


def searchable(
    molecules: str,
    *,
    precursors: list[float] | None = None,
    origins: str | None = None,
    adducts: list[str] | None = None,
) -> SearchableSpectra:
    precursors = precursors or [100.0] * len(molecules)
    adducts = adducts or ["[M+H]+"] * len(molecules)
    spectra = [
        Spectrum.from_peaks([50.0], [1.0], precursor_mz=mz, adduct=Adduct.parse(adduct))
        for mz, adduct in zip(precursors, adducts, strict=True)
    ]
    return SearchableSpectra(spectra=spectra, molecules=list(molecules), origins=list(origins or "x" * len(molecules)))


def ranks(spectra: SearchableSpectra, scores: list[float], *, form: SearchForm = OPEN) -> list[float]:
    """Return the rank, if asked, of the first spectrum against all others."""
    (answers,) = search(Told([scores]), spectra, queries=[0], references=range(1, len(spectra)), forms=[form])
    return answers.ranks.tolist()


def test_the_best_own_reference_counts_and_ties_stand_above_it():
    assert ranks(searchable("AABAC"), [0.1, 0.9, 0.8, 0.7]) == [2]
    assert ranks(searchable("AABAC"), [0.1, 0.8, 0.8, 0.7]) == [2]
    assert ranks(searchable("AABBC"), [0.5, 0.5, 0.5, 0.5]) == [4]


def test_own_references_of_another_instrument_class_count_alone():
    kinds = {"F": "LC-ESI-QFT", "T": "LC-ESI-QTOF", "?": None}

    def of(instruments: str) -> SearchableSpectra:
        spectra = searchable("AAABB")
        measured = [
            s.with_changes(instrument_type=kinds[kind]) for s, kind in zip(spectra.spectra, instruments, strict=True)
        ]
        return SearchableSpectra(spectra=measured, molecules=spectra.molecules, origins=spectra.origins)

    assert of("FTF?T").instrument_classes == ("FT", "TOF", "FT", "", "TOF")
    # The own reference of the same class scores 0.9, the one of another 0.5, below one competitor.
    assert ranks(of("FTFTF"), [0.5, 0.9, 0.6, 0.4], form=OTHER_INSTRUMENT) == [2]
    assert ranks(of("FTFTF"), [0.5, 0.9, 0.6, 0.4], form=RIVALLED) == [1]
    assert ranks(of("FFFTF"), [0.5, 0.9, 0.6, 0.4], form=OTHER_INSTRUMENT) == []
    assert ranks(of("?TFTF"), [0.5, 0.9, 0.6, 0.4], form=OTHER_INSTRUMENT) == []
    assert ranks(of("F?FTF"), [0.5, 0.9, 0.6, 0.4], form=OTHER_INSTRUMENT) == []


def test_answers_are_told_apart_by_group():
    (answers,) = search(
        Told([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]),
        searchable("ABAAB"),
        queries=[0, 1, 2],
        references=[3, 4],
        forms=[OPEN],
    )
    assert answers.ranks.tolist() == [1, 2, 1]
    by_group = answers.by_group(["TOF", "FT", "FT", "none", "none"])
    assert list(by_group) == ["FT", "TOF"]
    assert by_group["FT"].asked.tolist() == [1, 2]
    assert by_group["FT"].ranks.tolist() == [2, 1]
    assert by_group["FT"].hit_rate_at(1) == 0.5
    assert by_group["TOF"].counts == {"queries_given": 1, "misses": 0}


def test_another_adduct_does_not_compete():
    adducts = ["[M+H]+", "[M+H]+", "[M+Na]+", "[M+H]+"]
    assert ranks(searchable("AABC", adducts=adducts), [0.5, 0.9, 0.6]) == [2]


def test_a_window_leaves_far_references_out_on_both_sides():
    # 10 ppm of 500 are 0.005.
    spectra = searchable("AABC", precursors=[500.0, 500.004, 499.9945, 500.0049])
    assert ranks(spectra, [0.5, 0.9, 0.9]) == [3]
    assert ranks(spectra, [0.5, 0.9, 0.9], form=NARROW) == [2]


def by_others(molecules: str, precursors: list[float]) -> SearchableSpectra:
    """Return spectra of which the first is of another origin and class of instrument than all others."""
    spectra = searchable(molecules, precursors=precursors, origins="x" + "y" * (len(molecules) - 1))
    kinds = ["LC-ESI-QFT", *["LC-ESI-QTOF"] * (len(molecules) - 1)]
    measured = [one.with_changes(instrument_type=kind) for one, kind in zip(spectra.spectra, kinds, strict=True)]
    return SearchableSpectra(spectra=measured, molecules=spectra.molecules, origins=spectra.origins)


@pytest.mark.parametrize("form", [*FORMS[1:], OTHER_INSTRUMENT], ids=lambda form: form.name)
def test_every_form_but_the_open_one_looks_ten_ppm_far(form: SearchForm):
    inside, outside = by_others("AAB", [500.0, 500.00499, 500.0]), by_others("AAB", [500.0, 500.00501, 500.0])
    assert (ranks(inside, [0.9, 0.1], form=form), ranks(outside, [0.9, 0.1], form=form)) == ([1], [math.inf])


@pytest.mark.parametrize("form", [RIVALLED, FOREIGN, OTHER_INSTRUMENT], ids=lambda form: form.name)
def test_forms_with_a_competitor_leave_out_queries_without_any(form: SearchForm):
    assert ranks(by_others("AAB", [500.0, 500.0, 600.0]), [0.9, 0.1], form=form) == []
    assert ranks(by_others("AAB", [500.0, 500.0, 500.0]), [0.9, 0.1], form=form) == [1]


def test_own_references_that_all_lie_outside_the_window_are_a_miss():
    spectra = searchable("AAB", precursors=[500.0, 500.1, 500.0])
    (answers,) = search(Told([[1.0, 0.0]]), spectra, queries=[0], references=[1, 2], forms=[NARROW])
    assert answers.ranks.tolist() == [math.inf]
    assert answers.counts == {"queries_given": 1, "without_own_reference": 0, "without_competitor": 0, "misses": 1}


def test_only_queries_with_a_competitor_in_the_window_are_asked():
    alone = searchable("AAB", precursors=[500.0, 500.0, 500.1])
    assert ranks(alone, [0.9, 0.1], form=RIVALLED) == []
    assert ranks(alone, [0.9, 0.1], form=NARROW) == [1]
    assert ranks(searchable("AAB"), [0.9, 0.1], form=RIVALLED) == [1]


def test_own_references_must_be_of_another_origin():
    # The own reference of the query's origin scores best, the foreign one third.
    assert ranks(searchable("AAABB", origins="xxyxx"), [0.9, 0.5, 0.8, 0.6], form=FOREIGN) == [3]
    assert ranks(searchable("AAABB", origins="xxxyy"), [0.9, 0.5, 0.8, 0.6], form=FOREIGN) == []


@pytest.mark.parametrize("origins", ["x  ", " xx"])
def test_an_unknown_origin_is_not_taken_for_another(origins: str):
    spectra = SearchableSpectra(
        spectra=searchable("AAB").spectra, molecules=list("AAB"), origins=[origin.strip() for origin in origins]
    )
    assert ranks(spectra, [0.9, 0.1], form=FOREIGN) == []


@pytest.mark.parametrize("none", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_below_every_number(none: float):
    assert ranks(searchable("AABC"), [0.1, none, 0.0]) == [1]
    assert ranks(searchable("AABC"), [none, 0.1, 0.0]) == [math.inf]


def test_hit_rates_of_several_queries_and_of_none():
    spectra = searchable("ABABC")
    told = Told([[0.9, 0.1, 0.2], [0.9, 0.8, 0.1]])
    (answers,) = search(told, spectra, queries=[0, 1], references=[2, 3, 4], forms=[OPEN])
    assert answers.ranks.tolist() == [1, 2]
    assert (answers.hit_rate_at(1), answers.hit_rate_at(5)) == (0.5, 1)
    (none,) = search(told, spectra, queries=[0, 1], references=[2, 3, 4], forms=[FOREIGN])
    assert math.isnan(none.hit_rate_at(1))
    assert none.counts["without_own_reference"] == 2


def test_a_query_without_any_own_reference_is_missed_and_counted():
    (answers,) = search(Told([[0.5]]), searchable("AB"), queries=[0], references=[1], forms=[OPEN])
    assert (answers.ranks.tolist(), answers.counts["without_own_reference"]) == ([math.inf], 1)


def test_the_precursor_alone_finds_what_is_alone_at_its_mass():
    spectra = searchable("AABB", precursors=[500.0, 500.001, 500.001, 600.0])
    open_answers, *_ = search(PrecursorScorer(), spectra, queries=[0, 3], references=[1, 2])
    assert open_answers.ranks.tolist() == [2, 2]
    cosine, *_ = search(CosineScorer(), spectra, queries=[0], references=[1, 3])
    assert cosine.ranks.tolist() == [2]


@pytest.mark.parametrize(
    ("origin", "expected"), [("contributor", ["Lab", ""]), ("instrument_class", ["FT", ""])], ids=["lab", "class"]
)
def test_origins_come_from_the_metadata(origin: str, expected: list[str]):
    metadata = {"smiles": "CCO", "contributor": "Lab"}
    known = KnownSpectra.from_metadata(
        [
            Spectrum.from_peaks([50.0], [1.0], instrument_type="LC-ESI-QFT", metadata=metadata),
            Spectrum.from_peaks([50.0], [1.0], metadata={"smiles": "CCO"}),
        ]
    )
    spectra = SearchableSpectra.from_known(known.spectra, origin=origin)
    assert spectra.origins == expected
    assert spectra.molecules == ["LFQSCWFLJHTTHZ"] * 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0.1]], r"scores of shape \(1, 1\); expected one row for each of 2 queries and one column for each of 2"),
        ([[0.1, 0.2]], "gave 1 rows of scores for 2 queries"),
        ([[0.1, 0.2]] * 3, "expected one row for each of 2 queries"),
    ],
)
def test_a_scorer_must_give_what_it_is_asked_for(table: list[list[float]], message: str):
    with pytest.raises(EvaluationError, match=message):
        search(Told(table), searchable("ABAB"), queries=[0, 1], references=[2, 3])


@pytest.mark.parametrize(
    ("queries", "references", "message"),
    [
        ([], [1], "0 queries and 1 references; expected some of both"),
        ([0], [], "1 queries and 0 references"),
        ([0], [0, 1], "row 0 is both query and reference"),
        ([0, 2, 2], [1], "row 2 is a query twice; expected each once"),
    ],
)
def test_impossible_questions_are_refused(queries: list[int], references: list[int], message: str):
    with pytest.raises(EvaluationError, match=message):
        search(Told([]), searchable("AB"), queries=queries, references=references)


def test_columns_of_other_lengths_and_windows_below_nothing_are_refused():
    with pytest.raises(EvaluationError, match="1 spectra, 0 molecules and 0 origins"):
        SearchableSpectra(spectra=searchable("A").spectra, molecules=[], origins=[])
    with pytest.raises(EvaluationError, match="'narrow': ppm is 0; expected a number above 0"):
        SearchForm(name="narrow", ppm=0)
    assert SearchForm(name="narrow", ppm=0.5).ppm == 0.5


def test_no_split_is_no_question():
    with pytest.raises(EvaluationError, match="no split; expected at least one"):
        search_splits(CosineScorer(), searchable("AB"), splits=[])
