from dataclasses import dataclass

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.ranking import CandidateList, NearestNeighbourRanker, Query
from diptych.ranking.neighbours import binned, nearest_rows, tanimoto
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Molecule:
    smiles: str

    @property
    def inchikey_first_block(self) -> str:
        return f"block of {self.smiles}"


BENZOIC, HEXANE, TOLUENE = Molecule("O=C(O)c1ccccc1"), Molecule("CCCCCC"), Molecule("Cc1ccccc1")
ALL = CandidateList(structures=(BENZOIC, HEXANE, TOLUENE))


def spectrum(*mz: float, intensity: list[float] | None = None) -> Spectrum:
    return Spectrum.from_peaks(mz, intensity or [1.0] * len(mz))


def query(*mz: float, candidates: CandidateList = ALL) -> Query:
    return Query(identifier="q", spectrum=spectrum(*mz), target="", candidates=candidates)


def test_cosine_of_square_roots_worked_out_by_hand():
    # Square roots 3, 4 against 4 in the second bin: 16 / (5 * 4).
    table = binned([spectrum(100.01, 200.01, intensity=[9, 16]), spectrum(200.02, intensity=[16])], bin_width_da=0.05)
    assert (table @ table.T).toarray()[0, 1] == pytest.approx(0.8)


def test_peaks_of_one_bin_are_one_peak_and_rows_have_unit_length():
    table = binned([spectrum(100.01, 100.02), spectrum(1e9), spectrum()], bin_width_da=0.05)
    np.testing.assert_allclose(table.multiply(table).sum(axis=1).ravel(), [1, 1, 0])
    assert table.nnz == 2


def test_tanimoto_worked_out_by_hand():
    first = np.array([[0b1110, 0b1]], dtype=np.uint64)
    second = np.array([[0b0111, 0b1], [0, 0]], dtype=np.uint64)
    np.testing.assert_allclose(tanimoto(first, second), [[3 / 5, 0]])
    np.testing.assert_allclose(tanimoto(second[1:], second[1:]), [[0]])


def test_the_molecule_of_the_nearest_spectrum_scores_one():
    ranker = NearestNeighbourRanker([spectrum(50.0, 80.0), spectrum(60.0)], [BENZOIC, HEXANE])
    (scores,) = ranker.score([query(50.0, 81.0)])
    assert scores[0] == 1
    assert 0 < scores[2] < 1
    assert scores[1] < scores[2]


def test_neighbours_vote_with_their_cosine():
    # Cosines 1 and sqrt(1/2) for benzoic acid and hexane.
    ranker = NearestNeighbourRanker([spectrum(50.0), spectrum(50.0, 90.0)], [BENZOIC, HEXANE], n_neighbours=2)
    (scores,) = ranker.score([query(50.0)])
    cosine = np.sqrt(0.5)
    single = NearestNeighbourRanker([spectrum(50.0)], [BENZOIC]).score([query(50.0)])[0]
    other = NearestNeighbourRanker([spectrum(50.0)], [HEXANE]).score([query(50.0)])[0]
    np.testing.assert_allclose(scores, (single + cosine * other) / (1 + cosine), atol=1e-5)


def test_replicates_of_a_molecule_vote_once_with_the_most_similar():
    spectra = [spectrum(50.0, 70.0), spectrum(50.0, 90.0), spectrum(50.0), spectrum(50.0, 80.0)]
    ranker = NearestNeighbourRanker(spectra, [HEXANE, BENZOIC, HEXANE, BENZOIC], n_neighbours=20)
    once = NearestNeighbourRanker([spectra[1], spectra[2]], [BENZOIC, HEXANE], n_neighbours=20)
    np.testing.assert_allclose(ranker.score([query(50.0)]), once.score([query(50.0)]))


def test_a_query_that_shares_no_peak_is_scored_with_ties_and_not_skipped():
    ranker = NearestNeighbourRanker([spectrum(50.0)], [BENZOIC], n_neighbours=20)
    scores = ranker.score([query(70.0), query(), query(50.0, candidates=CandidateList(structures=()))])
    np.testing.assert_array_equal(scores[0], [0, 0, 0])
    np.testing.assert_array_equal(scores[1], [0, 0, 0])
    assert scores[2].shape == (0,)


def test_candidates_alike_stay_tied():
    twins = CandidateList(structures=(BENZOIC, *(Molecule(s) for s in ("c1ccccc1C(O)=O", "OC(=O)c1ccccc1", "CC"))))
    ranker = NearestNeighbourRanker([spectrum(50.0, mz) for mz in (60.0, 70.0, 80.0)], [BENZOIC, TOLUENE, HEXANE])
    (scores,) = ranker.score([query(50.0, 60.0, 75.0, candidates=twins)])
    assert scores[0] == scores[1] == scores[2] != scores[3]


class OnlyTheFirst:
    """Likes the first reference spectrum of the caller, knows nothing of the second, and dislikes the others."""

    name = "fancy"

    def scores(self, queries, references):
        liked = [{50.0: 0.5, 60.0: np.nan}.get(float(reference.mz[0]), -1.0) for reference in references]
        yield np.array([liked for _ in queries])


def test_another_measure_of_likeness_votes_and_what_it_dislikes_does_not():
    spectra = [spectrum(70.0), spectrum(60.0), spectrum(50.0)]
    ranker = NearestNeighbourRanker(spectra, [TOLUENE, HEXANE, BENZOIC], n_neighbours=3, scorer=OnlyTheFirst())
    assert ranker.name == "fancy_neighbours_3"
    alone = NearestNeighbourRanker([spectrum(50.0)], [BENZOIC])
    np.testing.assert_allclose(ranker.score([query(1.0)]), alone.score([query(50.0)]))
    assert NearestNeighbourRanker(spectra, [TOLUENE] * 3, scorer=OnlyTheFirst()).name == "fancy_neighbour"


def test_fewer_of_the_neighbours_found_can_vote():
    spectra, structures = [spectrum(50.0), spectrum(50.0, 90.0)], [BENZOIC, HEXANE]
    both = NearestNeighbourRanker(spectra, structures, n_neighbours=2)
    asked = [query(50.0), query(90.0)]
    voted = both.vote(asked, both.neighbours([q.spectrum for q in asked]), n_neighbours=1)
    np.testing.assert_allclose(voted, NearestNeighbourRanker(spectra, structures).score(asked))
    assert both.score([]) == []


def test_the_nearest_molecules_of_some_spectra():
    ranker = NearestNeighbourRanker([spectrum(50.0), spectrum(60.0)], [BENZOIC, HEXANE])
    found = ranker.neighbours([spectrum(60.0), spectrum(50.0)])
    assert [molecules.tolist() for molecules in found.molecules] == [[1], [0]]
    np.testing.assert_allclose(found.similarity, [[1], [1]])


@pytest.mark.parametrize(
    ("n_rows", "rows"),
    [(1, [2]), (2, [0, 2]), (3, [0, 2, 4, 5]), (4, [0, 2, 4, 5]), (5, [0, 1, 2, 4, 5]), (9, [0, 1, 2, 4, 5])],
)
def test_as_many_rows_as_are_asked_for_and_ties_with_the_last_but_none_without_likeness(n_rows: int, rows: list[int]):
    similarity = np.array([0.5, 0.1, 0.9, 0.0, 0.3, 0.3], dtype=np.float32)
    assert nearest_rows(similarity, n_rows).tolist() == rows
    assert nearest_rows(np.array([0.5, 0.1, 0.9], dtype=np.float32), 2).tolist() == [0, 2]


@pytest.mark.parametrize("n_neighbours", [1, 2])
def test_molecules_as_near_as_the_last_vote_too_so_that_the_order_of_the_reference_decides_nothing(n_neighbours: int):
    spectra = [spectrum(50.0, 90.0), spectrum(50.0, 80.0), spectrum(50.0, 70.0), spectrum(40.0)]
    structures = [BENZOIC, HEXANE, TOLUENE, Molecule("CCN")]
    orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]]
    scores = []
    for order in orders:
        ranker = NearestNeighbourRanker(
            [spectra[row] for row in order], [structures[row] for row in order], n_neighbours=n_neighbours
        )
        scores.append(ranker.of_fewer(n_neighbours).score([query(50.0)])[0])
        assert sorted(map(len, ranker.neighbours([spectrum(50.0)]).molecules)) == [3]
    np.testing.assert_array_equal(scores, [scores[0]] * len(orders))


@pytest.mark.parametrize(("spectra", "structures"), [([], []), ([spectrum(50.0)], [])])
def test_a_reference_without_structures_is_refused(spectra: list[Spectrum], structures: list[Molecule]):
    with pytest.raises(EvaluationError, match=r"\d reference spectra with 0 structures; expected at least one"):
        NearestNeighbourRanker(spectra, structures)
