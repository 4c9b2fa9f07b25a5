from types import SimpleNamespace

import numpy as np

from diptych.molecules.token_sequences import TokenSequences

DRAWN = SimpleNamespace(random_smiles=True)


def sequences() -> TokenSequences:
    """Return two molecules of two sequences each: [1 2] [3], and [4] [5 6 7]."""
    return TokenSequences.from_lists([[1, 2], [3], [4], [5, 6, 7]], n_variants=2)


def lists(rows: TokenSequences) -> list[list[int]]:
    return [rows.ids[a:b].tolist() for a, b in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)]


def test_rows_are_molecules_with_all_their_sequences():
    rows = sequences()
    assert len(rows) == 2
    assert lists(rows.take(np.array([1, 0, 1]))) == [[4], [5, 6, 7], [1, 2], [3], [4], [5, 6, 7]]
    assert lists(rows.take(np.empty(0, dtype=np.int64))) == []


def test_parts_are_laid_end_to_end():
    joined = TokenSequences.concatenate([sequences(), sequences().take(np.array([1]))])
    assert lists(joined) == [[1, 2], [3], [4], [5, 6, 7], [4], [5, 6, 7]]
    assert len(joined) == 3


def test_one_sequence_of_each_molecule_can_be_chosen():
    chosen = sequences().variants(np.array([1, 0]))
    assert lists(chosen) == [[3], [4]]
    assert chosen.n_variants == 1


def test_augmentation_draws_one_sequence_by_the_seed():
    drawn = [lists(sequences().augmented(DRAWN, np.random.default_rng(seed))) for seed in range(20)]
    assert {tuple(one[0]) for one in drawn} == {(1, 2), (3,)}
    assert {tuple(one[1]) for one in drawn} == {(4,), (5, 6, 7)}
    assert lists(sequences().augmented(DRAWN, np.random.default_rng(4))) == drawn[4]


def test_the_first_sequence_stays_where_no_other_is_wanted_or_there_is_none():
    kept = sequences().augmented(SimpleNamespace(random_smiles=False), np.random.default_rng(0))
    assert lists(kept) == [[1, 2], [4]]
    assert sequences().augmentations == {"random_smiles"}
    assert kept.augmentations == frozenset()


def test_the_first_sequences_are_padded_at_the_end():
    assert sequences().padded(fill=9).tolist() == [[1, 2], [4, 9]]
    assert sequences().lengths.tolist() == [2, 1]
