from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from diptych.data.dataset import Dataset
from diptych.errors import EvaluationError
from diptych.evaluation import Answers, Evaluation
from diptych.evaluation.protocols.generalisation import held_out_folds, ladder_lines, leave_one_out


def dataset(blocks: str, instruments: Sequence[str | None], **columns: Sequence[str]) -> Dataset:
    table = pa.table(
        {
            "inchikey_first_block": pa.array(list(blocks)),
            "instrument_class": pa.array(list(instruments), pa.string()).dictionary_encode(),
            **{name: pa.array(list(values)) for name, values in columns.items()},
        }
    )
    return Dataset(
        columns=table, offsets=np.zeros(len(blocks) + 1, np.int64), mz=np.empty(0), intensity=np.empty(0, np.float32)
    )


def test_a_molecule_that_is_tested_is_not_trained_on():
    spectra = dataset("AABC", ["TOF", "FT", "FT", "FT"])
    folds = held_out_folds(spectra, column="instrument_class", values=["TOF"])
    assert folds[:2] == ["test", "none"]
    assert set(folds[2:]) <= {"train", "val"}


def test_a_tenth_of_the_other_molecules_is_val():
    blocks = "".join(chr(65 + i) for i in range(50))
    folds = held_out_folds(dataset(blocks, ["TOF"] * 10 + ["FT"] * 40), column="instrument_class", values=["TOF"])
    assert (folds.count("test"), folds.count("val"), folds.count("train")) == (10, 4, 36)


def test_over_a_split_only_its_test_molecules_are_tested():
    spectra = dataset(
        "AABBCD", ["TOF", "FT", "TOF", "FT", "FT", None], fold_scaffold=["test"] * 2 + ["train"] * 2 + ["val", "train"]
    )
    folds = held_out_folds(spectra, column="instrument_class", values=["TOF"], base="scaffold")
    assert folds == ["test", "none", "none", "train", "val", "train"]


def test_each_value_is_held_out_in_turn_where_enough_is_left():
    spectra = dataset("ABCDEF", ["TOF", "TOF", "FT", "FT", "trap", None])
    folds = leave_one_out(spectra, column="instrument_class", min_spectra=2)
    assert list(folds) == ["FT", "TOF"]
    assert [row for row, fold in enumerate(folds["FT"]) if fold == "test"] == [2, 3]


def test_nothing_to_test_is_refused_and_so_leaves_no_rung():
    spectra = dataset("AB", ["TOF", "TOF"])
    with pytest.raises(EvaluationError, match=r"holding out instrument_class FT leaves 0 spectra to test .*it has TOF"):
        held_out_folds(spectra, column="instrument_class", values=["FT"])
    assert leave_one_out(spectra, column="instrument_class") == {}


def rung(ranks: list[float], **controls: list[float]) -> Evaluation:
    def answers(name: str, values: list[float]) -> Answers:
        unknown = np.full(len(values), np.nan)
        return Answers(
            ranker=name, ranks=np.array(values), target_scores=unknown, best_scores=unknown, best=("",) * len(values)
        )

    return Evaluation(
        queries=tuple(map(str, range(len(ranks)))),
        targets=("A",) * len(ranks),
        list_lengths=np.full(len(ranks), 5),
        answers=answers("model", ranks),
        controls=tuple(answers(name, values) for name, values in controls.items()),
        provenance={},
        n_bootstrap=5,
    )


def test_the_ladder_has_a_row_per_split_with_its_controls():
    lines = ladder_lines({"random": rung([1, 1, 2, 1], blind=[1, 2, 2, 2]), "scaffold": rung([2, 2])})
    assert lines[2:] == [
        "| split | queries | molecules | method | hit_rate@1 | blind |",
        "|---|---|---|---|---|---|",
        "| random | 4 | 1 | model | 75.0 | 25.0 |",
        "| scaffold | 2 | 1 | model | 0.0 |  |",
    ]
    assert ladder_lines({"scaffold": rung([2, 2])}, metric="mrr")[2] == "| split | queries | molecules | method | mrr |"


def test_a_ladder_needs_rungs_and_a_known_metric():
    with pytest.raises(EvaluationError, match="a ladder of no splits"):
        ladder_lines({})
    with pytest.raises(EvaluationError, match=r"no metric 'best'; expected one of hit_rate@1"):
        ladder_lines({"random": rung([1])}, metric="best")


def test_a_rung_that_lacks_the_metric_is_named():
    rungs = {"random": replace(rung([1, 2]), ks=(1, 100)), "scaffold": rung([1, 2])}
    with pytest.raises(
        EvaluationError,
        match=r"split 'scaffold': no metric 'hit_rate@100'; expected one of hit_rate@1, hit_rate@5, hit_rate@20, mrr",
    ):
        ladder_lines(rungs, metric="hit_rate@100")
