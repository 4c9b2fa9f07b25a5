import numpy as np

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
