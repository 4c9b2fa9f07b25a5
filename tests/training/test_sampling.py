import hashlib
from typing import Any

import numpy as np
import pytest

from diptych.errors import TrainingError
from diptych.training.negatives import negatives_by_formula
from diptych.training.ragged import Ragged
from diptych.training.sampling import BatchPlan, EpochSampler, HardShare

FORMULAS = ["A", "A", "B", "C", "A", "B", "D", "A"]
MASSES = np.array([10.0, 10.0, 20.0, 30.0, 10.0, 20.0, 31.0, 10.0])


def sampler(
    *, batch_size: int = 2, n_negatives: int = 2, seed: int = 1, fill: str = "none", **options: Any
) -> EpochSampler:
    owners = np.array([0, 1, 1, 2, 3, 3, 3, 0, 1])
    return EpochSampler(
        spectra_of=Ragged.from_owners(owners, n_owners=4),
        negatives_of=negatives_by_formula(FORMULAS, MASSES, n_molecules=4, wanted=n_negatives, fill=fill),
        batch_size=batch_size,
        n_negatives=n_negatives,
        seed=seed,
        **options,
    )


def flat(plans: list[BatchPlan]) -> list[list[int]]:
    return [array.tolist() for plan in plans for array in (plan.molecules, plan.spectra, plan.negatives, plan.owner)]


def test_an_epoch_has_every_molecule_once_with_one_of_its_own_spectra():
    s = sampler()
    for number in range(5):
        plans = s.epoch(number)
        molecules = np.concatenate([plan.molecules for plan in plans])
        assert sorted(molecules.tolist()) == [0, 1, 2, 3]
        for plan in plans:
            for molecule, spectrum in zip(plan.molecules, plan.spectra, strict=True):
                assert spectrum in s.spectra_of[molecule]


def test_all_spectra_of_a_molecule_are_drawn_in_the_end():
    s = sampler()
    drawn = {int(spectrum) for number in range(60) for plan in s.epoch(number) for spectrum in plan.spectra}
    assert drawn == set(range(9))


def test_neither_replicates_nor_targets_are_negatives():
    s = sampler(batch_size=4, n_negatives=3, fill="mass")
    for number in range(20):
        for plan in s.epoch(number):
            assert len(set(plan.molecules.tolist())) == len(plan.molecules)
            assert not set(plan.negatives.tolist()) & set(plan.molecules.tolist())


def test_negatives_have_the_formula_of_their_owner():
    for plan in sampler().epoch(0):
        for negative, owner in zip(plan.negatives, plan.owner, strict=True):
            assert FORMULAS[negative] == FORMULAS[plan.molecules[owner]]


def test_negatives_are_distinct_and_at_most_as_many_as_wanted():
    for plan in sampler(batch_size=4, n_negatives=2).epoch(3):
        for owner in range(len(plan.molecules)):
            own = plan.negatives[plan.owner == owner].tolist()
            assert len(own) == len(set(own)) <= 2


def test_without_hard_negatives_none_are_drawn():
    assert all(plan.negatives.size == plan.owner.size == 0 for plan in sampler(n_negatives=0).epoch(0))


def test_an_epoch_is_a_function_of_seed_and_number():
    assert flat(sampler().epoch(4)) == flat(sampler().epoch(4))
    assert any(flat(sampler().epoch(4)) != flat(sampler(seed=seed).epoch(4)) for seed in range(2, 6))
    assert any(flat(sampler().epoch(4)) != flat(sampler().epoch(number)) for number in range(4))


@pytest.mark.parametrize(("batch_size", "sizes"), [(2, [2, 2]), (3, [2, 2]), (4, [4]), (100, [4])])
def test_batches_of_an_epoch_are_of_one_size_and_none_is_dropped(batch_size: int, sizes: list[int]):
    assert [len(plan.molecules) for plan in sampler(batch_size=batch_size).epoch(0)] == sizes


def test_no_batch_has_a_single_molecule():
    spectra = Ragged.from_owners(np.arange(5), n_owners=5)
    none = Ragged.from_lists([[]] * 5)
    s = EpochSampler(spectra_of=spectra, negatives_of=none, batch_size=2, n_negatives=0, seed=0)
    assert [len(plan.molecules) for plan in s.epoch(0)] == [3, 2]


def test_one_molecule_cannot_be_contrasted():
    spectra = Ragged.from_owners(np.zeros(3, dtype=np.int64), n_owners=1)
    with pytest.raises(TrainingError, match=r"1 molecules to train on; expected at least 2"):
        EpochSampler(spectra_of=spectra, negatives_of=Ragged.from_lists([[]]), batch_size=2, n_negatives=0, seed=0)


def test_plans_of_one_spectrum_and_one_kind_of_negative_are_those_of_the_first_release():
    plans = sampler(seed=1).epoch(3)
    assert [flat([plan]) for plan in plans] == [
        [[0, 3], [0, 4], [1, 4], [0, 0]],
        [[2, 1], [3, 8], [5, 0, 7], [0, 1, 1]],
    ]
    assert [plan.seed for plan in plans] == [(1, 3, 0), (1, 3, 1)]
    assert [plan.molecule.tolist() for plan in plans] == [[0, 1], [0, 1]]
    assert all(plan.unlabelled.size == 0 for plan in plans)


def test_many_plans_are_those_of_the_first_release():
    rng = np.random.default_rng(7)
    owners = np.sort(np.concatenate([np.arange(200), rng.integers(0, 200, 800)]))
    numbers = rng.integers(0, 60, 900)
    formulas, masses = [f"F{number}" for number in numbers], 100.0 + numbers
    s = EpochSampler(
        spectra_of=Ragged.from_owners(rng.permutation(owners), n_owners=200),
        negatives_of=negatives_by_formula(formulas, masses, n_molecules=200, wanted=9, fill="mass"),
        batch_size=32,
        n_negatives=5,
        seed=3,
    )
    digest = hashlib.sha256()
    for plan in (plan for number in range(3) for plan in s.epoch(number)):
        for array in (plan.molecules, plan.spectra, plan.negatives, plan.owner):
            digest.update(array.astype(np.int64).tobytes())
        digest.update(repr(plan.seed).encode())
    assert digest.hexdigest() == "e7883d92a7bd12a281eea0ee972349ea547819369b1c9bca50ac94c994502ea0"


def test_several_spectra_of_a_molecule_stand_together_and_are_its_own():
    s = sampler(spectra_per_molecule=3)
    for plan in s.epoch(0):
        assert plan.molecule.tolist() == [0, 0, 0, 1, 1, 1]
        for spectrum, place in zip(plan.spectra, plan.molecule, strict=True):
            assert spectrum in s.spectra_of[plan.molecules[place]]


def test_fewer_hard_negatives_are_drawn_at_first():
    lists = Ragged.from_lists([np.arange(100, 120)] * 50)
    s = EpochSampler(
        spectra_of=Ragged.from_owners(np.arange(50), n_owners=50),
        negatives_of=lists,
        batch_size=10,
        n_negatives=10,
        seed=0,
        hard_share=HardShare(start=0.25, end=1.0, n_epochs=4),
    )
    drawn = [sum(len(plan.negatives) for plan in s.epoch(number)) for number in range(5)]
    assert drawn[0] == pytest.approx(125, abs=15)
    assert drawn[1:3] == pytest.approx([250, 375], abs=15)
    assert drawn[3:] == [500, 500]


def test_a_run_of_one_epoch_has_the_last_share():
    assert HardShare(start=0.1, end=0.7, n_epochs=1).at(0) == 0.7


def test_places_that_are_left_can_be_taken_by_random_structures():
    s = sampler(batch_size=2, n_negatives=3, n_easy=200)
    drawn = set()
    for number in range(30):
        for plan in s.epoch(number):
            assert not set(plan.negatives.tolist()) & set(plan.molecules.tolist())
            for place, molecule in enumerate(plan.molecules):
                own = plan.negatives[plan.owner == place].tolist()
                assert len(own) == len(set(own)) <= 3
                if molecule == 3:  # the only one of its formula
                    drawn |= set(own)
    assert len(drawn) > 60


def test_unlabelled_spectra_of_a_batch_are_distinct_and_differ_from_epoch_to_epoch():
    s = sampler(n_pool=100, n_unlabelled=7)
    plans = [plan for number in range(20) for plan in s.epoch(number)]
    assert all(len(set(plan.unlabelled.tolist())) == 7 for plan in plans)
    assert len({row for plan in plans for row in plan.unlabelled.tolist()}) > 80
    assert flat(sampler().epoch(0)) == flat(s.epoch(0))


def test_a_balanced_sampler_draws_the_rare_spectrum_more_often():
    spectra = Ragged.from_lists([[0, 1], [2, 3]])
    s = EpochSampler(
        spectra_of=spectra,
        negatives_of=Ragged.from_lists([[], []]),
        batch_size=2,
        n_negatives=0,
        seed=0,
        weights=np.array([1.0, 4.0, 1.0, 1.0]),
    )
    drawn = np.array([np.sort(plan.spectra) for number in range(500) for plan in s.epoch(number)])
    assert (drawn[:, 0] == 1).mean() == pytest.approx(0.8, abs=0.05)
    assert (drawn[:, 1] == 3).mean() == pytest.approx(0.5, abs=0.06)


def test_batches_of_neighbours_hold_every_molecule_once():
    masses = np.array([3.0, 1.0, 2.0, 4.0])
    for plan in sampler(batches="mass", keys=masses).epoch(0):
        assert len(plan.molecules) == 2
    plans = sampler(batches="mass", keys=masses).epoch(1)
    assert sorted(np.concatenate([plan.molecules for plan in plans]).tolist()) == [0, 1, 2, 3]


def test_negatives_may_start_late():
    share = HardShare(n_epochs=10, from_share=0.75)
    assert [share.at(epoch) for epoch in range(10)] == [0.0] * 7 + [1.0] * 3
    s = sampler(n_negatives=2, batch_size=1, hard_share=HardShare(n_epochs=4, from_share=0.5))
    assert [sum(len(plan.negatives) for plan in s.epoch(number)) > 0 for number in range(4)] == [
        False,
        False,
        True,
        True,
    ]
