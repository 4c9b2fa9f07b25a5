import json
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from diptych.errors import EvaluationError
from diptych.evaluation.ablation import ablation_table, draw
from diptych.evaluation.report import figures
from diptych.evaluation.results.query_results import QueryResults


def results(ranks: list[float]) -> QueryResults:
    n = len(ranks)
    unknown = np.full(n, math.nan)
    return QueryResults(
        queries=tuple(map(str, range(n))),
        targets=tuple(f"M{i}" for i in range(n)),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.full(n, 4),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
    )


BASE = ("base", "base")


def test_rows_worked_out_by_hand():
    base = [results([1] * 20 + [2] * 20), results([1] * 24 + [2] * 16)]
    worse = [results([2] * 40)]
    made = ablation_table({BASE: base, ("negatives", "none"): worse, ("dim", "same"): base}, n_bootstrap=200)
    first, none, same = made.rows
    assert first.hit_rate == pytest.approx(0.55)
    assert first.seed_deviation == pytest.approx(math.sqrt(2 * 0.05**2))
    assert first.mrr == pytest.approx(0.55 + 0.45 / 2)
    assert math.isnan(first.p_adjusted)
    assert none.difference == pytest.approx(-0.55)
    # Two comparisons: the smaller p, 2 / 201, is doubled.
    assert none.p_adjusted == pytest.approx(4 / 201)
    assert none.mark == "*"
    assert (same.difference, same.mark) == (0.0, "")
    assert "| ≤ 0.02 |" in made.markdown()
    assert "Of 200 resamples and 2 comparisons no adjusted p of the bootstrap can be below 0.02" in made.markdown()
    assert math.isnan(none.seed_deviation)


def test_a_table_is_written_with_its_picture(tmp_path: Path):
    made = ablation_table(
        {BASE: [results([1, 1, 2])], ("tower", "GCN"): [results([1, 2, 2])], ("tower", "GAT"): []},
        n_bootstrap=50,
        unfinished={"tower GAT, seed 0": "out of memory"},
    )
    made.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ablation.json",
        "ablation.md",
        "ablation.png",
        "ablation.svg",
    ]
    written = json.loads((tmp_path / "ablation.json").read_text())
    assert [row["level"] for row in written["rows"]] == ["base", "GCN"]
    assert "Not finished: tower GAT, seed 0: out of memory" in (tmp_path / "ablation.md").read_text()


def test_without_a_base_there_is_no_table():
    with pytest.raises(EvaluationError, match="no finished run of its base"):
        ablation_table({BASE: [], ("a", "b"): [results([1])]})


def test_runs_of_other_queries_are_refused():
    with pytest.raises(EvaluationError, match="a b: a run was asked 2 queries that are not the 3 of the base"):
        ablation_table({BASE: [results([1, 2, 3])], ("a", "b"): [results([1, 2])]})


def test_a_long_title_stays_inside_its_picture():
    title = "Ablation of a recipe with a name so long that it would run over the edges of any picture of this width"
    cells = {BASE: [results([1, 1, 2])], ("tower", "GCN"): [results([1, 2, 2])]}
    made = ablation_table(cells, n_bootstrap=20, title=title)
    with figures.drawing() as (figure, axes):
        draw(made, figure)
        figure.draw_without_rendering()
        (drawn,) = (text for text in axes.findobj(Text) if " ".join(text.get_text().split()) == title)
        box = drawn.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
