import pytest

from diptych.molecules.murcko import murcko_scaffold
from diptych.molecules.structure import Structure


@pytest.mark.parametrize(
    ("smiles", "scaffold"),
    [
        ("CCO", ""),
        ("Cc1ccccc1", "c1ccccc1"),
        ("c1ccc(CCc2ccccc2)cc1", "c1ccc(CCc2ccccc2)cc1"),
        ("CC(C)c1ccc(C(=O)c2ccccc2)cc1", "O=C(c1ccccc1)c1ccccc1"),
    ],
)
def test_rings_and_linkers_remain(smiles: str, scaffold: str):
    assert murcko_scaffold(Structure.from_smiles(smiles)) == scaffold
