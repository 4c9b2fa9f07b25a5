import numpy as np
import pytest

from diptych.molecules.sparse import SparseFeatures


def features(*rows: dict[int, float]) -> SparseFeatures:
    pairs = [(np.array(list(r), dtype=np.int32), np.array(list(r.values()), dtype=np.float32)) for r in rows]
    return SparseFeatures.from_rows(pairs, width=10)


def dense(table: SparseFeatures) -> np.ndarray:
    result = np.zeros((len(table), table.width))
    for row in range(len(table)):
        entries = slice(table.indptr[row], table.indptr[row + 1])
        result[row, table.indices[entries]] = table.values[entries]
    return result


def test_rows_are_taken_in_the_order_asked_for():
    table = features({1: 2.0, 3: 4.0}, {}, {5: 6.0})
    np.testing.assert_array_equal(dense(table.take(np.array([2, 0, 0, 1]))), dense(table)[[2, 0, 0, 1]])


def test_concatenated_parts_are_the_rows_one_after_the_other():
    first, second = features({1: 2.0}, {}), features({0: 1.0, 9: 3.0})
    joined = SparseFeatures.concatenate([first, second])
    np.testing.assert_array_equal(dense(joined), np.vstack([dense(first), dense(second)]))


def test_no_rows_are_a_table_too():
    assert len(features()) == 0
    assert len(features({1: 1.0}).take(np.array([], dtype=np.int64))) == 0


@pytest.mark.parametrize("length", [3, 400], ids=["short rows", "long rows"])
def test_rows_are_taken_in_the_order_asked_for_however_long_they_are(length: int):
    rng = np.random.default_rng(0)
    rows = [(rng.integers(0, 99, n).astype(np.int32), rng.random(n, dtype=np.float32)) for n in (length, 0, 2 * length)]
    features = SparseFeatures.from_rows(rows, width=99)
    taken = features.take(np.array([2, 0, 2, 1]))
    assert np.diff(taken.indptr).tolist() == [2 * length, length, 2 * length, 0]
    assert taken.indices.tolist() == np.concatenate([rows[i][0] for i in (2, 0, 2)]).tolist()
    assert taken.values.tolist() == np.concatenate([rows[i][1] for i in (2, 0, 2)]).tolist()
    assert len(features.take(np.empty(0, dtype=np.int64))) == 0
