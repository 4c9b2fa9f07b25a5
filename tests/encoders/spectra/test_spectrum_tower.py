import inspect

import pytest

from diptych.encoders.spectra.spectrum_tower import SpectrumTower
from diptych.spectra import Spectrum
from diptych.spectra.cleaning import CleaningSettings


class First(SpectrumTower):
    def __init__(self, *, width: int = 3, sizes: tuple[int, ...] = (1, 2), **shared) -> None:
        super().__init__(**shared)
        self.width, self.sizes = width, sizes


class Second(First):
    default_cleaning = CleaningSettings(max_peaks=2)

    def __init__(self, *, depth: int = 4, width: int = 5, **first) -> None:
        super().__init__(width=width, **first)
        self.depth = depth


def test_a_tower_tells_the_options_of_those_that_it_is_made_of():
    parameters = inspect.signature(Second).parameters
    assert list(parameters) == ["depth", "width", "sizes", "embedding_dim", "ion_table", "ion_weight", "cleaning"]
    assert parameters["width"].default == 5


def test_settings_are_the_options_as_json_holds_them():
    settings = Second(embedding_dim=8, depth=1, sizes=(7,)).settings()
    assert list(settings) == ["ion_weight", "depth", "width", "sizes", "cleaning"]
    assert (settings["depth"], settings["width"], settings["sizes"]) == (1, 5, [7])
    assert settings["cleaning"]["max_peaks"] == 2


def test_the_cleaning_of_the_tower_is_used_unless_another_is_given():
    spectrum = Spectrum.from_peaks([50.0, 60.0, 70.0], [1.0, 2.0, 3.0])
    assert Second(embedding_dim=8).collate([spectrum]).mz.tolist() == [[60, 70]]
    assert Second(embedding_dim=8, cleaning={"max_peaks": 1}).collate([spectrum]).mz.tolist() == [[70]]


def test_an_option_that_no_part_has_is_refused():
    with pytest.raises(TypeError, match="height"):
        Second(embedding_dim=8, height=1)
