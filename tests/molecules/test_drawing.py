import pytest
from lxml import etree

from diptych.errors import StructureError
from diptych.molecules.drawing import drawn


def test_a_drawing_is_one_svg_element_of_the_size_asked_for():
    picture = etree.fromstring(drawn("CCO", width=200, height=100).encode())
    assert picture.tag.endswith("svg")
    assert picture.attrib["width"] == "200px"


def test_a_smiles_that_is_none_cannot_be_drawn():
    with pytest.raises(StructureError, match="cannot be parsed"):
        drawn("C1CC")
