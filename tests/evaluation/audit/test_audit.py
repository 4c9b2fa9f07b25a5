import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.audit.attribution import nearest_examples
from diptych.evaluation.audit.audit import audit_results, hardest_queries, what_it_uses
from diptych.evaluation.audit.drawing import write_page
from diptych.evaluation.audit.leaks import Finding, Verdict, near_twins
from diptych.evaluation.audit.perturbed import PERTURBATIONS
from diptych.evaluation.report.tables import html_table
from diptych.evaluation.results.query_results import QueryResults
from diptych.ranking import CandidateList, Query
from diptych.spectra.spectrum import Spectrum

SPECTRUM = Spectrum.from_peaks([50.004, 51.0, 99.5], [1.0, 3.0, 9.0], precursor_mz=100.0)


def results(ranks: list[float], *, targets: str) -> QueryResults:
    n = len(ranks)
    return QueryResults(
        queries=tuple(f"q{i}" for i in range(n)),
        targets=tuple(targets),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.full(n, 4),
        target_scores=np.linspace(0.5, 0.1, n),
        best_scores=np.full(n, 0.6),
        best=("X",) * n,
        texts={"best_smiles": ("CCO",) * n, "target_smiles": ("COC",) * n},
        control_ranks={"random": np.full(n, 4.0)},
        metadata={"adduct": ("[M+H]+",) * n},
    )


def perturbed(name: str) -> Spectrum:
    return PERTURBATIONS[name](SPECTRUM, np.random.default_rng(0))


def test_perturbations_take_one_thing_each():
    np.testing.assert_array_equal(perturbed("intensities flattened").intensity, [1, 1, 1])
    assert sorted(perturbed("intensities permuted").intensity) == [1, 3, 9]
    np.testing.assert_allclose(perturbed("m/z rounded to 0.01").mz, [50.0, 51.0, 99.5])
    np.testing.assert_allclose(perturbed("m/z rounded to 1").mz, [50, 51, 100])
    assert perturbed("precursor shifted by 0.05").precursor_mz == pytest.approx(100.05)
    assert perturbed("precursor not stated").precursor_mz is None
    np.testing.assert_array_equal(perturbed("precursor peaks removed").mz, [50.004, 51.0])


def test_peaks_that_fall_together_are_added():
    close = Spectrum.from_peaks([50.01, 50.02], [1.0, 2.0])
    rounded = PERTURBATIONS["m/z rounded to 1"](close, np.random.default_rng(0))
    assert (rounded.mz.tolist(), rounded.intensity.tolist()) == ([50.0], [3.0])


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str


class BasePeakRanker:
    """Puts the answer first as long as the base peak of the spectrum is its last one."""

    name = "base peak"

    def score(self, queries):
        return [np.array([float(np.argmax(q.spectrum.intensity) == 2), 0.5]) for q in queries]


def test_what_a_ranker_looks_at_costs_it_its_hits():
    lists = [CandidateList.distinct([Molecule(f"T{i}"), Molecule("D")]) for i in range(12)]
    queries = [Query(identifier=f"q{i}", spectrum=SPECTRUM, target=f"T{i}", candidates=lists[i]) for i in range(12)]
    cost = {one.first: one.difference for one in what_it_uses(BasePeakRanker(), queries, n_bootstrap=50)}
    assert cost["intensities flattened"] == -1.0
    assert cost["m/z rounded to 0.1"] == 0.0
    assert -1 < cost["intensities permuted"] < 0


def test_the_hardest_queries_are_those_wrong_by_most_one_per_molecule():
    cases = hardest_queries(results([1, 2, 3, 2], targets="ABCC"))
    # Answers' scores 0.5, 0.367, 0.233, 0.1: the last of C is the furthest off, A is right.
    assert [case.query for case in cases] == ["q3", "q1"]
    assert hardest_queries(results([1, 1], targets="AB")) == []


@pytest.mark.filterwarnings("error")
def test_infinite_scores_make_no_hardest_query():
    found = results([2, 2], targets="AB")
    infinite = replace(found, best_scores=np.full(2, np.inf), target_scores=np.array([np.inf, 0.1]))
    assert hardest_queries(infinite) == []


def test_an_audit_is_written_whole(tmp_path: Path):
    found = results([1, 2, 3, 1], targets="ABCD")
    finding = Finding(check="ties", verdict=Verdict.WARN, says="Some tie.")
    audit = audit_results("mine", found, findings=[finding], hardest=hardest_queries(found), n_bootstrap=50)
    audit.save(tmp_path)
    written = json.loads((tmp_path / "audit.json").read_text())
    assert written["hit_rate"] == 0.5
    assert written["above"][0]["second"] == "random"
    assert written["findings"][0]["verdict"] == "warn"
    text = (tmp_path / "audit.md").read_text()
    assert "| ties | warn | Some tie. |" in text
    assert "## By adduct" in text
    write_page(audit, {"q1": SPECTRUM}, tmp_path / "audit.html")
    html = (tmp_path / "audit.html").read_text()
    assert html.count("<svg") == 2 * len(audit.hardest) + 1
    assert "src=" not in html
    assert 'href="http' not in html


def test_the_distance_to_training_is_a_table(tmp_path: Path):
    found = results([1, 2, 3, 1], targets="ABCD").with_metadata({"nearest_training": [0.9, 0.92, 0.2, 0.31]})
    audit = audit_results("mine", found, findings=[near_twins(found)], n_bootstrap=50)
    audit.save(tmp_path)
    text = (tmp_path / "audit.md").read_text()
    assert "## Distance to training" in text
    assert "| 0.9 to 1.0 | 2 | 50.0 % |" in text
    assert "| 0.0 to 0.1 | 0 | 0.0 % |" in text
    write_page(audit, {}, tmp_path / "audit.html")
    assert (
        '<td class="number">0.9 to 1.0</td><td class="number">2</td><td class="number">50.0 %</td>'
        in (tmp_path / "audit.html").read_text()
    )
    unknown = audit_results("mine", found, findings=[near_twins(results([1], targets="A"))], n_bootstrap=50)
    unknown.save(tmp_path)
    assert "Distance to training" not in (tmp_path / "audit.md").read_text()


@pytest.mark.parametrize(
    ("n_models", "said"), [(1, "over one model, a single point of the training,"), (3, "3 models")]
)
def test_the_page_says_of_how_many_models_and_of_what_the_influence_is(tmp_path: Path, n_models: int, said: str):
    harmful = [{"accession": "a", "molecule": "A", "list": "against the rest", "influence": 0.5}]
    found = results([1, 2], targets="AB")
    audit = audit_results("mine", found, findings=[], harmful=harmful, n_models=n_models, n_bootstrap=50)
    audit.save(tmp_path)
    write_page(audit, {}, tmp_path / "audit.html")
    for page in ("audit.md", "audit.html"):
        text = (tmp_path / page).read_text()
        assert said in text
        assert "only the vectors are differentiated, not the second look nor the prior" in text
        assert "against the rest: a step on them would lower their own loss most" in text
    assert json.loads((tmp_path / "audit.json").read_text())["n_models"] == n_models


def test_differences_of_an_audit_are_of_ten_thousand_resamples_and_state_their_floor(tmp_path: Path):
    found = results([1] * 26, targets="ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    audit = audit_results("mine", found, findings=[])
    audit.save(tmp_path)
    text = (tmp_path / "audit.md").read_text()
    assert "| random | +100.0 *** | 100.0 to 100.0 | ≤ 0.0002 | 3e-08 | 26 |" in text
    assert "Of 10,000 resamples and 1 comparison no adjusted p of the bootstrap can be below 0.0002" in text


def test_an_audit_says_where_the_method_stands_below_its_strongest_control(tmp_path: Path):
    found = results([1, 2, 3, 1], targets="ABCD")
    twice = results([1, 1, 1, 2], targets="ABCD")
    other = results([1, 1], targets="AB")
    audit = audit_results("mine", found, findings=[], controls={"twice": twice, "other": other}, n_bootstrap=50)
    assert [one.name for one in audit.strata["adduct"][0].against] == ["twice"]
    audit.save(tmp_path)
    text = (tmp_path / "audit.md").read_text()
    assert "twice is the strongest of its controls over all queries." in text
    assert "Below twice in 1 of 1 strata, in none with the whole interval." in text
    assert "| twice @1 | above twice |\n" in text
    written = json.loads((tmp_path / "audit.json").read_text())
    assert written["strata"]["adduct"][0]["against"][0]["difference"] == -0.25
    assert written["lengths"][0]["hit_rate"] is None


def test_a_number_stays_on_one_line_with_its_interval_on_a_page():
    found = html_table(("a",), [("+1.5 (0.2 to 3.1)",), ("2-methyl" * 9,), ("not <checked>",)])
    assert '<td class="number">+1.5 (0.2 to 3.1)</td>' in found
    assert "<td>2-methyl" in found
    assert "<td>not &lt;checked&gt;</td>" in found


def test_an_audit_of_one_molecule_has_no_interval(tmp_path: Path):
    audit = audit_results("mine", results([1, 2], targets="AA"), findings=[], n_bootstrap=50)
    assert math.isnan(audit.low)
    assert audit.to_dict()["low"] is None
    audit.save(tmp_path)
    assert "hit rate at 1 50.0 %, by spectrum" in (tmp_path / "audit.md").read_text()


def test_neighbours_are_of_distinct_molecules_nearest_first():
    training = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    (found,) = nearest_examples(
        np.array([[1, 0]], dtype=np.float32), training, labels=["a", "b", "c"], molecules=["A", "A", "C"], n=2
    )
    assert [(one.label, round(one.cosine, 3)) for one in found] == [("a", 1.0), ("c", 0.0)]
    both = nearest_examples(training[[0, 2]], training, labels=["a", "b", "c"], molecules=["A", "A", "C"], n=1)
    assert [[(one.label, one.molecule) for one in row] for row in both] == [[("a", "A")], [("c", "C")]]
    with pytest.raises(EvaluationError, match="3 training vectors with 1 labels and 3 molecules"):
        nearest_examples(training, training, labels=["a"], molecules=["A"] * 3)
