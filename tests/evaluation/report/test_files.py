import json
import math
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.evaluation import Evaluation
from diptych.evaluation.report import figures, figures_report, figures_robustness, projection
from diptych.evaluation.report.files import (
    ladder_section,
    map_section,
    read_method,
    robustness_section,
    write_report,
)
from diptych.evaluation.report.section import Section
from diptych.evaluation.report.sections import Method, result_sections
from diptych.evaluation.results.answers import Answers
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.results.scores import CandidateScores


def method(ranks: list[float], *, n_candidates: int = 4) -> Method:
    n = len(ranks)
    scores = np.tile(np.linspace(1, 0, n_candidates, dtype=np.float32), n)
    positions = np.array([int(rank) - 1 if math.isfinite(rank) else -1 for rank in ranks])
    results = QueryResults(
        queries=tuple(f"q{i}" for i in range(n)),
        targets=tuple(f"M{i // 2}" for i in range(n)),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.full(n, n_candidates),
        target_scores=np.zeros(n),
        best_scores=np.ones(n),
        best=("X",) * n,
        numbers={"probability": np.linspace(0.1, 1, n), "tanimoto": np.full(n, 0.5)},
        control_ranks={"random": np.full(n, 4.0)},
        metadata={"adduct": ("[M+H]+",) * n, "n_peaks": tuple(str(i) for i in range(n))},
    )
    candidates = CandidateScores(
        queries=results.queries,
        offsets=np.arange(n + 1) * n_candidates,
        scores=scores,
        first_blocks=("B",) * scores.size,
        target_positions=positions,
    )
    return Method(results=results, scores=candidates)


def report(path: Path, ranks: list[float], *, name: str = "mine", mces: str = "") -> Path:
    found = method(ranks)
    if mces:
        found = replace(found, results=found.results.with_numbers({"mces": np.linspace(0, 4, len(ranks))}))
    answers = Answers(
        ranker=name,
        ranks=found.results.ranks,
        target_scores=found.results.target_scores,
        best_scores=found.results.best_scores,
        best=found.results.best,
    )
    Evaluation(
        queries=found.results.queries,
        targets=found.results.targets,
        list_lengths=found.results.n_candidates,
        answers=answers,
        provenance={"mces": mces} if mces else {},
        n_bootstrap=20,
        details=found.results,
        candidate_scores=found.scores,
    ).save(path)
    return path


def test_a_page_of_saved_results_is_whole_and_needs_nothing_else(tmp_path: Path):
    sections = result_sections({"mine": method([1, 1, 2, 1]), "other": method([2, 2, 2, math.inf])}, n_bootstrap=50)
    write_report("Title <&>", sections, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "Title &lt;&amp;&gt;" in html
    assert html.count('class="figure"') == 6
    assert "src=" not in html
    assert 'href="http' not in html
    content = json.loads((tmp_path / "page.json").read_text())
    figures_of = {section["title"]: section for section in content["sections"]}
    assert figures_of["Figures of merit"]["data"]["mine"]["hit_rate@1"]["spectrum"] == 0.75
    assert [row[0] for row in figures_of["Differences to mine"]["rows"]] == ["other", "random"]
    assert "| mine | 4 | 2 | 75.0" in (tmp_path / "page.md").read_text()


def test_a_report_states_the_floor_of_its_p_values():
    sections = {section.title: section for section in result_sections({"mine": method([1, 1, 2, 1])}, n_bootstrap=50)}
    differences = sections["Differences to mine"]
    assert "Of 50 resamples and 1 comparison no adjusted p of the bootstrap can be below 0.039" in differences.text
    assert "2.5th to 97.5th percentile" in differences.text
    assert differences.data[0]["p_floor"] == pytest.approx(2 / 51)


def test_strata_and_list_lengths_stand_beside_the_strongest_other_method():
    mine, other = method([1, 2, 2, 2]), method([2, 1, 1, 2])
    sections = {one.title: one for one in result_sections({"mine": mine, "other": other}, n_bootstrap=50)}
    strata = sections["Strata of mine"]
    assert strata.header[-2:] == ("other @1", "above other")
    assert "other is the strongest of its controls over all queries." in strata.text
    assert "Below other in" in strata.text
    assert [row[-1] for row in strata.rows if row[1].startswith("[M+H]+")] == ["-25.0 (-50.0 to 0.0) ↓"]
    assert strata.data[0]["against"][0]["name"] == "other"
    lengths = sections["List length"]
    assert lengths.header[-2:] == ("other @1", "above other")
    assert [row[0] for row in lengths.rows if row[-1] != "–"] == ["2 to 4"]
    assert lengths.data[-1]["longest"] is None


@pytest.mark.filterwarnings("error")
def test_a_control_of_the_table_is_drawn_with_strata_and_list_lengths():
    found = method([1, 2, 2, 2])
    controls = {"baseline": np.ones(4), "spectrum_blind": np.full(4, 2.0)}
    beside = replace(found.results, control_ranks=controls)
    sections = {one.title: one for one in result_sections({"mine": replace(found, results=beside)}, n_bootstrap=50)}
    plain = {one.title: one for one in result_sections({"mine": found}, n_bootstrap=50)}
    for title in ("Strata of mine", "List length"):
        assert sections[title].picture.count("<use") > plain[title].picture.count("<use")


def test_curves_stand_beside_the_markdown_as_files_of_their_own(tmp_path: Path):
    curve = '<svg class="figure" xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'
    sections = [
        Section(title="Rank curves", picture=curve + curve),
        Section(title="Hardest", picture=f'<div class="pair">{curve}</div>'),
        Section(title="Table", header=("a",), rows=[("1",)]),
    ]
    write_report("Mine", sections, tmp_path / "page.html")
    assert (tmp_path / "page.rank-curves.svg").read_text() == curve + "\n"
    assert {path.name for path in tmp_path.glob("*.svg")} == {"page.rank-curves.svg", "page.rank-curves-2.svg"}
    text = (tmp_path / "page.md").read_text()
    assert "![Rank curves](page.rank-curves.svg)\n\n![Rank curves](page.rank-curves-2.svg)\n\n## Hardest" in text
    assert text.count("(drawn in the HTML report)") == 1


def test_a_report_says_which_mces_distance_it_shows(tmp_path: Path):
    plain = method([1, 2])
    known = replace(plain, results=plain.results.with_numbers({"mces": [0, 4]}))
    report(tmp_path / "r.json", [1, 2], mces="exact")
    _, exact = read_method(tmp_path / "r.json")
    methods = {"mine": replace(known, mces="bound"), "its": exact, "table": known, "none": plain}
    figures_of_merit = result_sections(methods, n_bootstrap=20)[0]
    assert list(figures_of_merit.header[-2:]) == ["Tanimoto of first", "MCES of first"]
    assert [row[-1] for row in figures_of_merit.rows] == ["2.00", "2.00", "2.00", "", ""]
    for text in (
        "The MCES distance of mine is the bound below it by neighbourhoods.",
        "The MCES distance of its is exact up to 15.",
        "The MCES distance of table is as its table has it, exact or a bound.",
    ):
        assert text in figures_of_merit.text


def test_controls_and_curves_have_the_chance_of_the_candidates_that_rankers_see(monkeypatch: pytest.MonkeyPatch):
    found = method([1, 2])
    results = replace(found.results.with_numbers({"n_structures": [2, 2]}), texts={"target_listed": ("yes", "no")})
    drawn = []
    monkeypatch.setattr(figures_report, "rank_curves", lambda methods, chance: drawn.append(chance(1).tolist()) or "")
    merit = result_sections({"mine": replace(found, results=results)}, n_bootstrap=20)[0]
    assert drawn == [[0.5, 0.0]]
    assert {name: one["chance@1"]["spectrum"] for name, one in merit.data.items()} == {"mine": 0.25, "random": 0.25}


def test_what_is_not_saved_is_left_out():
    bare = method([1, 2])
    plain = Method(results=QueryResults(**{**vars(bare.results), "numbers": {}, "metadata": {}, "control_ranks": {}}))
    titles = [section.title for section in result_sections({"mine": plain}, n_bootstrap=20)]
    assert titles == ["Figures of merit", "Rank curves", "List length"]


def rescored(found: Method, value: float) -> Method:
    return Method(results=found.results, scores=replace(found.scores, scores=np.full_like(found.scores.scores, value)))


def pairs_of(methods: dict[str, Method]) -> tuple[list[str], Section]:
    sections = {section.title: section for section in result_sections(methods, n_bootstrap=20)}
    return list(sections), sections["Pair scores"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_method_without_scores_has_no_curve_and_is_named(tmp_path: Path, value: float):
    good = method([1, 2, 2, 1])
    titles, pairs = pairs_of({"mine": good, "empty": rescored(good, value)})
    assert "Scores of answers and of other candidates" in titles
    assert [row[:2] for row in pairs.rows] == [("mine", "0.833"), ("empty", "–")]
    assert "empty has no curve: no candidate has a score." in pairs.text
    titles, pairs = pairs_of({"empty": rescored(good, value)})
    assert "Scores of answers and of other candidates" not in titles
    assert (len(pairs.rows), pairs.picture) == (1, "")
    write_report("Title", result_sections({"empty": rescored(good, value)}, n_bootstrap=20), tmp_path / "page.html")


def test_scores_of_lists_without_their_answers_have_no_curve():
    _, pairs = pairs_of({"mine": method([math.inf, math.inf])})
    assert "mine has no curve: 0 of 8 pairs are right." in pairs.text


@pytest.mark.filterwarnings("error")
def test_infinite_scores_of_older_results_are_drawn_without_them():
    found = method([1, 2, 2, 1])
    scores = found.scores.scores.copy()
    scores[found.scores.is_target] = np.nan
    scores[:3] = np.inf
    _, pairs = pairs_of({"mine": Method(results=found.results, scores=replace(found.scores, scores=scores))})
    assert "<svg" in pairs.picture


def test_a_report_is_read_with_its_scores_and_a_table_by_its_name(tmp_path: Path):
    name, found = read_method(report(tmp_path / "r.json", [1, 2]))
    assert name == "mine"
    assert found.scores is not None
    name, found = read_method(tmp_path / "r.ranks.tsv")
    assert (name, found.scores) == ("r", None)


def test_names_inside_pictures_do_not_clash():
    with figures.drawing() as (figure, axes):
        axes.plot([0, 1], [0, 1])
        first, second = figures.svg(figure, "one"), figures.svg(figure, "two")
    assert 'id="one-' in first
    assert "one-" not in second


def test_a_figure_is_no_wider_on_a_page_than_it_was_drawn():
    with figures.drawing(width=5.0) as (figure, axes):
        axes.plot([0, 1], [0, 1])
        found = figures.svg(figure, "one")
    opening = found[: found.index(">")]
    assert 'style="max-width: 360pt"' in opening  # 72 points an inch
    assert "height=" not in opening


def test_robustness_and_ladder_are_drawn(tmp_path: Path):
    row = {"ranker": "a", "strength": 0.0, "metrics": {"hit_rate@1": {"spectrum": 0.5}}}
    rows = [{**row, "perturbation": "none"}, {**row, "perturbation": "noise_peaks", "strength": 1.0}]
    (tmp_path / "r.json").write_text(json.dumps({"rows": rows}))
    assert "<svg" in robustness_section(tmp_path / "r.json").picture
    splits = {"easy": [report(tmp_path / "a.json", [1, 1])], "hard": [report(tmp_path / "b.json", [1, 2, 3, 4])]}
    ladder = ladder_section(splits)
    assert [row[:3] for row in ladder.rows] == [("easy", "mine", "100.0"), ("hard", "mine", "25.0")]


def test_a_recipe_trained_anew_for_every_split_is_one_method(tmp_path: Path):
    splits = {
        name: [report(tmp_path / f"{name}.json", ranks, name=f"model of {name}")]
        for name, ranks in (("easy", [1.0, 1.0]), ("hard", [1.0, 2.0]))
    }
    rows = [row[:3] for row in ladder_section(splits).rows if row[1] != "random"]
    assert rows == [("easy", "the method", "100.0"), ("hard", "the method", "50.0")]


def robust(perturbation: str, strength: float, rate: float, **ends: float | None) -> dict:
    metrics = {"hit_rate@1": {"spectrum": rate, **ends}}
    return {"ranker": "a", "perturbation": perturbation, "strength": strength, "metrics": metrics}


def bands(rows: list[dict]) -> list:
    with patch.object(figures_robustness, "svg") as svg:
        figures_robustness.robustness_curves(rows)
    return [band for band in svg.call_args.args[0].axes[0].collections if band.get_paths()]


def test_robustness_curves_have_bands_where_the_rows_have_intervals():
    rows = [robust("none", 0, 0.5), robust("noise_peaks", 1, 0.4)]
    known = [
        robust("none", 0, 0.5, low=0.4, high=0.6),
        robust("noise_peaks", 1, 0.4, low=0.3, high=0.5),
        robust("noise_peaks", 2, 0.4, low=None, high=None),
    ]
    assert not bands(rows)
    (band,) = bands(known)
    vertices = band.get_paths()[0].vertices
    assert {(0.0, 40.0), (0.0, 60.0), (1.0, 30.0), (1.0, 50.0)} <= {(x, round(y, 6)) for x, y in vertices.tolist()}


def test_other_energies_are_points_of_their_own_queries_on_an_axis_from_nothing():
    ends = {"low": 0.3, "high": 0.6}
    rows = [robust("none", 0, 0.5, **ends), robust("noise_peaks", 1, 0.4, **ends)]
    for distance in (5.0, 15.0):
        rows += [robust("none", distance, 0.5, **ends), robust("other_energy_ev", distance, 0.4, **ends)]
    with patch.object(figures_robustness, "svg") as svg:
        figures_robustness.robustness_curves(rows)
    noise, energy = svg.call_args.args[0].axes
    assert energy.get_xlim()[0] == 0
    assert energy.get_xlabel() == "away by at least (eV)"
    assert [label.get_text() for label in energy.get_xticklabels()] == ["5", "15"]
    assert {line.get_linestyle() for line in energy.lines} == {"None"}
    assert energy.lines[0].get_markerfacecolor() == "white"
    assert noise.lines[0].get_xdata().tolist() == [0, 1]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_rung_of_one_molecule_has_no_interval(tmp_path: Path):
    ladder = ladder_section({"easy": [report(tmp_path / "a.json", [1, 2])]})
    assert ladder.rows == [("easy", "mine", "50.0", "–")]


def test_a_file_without_rows_is_no_robustness(tmp_path: Path):
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(EvaluationError, match="no rows with ranker, perturbation, strength and metrics"):
        robustness_section(tmp_path / "r.json")
    with pytest.raises(EvaluationError, match="cannot be read"):
        robustness_section(tmp_path / "none.json")


def test_a_map_is_drawn_of_points_with_labels():
    places = {"t-SNE": projection.tsne(np.random.default_rng(0).normal(size=(12, 4)))}
    assert places["t-SNE"].shape == (12, 2)
    assert "<svg" in map_section("Map", places, {"instrument": ["FT", "TOF"] * 6}).picture


def test_few_vectors_make_no_map():
    with pytest.raises(EvaluationError, match="a map of 2 vectors; expected at least five"):
        projection.umap(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("package", "call", "message"),
    [
        ("matplotlib", lambda: figures.drawing().__enter__(), "pictures need the package matplotlib"),
        ("umap", lambda: projection.umap(np.eye(6)), "needs the package umap-learn"),
        ("sklearn.manifold", lambda: projection.tsne(np.eye(6)), "needs the package scikit-learn"),
    ],
)
def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, package: str, call, message: str):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(EvaluationError, match=message):
        call()


def test_a_report_says_what_candidates_without_a_score_are_worth():
    found = method([1, 1, 2, 1])
    scores = found.scores.scores.copy()
    scores[[1, 2, 5]] = np.nan
    sections = result_sections({"mine": replace(found, scores=replace(found.scores, scores=scores))}, n_bootstrap=5)
    told = " mine: 3 of 16 candidates have no score and stand below the others: hit rate@1 75.0 %, or 25.0 % if they"
    assert told in sections[0].text


def test_a_control_that_is_given_under_another_name_stands_there_once(tmp_path: Path):
    first, control = method([1, 1, 2, 1]), read_method(report(tmp_path / "r.json", [4, 4, 4, 4], name="random"))[1]
    sections = result_sections({"mine": first, "chance": control}, n_bootstrap=5)
    assert [row[0] for row in sections[0].rows] == ["mine", "chance"]
    other = read_method(report(tmp_path / "o.json", [4, 4, 4, 3], name="random"))[1]
    assert len(result_sections({"mine": first, "chance": other}, n_bootstrap=5)[0].rows) == 3


def test_a_map_names_the_model_whose_space_it_shows():
    places = {"UMAP": np.zeros((12, 2))}
    found = map_section("Map", places, {"instrument": ["FT", "TOF"] * 6}, model="massbank-1")
    assert found.text.startswith("The space of massbank-1. 12 points, one a molecule;")


def test_a_wide_table_scrolls_by_itself(tmp_path: Path):
    write_report("Page", [Section(title="T", header=("a",), rows=[("1",)])], tmp_path / "p.html")
    assert '<div class="wide"><table>' in (tmp_path / "p.html").read_text()
    assert ".wide { overflow-x: auto; }" in (tmp_path / "p.html").read_text()
