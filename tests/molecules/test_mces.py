import pytest

from diptych.errors import StructureError
from diptych.molecules import mces
from diptych.molecules.mces import has_exact_mces, mces_distance, mces_lower_bound

ASPIRIN, SALICYLATE = "CC(=O)Oc1ccccc1C(=O)O", "COC(=O)c1ccccc1O"


def test_bounds_worked_out_by_hand():
    # Ethanol and ethylamine: C-O pays 1/2 at C and 1/2 at O, C-N as much.
    assert mces_lower_bound("CCO", "CCN") == 2.0
    # Benzene and cyclohexane: six bonds of 1.5 against six of 1.
    assert mces_lower_bound("c1ccccc1", "C1CCCCC1") == 3.0
    assert mces_lower_bound(ASPIRIN, ASPIRIN) == 0.0


def test_the_bound_is_symmetric():
    assert mces_lower_bound(ASPIRIN, SALICYLATE) == mces_lower_bound(SALICYLATE, ASPIRIN)


def test_the_bound_is_not_above_the_exact_distance():
    if not has_exact_mces():
        pytest.skip("the package myopic-mces is not installed")
    assert mces_lower_bound(ASPIRIN, SALICYLATE) <= mces_distance(ASPIRIN, SALICYLATE) == 5.0
    assert mces_distance(ASPIRIN, ASPIRIN) == 0.0


def test_without_the_package_there_is_no_exact_distance(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mces, "find_spec", lambda name: None)
    with pytest.raises(StructureError, match=r"needs the package myopic-mces: pip install 'diptych\[mces\]'"):
        mces_distance("C", "C")
