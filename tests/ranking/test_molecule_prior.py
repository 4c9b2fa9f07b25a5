from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from diptych.errors import EvaluationError
from diptych.ranking import CandidateList, MoleculePriorRanker, NearestMoleculeRanker, Query
from diptych.ranking.molecule_prior import fit_logistic
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Molecule:
    smiles: str

    @property
    def inchikey_first_block(self) -> str:
        return f"block of {self.smiles}"


def molecules(*smiles: str) -> list[Molecule]:
    return [Molecule(text) for text in smiles]


def ask(ranker, *smiles: str) -> np.ndarray:
    candidates = CandidateList(structures=tuple(molecules(*smiles)))
    queries = [
        Query(identifier=name, spectrum=Spectrum.from_peaks([], []), target="", candidates=candidates) for name in "ab"
    ]
    first, second = ranker.score(queries)
    np.testing.assert_array_equal(first, second)
    return first


def test_the_coefficients_are_at_the_least_loss():
    # One column, x = 1 for the measured and 0 for the other: both residuals are r = 1 / (1 + exp(m)); the derivative
    # by the slope a is -r + a / 2 with penalty 1/2, that by the constant vanishes for margins a + b = -b.
    slope, constant = fit_logistic(sparse.csr_matrix([[1.0], [0.0]]), np.array([1.0, -1.0]), penalty=0.5)
    assert constant == pytest.approx(-slope / 2, abs=1e-4)
    assert slope / 2 == pytest.approx(1 / (1 + np.exp(slope / 2)), abs=1e-4)


def test_both_kinds_weigh_the_same():
    rows = sparse.csr_matrix((4, 1))
    assert fit_logistic(rows, np.array([1.0, -1.0, -1.0, -1.0]), penalty=1.0)[1] == pytest.approx(0, abs=1e-5)
    # x = 1 for the two measured, 0 for the three others: as above, with 5/2 for the weight of either kind.
    found = fit_logistic(sparse.csr_matrix([[1.0]] * 2 + [[0.0]] * 3), np.array([1.0] * 2 + [-1.0] * 3), penalty=0.5)
    assert found[1] == pytest.approx(-found[0] / 2, abs=1e-4)
    assert 0.5 * found[0] == pytest.approx(2.5 / (1 + np.exp(found[0] / 2)), abs=1e-4)


def test_the_constant_stands_last_and_a_column_of_nothing_has_no_slope():
    labels = np.array([1.0, -1.0])
    slope, constant = fit_logistic(sparse.csr_matrix([[1.0], [0.0]]), labels, penalty=0.5)
    wider = fit_logistic(sparse.csr_matrix([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), labels, penalty=0.5)
    np.testing.assert_allclose(wider, [0, slope, 0, constant], atol=1e-4)


def test_what_looks_measured_scores_higher_without_a_spectrum():
    ranker = MoleculePriorRanker(molecules("c1ccccc1O", "c1ccccc1CO", "Cc1ccccc1"), molecules("CCCCC", "CCCCCC"))
    scores = ask(ranker, "CCCCCCC", "c1ccccc1CCO")
    assert scores[1] > 0 > scores[0]


@pytest.mark.parametrize(("measured", "others"), [([], ["C"]), (["C"], ["C"])])
def test_a_prior_needs_both_kinds(measured: list[str], others: list[str]):
    with pytest.raises(EvaluationError, match=r"\d measured molecules and \d others; expected some of both"):
        MoleculePriorRanker(molecules(*measured), molecules(*others))


def test_the_nearest_measured_molecule_counts():
    scores = ask(NearestMoleculeRanker(molecules("CCCCCC", "c1ccccc1O")), "c1ccccc1O", "CCCCO", "Cc1ccccc1")
    assert scores[0] == 1
    assert 0 < scores[2] < 1
