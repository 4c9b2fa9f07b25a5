import pytest

from diptych.errors import StructureError
from diptych.molecules.structural_class import STRUCTURAL_CLASSES, structural_class


@pytest.mark.parametrize(
    ("name", "smiles", "expected"),
    [
        ("testosterone", "CC12CCC3C(C1CCC2O)CCC4=CC(=O)CCC34C", "steroid"),
        ("estradiol, with an aromatic ring", "CC12CCC3C(C1CCC2O)CCC4=C3C=CC(=C4)O", "steroid"),
        ("quercetin", "C1=CC(=C(C=C1C2=C(C(=O)C3=C(C=C(C=C3O2)O)O)O)O)O", "flavonoid"),
        ("genistein", "C1=CC(=CC=C1C2=COC3=CC(=CC(=C3C2=O)O)O)O", "flavonoid"),
        ("catechin", "C1C(C(OC2=CC(=CC(=C21)O)O)C3=CC(=C(C=C3)O)O)O", "flavonoid"),
        ("sucrose", "OCC1OC(OC2(CO)OC(CO)C(O)C2O)C(O)C(O)C1O", "sugar or glycoside"),
        ("adenosine", "Nc1ncnc2n(cnc12)C1OC(CO)C(O)C1O", "sugar or glycoside"),
        ("triglycine", "NCC(=O)NCC(=O)NCC(=O)O", "peptide"),
        ("oleic acid", "CCCCCCCCC=CCCCCCCCC(=O)O", "fatty chain"),
        ("a phosphatidic acid", "CCCCCCCCCCCC(=O)OCC(COP(=O)(O)O)OC(=O)CCCCCCCCCCC", "fatty chain"),
        ("malathion", "CCOC(=O)CC(SP(=S)(OC)OC)C(=O)OCC", "organophosphorus"),
        ("sulfamethoxazole", "Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1", "sulfonyl"),
        ("caffeine", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "N-heteroaromatic"),
        ("aspirin", "CC(=O)Oc1ccccc1C(=O)O", "benzenoid"),
        ("menthol", "CC(C)C1CCC(C)CC1O", "aliphatic"),
        ("water", "O", "other"),
    ],
)
def test_a_structure_is_of_the_first_class_whose_pattern_it_holds(name: str, smiles: str, expected: str):
    assert structural_class(smiles) == expected
    assert expected in STRUCTURAL_CLASSES


def test_what_is_no_structure_is_named():
    with pytest.raises(StructureError, match=r"'C\(': RDKit cannot read it; expected SMILES"):
        structural_class("C(")
