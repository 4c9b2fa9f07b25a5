import numpy as np
import pytest
from rdkit import Chem

from diptych.errors import StructureError
from diptych.molecules.descriptors import DESCRIPTORS, DescriptorFeaturiser

PHENOL = Chem.MolFromSmiles("c1ccccc1O")


def test_phenol_is_described_as_a_chemist_counts_it():
    row = dict(zip(DESCRIPTORS, DescriptorFeaturiser()([PHENOL]).values[0].tolist(), strict=True))
    counts = ("HeavyAtomCount", "NumHeteroatoms", "NumHDonors", "NumHAcceptors", "RingCount", "NumAromaticRings")
    assert [row[name] for name in counts] == [7, 1, 1, 1, 1, 1]
    assert row["NumRotatableBonds"] == 0
    assert row["FractionCSP3"] == 0
    # one hydroxyl group: 20.23 square angstrom in the table of Ertl et al.
    assert row["TPSA"] == pytest.approx(20.23)


def test_rows_are_taken_and_joined():
    rows = DescriptorFeaturiser(names=("HeavyAtomCount",))([PHENOL, Chem.MolFromSmiles("CC")])
    joined = type(rows).concatenate([rows.take(np.array([1])), rows])
    assert len(joined) == 3
    assert joined.values[:, 0].tolist() == [2, 7, 2]


def test_an_unknown_descriptor_is_refused():
    with pytest.raises(StructureError, match=r"unknown descriptor 'Colour'; expected names of rdkit"):
        DescriptorFeaturiser(names=("Colour",))
