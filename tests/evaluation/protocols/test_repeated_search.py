import math
from dataclasses import replace

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.protocols.library_search import FORMS, SearchAnswers, SearchForm, search
from diptych.evaluation.protocols.repeated_search import RepeatedSearch, query_splits, repeated_search
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.ranking import CosineScorer
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum


def searchable(molecules: str, *, peaks: list[float] | None = None, sodium: str = "") -> SearchableSpectra:
    peaks = peaks or [50.0] * len(molecules)
    spectra = [
        Spectrum.from_peaks(
            [mz], [1.0], precursor_mz=100.0, adduct=Adduct.parse("[M+Na]+" if str(i) in sodium else "[M+H]+")
        )
        for i, mz in enumerate(peaks)
    ]
    return SearchableSpectra(spectra=spectra, molecules=list(molecules), origins=[""] * len(molecules))


def test_one_spectrum_of_every_replicated_ion_is_a_query():
    # C has one spectrum; B's two are of two adducts.
    spectra = searchable("AAABBCDD", sodium="4")
    splits = [rows.tolist() for rows in query_splits(spectra, n_splits=20)]
    assert {tuple(np.array(list("AAABBCDD"))[rows]) for rows in splits} == {("A", "D")}
    assert {rows[0] for rows in splits} == {0, 1, 2}
    assert splits == [rows.tolist() for rows in query_splits(spectra, n_splits=20)]
    assert splits != [rows.tolist() for rows in query_splits(spectra, n_splits=20, seed=1)]


def test_queries_come_only_from_the_rows_allowed():
    splits = query_splits(searchable("AAABBB"), rows=[0, 1, 3], n_splits=10)
    assert {tuple(rows.tolist()) for rows in splits} <= {(0,), (1,)}


def test_mean_and_deviation_worked_out_by_hand():
    # A's third spectrum is unlike its others, and B like it: hit with the first two as the query, missed with the last.
    spectra = searchable("AAAB", peaks=[50.0, 50.0, 60.0, 60.0])
    (result,) = repeated_search(CosineScorer(), spectra, forms=[SearchForm(name="open")], n_splits=10, seed=3)
    hits = [float(answers.asked[0] != 2) for answers in result.splits]
    assert 0 < sum(hits) < 10
    rate = result.hit_rate_at(1)
    assert (rate.mean, rate.n_queries) == (pytest.approx(sum(hits) / 10), 1)
    assert rate.deviation == pytest.approx(math.sqrt(sum((hit - rate.mean) ** 2 for hit in hits) / 9))


@pytest.mark.filterwarnings("error")
def test_one_split_has_no_deviation_and_nothing_asked_no_mean():
    spectra = searchable("AAB")
    (one,) = repeated_search(CosineScorer(), spectra, forms=[SearchForm(name="open")], n_splits=1)
    assert math.isnan(one.hit_rate_at(1).deviation)
    foreign = SearchForm(name="foreign", foreign_origin=True)
    (none,) = repeated_search(CosineScorer(), spectra, forms=[foreign], n_splits=2)
    assert math.isnan(none.hit_rate_at(1).mean)
    assert none.hit_rate_at(1).n_queries == 0
    assert one.mean_counts == dict(one.splits[0].counts)


def test_splits_in_which_nothing_was_asked_count_for_the_queries_and_not_for_the_rate():
    def of_ranks(ranks: list[float]) -> SearchAnswers:
        rows = np.arange(len(ranks))
        return SearchAnswers(
            scorer="m", form=FORMS[0], asked=rows, ranks=np.array(ranks), counts={"misses": ranks.count(math.inf)}
        )

    splits = (of_ranks([1.0, 2.0]), of_ranks([]), of_ranks([1.0, math.inf, 1.0, 1.0]))
    result = RepeatedSearch(form=FORMS[0], splits=splits)
    rate = result.hit_rate_at(1)
    # Rates 1/2 and 3/4, whose sample deviation is their distance over the square root of 2; 2, 0 and 4 queries.
    assert (rate.mean, rate.deviation, rate.n_queries) == pytest.approx((5 / 8, 1 / 4 / math.sqrt(2), 2))
    assert result.mean_counts == {"misses": pytest.approx(1 / 3)}
    by_group = result.by_group(["d", "b", "c", "a"])
    assert list(by_group) == ["a", "b", "c", "d"]
    assert [by_group[name].hit_rate_at(1).n_queries for name in "abcd"] == pytest.approx([1 / 3, 2 / 3, 1 / 3, 2 / 3])
    assert by_group["b"].hit_rate_at(1).mean == 0


def test_spectra_without_replicate_are_counted():
    # B's two spectra are of two adducts and C has one; among the first four spectra only B's is alone.
    spectra = searchable("AAABBCDD", sodium="4")
    (result,) = repeated_search(CosineScorer(), spectra, forms=FORMS[:1])
    assert (result.n_without_replicate, len(result.splits)) == (3, 10)
    (result,) = repeated_search(CosineScorer(), spectra, rows=[0, 1, 2, 3], forms=FORMS[:1], n_splits=2)
    assert (result.n_without_replicate, len(result.splits)) == (1, 2)


def test_without_replicates_there_is_no_query():
    with pytest.raises(EvaluationError, match="none of 3 spectra has a second one of its molecule and adduct"):
        list(query_splits(searchable("ABC")))
    with pytest.raises(EvaluationError, match="0 splits; expected at least 1"):
        list(query_splits(searchable("AA"), n_splits=0))


def test_splits_asked_together_are_answered_as_each_by_itself():
    peaks = np.random.default_rng(0).choice([50.0, 60.0, 70.0], 16).tolist()
    spectra = searchable("AAAABBBBCCCCDDDD", peaks=peaks, sodium="45")
    spectra = replace(spectra, origins=list("xyxyxyxyxyxyxyxy"))
    together = repeated_search(CosineScorer(), spectra, n_splits=5, seed=2)
    for number, queries in enumerate(query_splits(spectra, n_splits=5, seed=2)):
        references = np.random.default_rng(number).permutation(np.setdiff1d(np.arange(16), queries))
        alone = search(CosineScorer(), spectra, queries=queries, references=references, forms=FORMS)
        for form, answers in zip(together, alone, strict=True):
            found = form.splits[number]
            assert dict(zip(found.asked, found.ranks, strict=True)) == dict(
                zip(answers.asked, answers.ranks, strict=True)
            )
            assert found.counts == answers.counts
    assert sum(answers.ranks.size for answers in together[-1].splits) > 0
