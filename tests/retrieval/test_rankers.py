from dataclasses import dataclass, replace

import numpy as np

from diptych.evaluation import evaluate
from diptych.ranking import CandidateList, Query, Ranker, ShuffledSpectraRanker
from diptych.retrieval.rankers import BlindRanker, EmbeddingRanker, FirstBlocks, target_rows, usable_vectors
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str
    neutral_mass: float = 0.0
    formula: str = ""


class TwoDimensions:
    """Embeds a molecule on an axis by its name, and a spectrum on the axis that its first peak says."""

    name = "two-dimensions"

    def __init__(self) -> None:
        self.n_structures = 0

    def encode_spectra(self, spectra, *, blind=False):
        axes = [0 if blind else int(spectrum.mz[0]) - 1 for spectrum in spectra]
        return np.eye(2, dtype=np.float32)[axes]

    def encode_structures(self, structures):
        self.n_structures += len(structures)
        return np.eye(2, dtype=np.float32)[["AB".index(s.inchikey_first_block[0]) for s in structures]]


def query(identifier: str, mz: float, *, target: str, blocks: tuple[str, ...] = ("A", "B")) -> Query:
    candidates = CandidateList(structures=tuple(Molecule(block) for block in blocks))
    spectrum = Spectrum.from_peaks([mz], [1.0], identifier=identifier, precursor_mz=100.0)
    return Query(identifier=identifier, spectrum=spectrum, target=target, candidates=candidates)


QUERIES = [
    query("1", 1.0, target="A"),
    query("2", 2.0, target="B"),
    query("3", 2.0, target="B", blocks=("B1", "B", "A")),
]


def test_scores_are_cosines_in_the_order_of_the_list():
    scores = EmbeddingRanker(TwoDimensions()).score(QUERIES)
    np.testing.assert_array_equal(scores[0], [1, 0])
    np.testing.assert_array_equal(scores[1], [0, 1])
    np.testing.assert_array_equal(scores[2], [1, 1, 0])
    assert scores[0].dtype == np.float32


def test_each_molecule_is_embedded_once_also_for_controls():
    model = TwoDimensions()
    ranker = EmbeddingRanker(model)
    ranker.score(QUERIES[:1])
    ranker.score(QUERIES)
    ranker.blinded().score(QUERIES)
    ShuffledSpectraRanker(ranker).score(QUERIES)
    assert model.n_structures == 3


def test_the_blind_control_sees_no_peak():
    for control in (EmbeddingRanker(TwoDimensions()).blinded(), BlindRanker(TwoDimensions())):
        assert control.name == "spectrum_blind"
        np.testing.assert_array_equal(control.score(QUERIES)[1], [1, 0])


def test_a_model_that_reads_the_spectrum_stands_above_its_controls():
    ranker = EmbeddingRanker(TwoDimensions())
    assert isinstance(ranker, Ranker)
    evaluation = evaluate(
        ranker, QUERIES[:2], controls=[ranker.blinded(), ShuffledSpectraRanker(ranker)], n_bootstrap=10
    )
    np.testing.assert_array_equal(evaluation.answers.ranks, [1, 1])
    np.testing.assert_array_equal(evaluation.controls[0].ranks, [1, 2])
    np.testing.assert_array_equal(evaluation.controls[1].ranks, [2, 2])


def test_a_spectrum_that_cannot_be_worked_with_is_a_miss_and_not_left_out():
    without_precursor = replace(QUERIES[0], spectrum=Spectrum.from_peaks([1.0], [1.0]))
    unusable, usable = EmbeddingRanker(TwoDimensions()).score([without_precursor, QUERIES[1]])
    assert np.isnan(unusable).all()
    assert unusable.shape == (2,)
    np.testing.assert_array_equal(usable, [0, 1])
    assert np.isnan(EmbeddingRanker(TwoDimensions()).score([without_precursor])[0]).all()


def test_empty_lists_and_no_queries_are_no_trouble():
    ranker = EmbeddingRanker(TwoDimensions())
    assert ranker.score([]) == []
    empty = query("e", 1.0, target="A", blocks=())
    assert ranker.score([empty])[0].shape == (0,)
    assert [s.shape for s in ranker.score([empty, QUERIES[0]])] == [(0,), (2,)]


class ByMass:
    """Three molecules, two of them of one mass."""

    rows = (Molecule("A", 10.0), Molecule("B", 20.0), Molecule("C", 20.0))

    def window(self, neutral_mass: float, half_width_da: float) -> slice:
        masses = [row.neutral_mass for row in self.rows]
        low, high = np.searchsorted(masses, [neutral_mass - half_width_da, neutral_mass + half_width_da])
        return slice(int(low), int(high))

    def structures(self, rows):
        return [self.rows[row] for row in rows]


def test_structures_are_found_in_a_library_by_mass_and_first_block():
    wanted = [Molecule("C", 20.0), Molecule("A", 10.0), Molecule("D", 20.0), None, Molecule("C", 20.0)]
    assert target_rows(ByMass(), wanted).tolist() == [2, 0, -1, -1, 2]


def test_the_first_block_of_a_row_is_looked_up():
    blocks = FirstBlocks(ByMass())
    assert [blocks[row] for row in (0, 2)] == ["A", "C"]


def test_spectra_that_cannot_be_worked_with_have_no_vector():
    spectra = [query("1", 2.0, target="A").spectrum, Spectrum.from_peaks([], [])]
    np.testing.assert_array_equal(usable_vectors(TwoDimensions(), spectra), [[0, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(usable_vectors(TwoDimensions(), spectra, blind=True)[0], [1, 0])
