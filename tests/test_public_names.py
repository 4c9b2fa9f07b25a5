import importlib

import pytest

import diptych

PUBLIC_NAMES = [
    "Adduct",
    "AnnotatedSpectrum",
    "Annotation",
    "DiptychError",
    "Evaluation",
    "Formula",
    "JointEmbedding",
    "Ranker",
    "Ranking",
    "SpectralLibrary",
    "Spectrum",
    "Structure",
    "StructureLibrary",
    "annotate",
    "evaluate",
    "read_spectra",
]


def test_the_public_names_are_these():
    assert diptych.__all__ == PUBLIC_NAMES
    assert dir(diptych) == sorted([*PUBLIC_NAMES, "__version__"])


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_each_public_name_comes_from_its_home(name: str):
    home = importlib.import_module(diptych._HOMES[name])
    assert getattr(diptych, name) is getattr(home, name)
    assert name in getattr(home, "__all__", [name])


def test_another_name_is_refused_with_the_list_of_names():
    with pytest.raises(AttributeError, match="no attribute 'Spectra'; it has Adduct, AnnotatedSpectrum"):
        _ = diptych.Spectra
