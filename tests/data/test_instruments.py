import pytest

from diptych.data.instruments import InstrumentClass, instrument_class


@pytest.mark.parametrize(
    ("instrument_type", "expected"),
    [
        ("LC-ESI-QTOF", "TOF"),
        ("LC-ESI-ITTOF", "TOF"),
        ("MALDI-TOFTOF", "TOF"),
        ("LC-ESI-ITFT", "FT"),
        ("LC-ESI-QFT", "FT"),
        ("LC-ESI-FT", "FT"),
        ("LC-ESI-QIT", "ion trap"),
        ("LC-ESI-IT", "ion trap"),
        ("LC-ESI-QQ", "quadrupole"),
        ("LC-APPI-QQ", "quadrupole"),
        ("LC-ESI-QQQ", "quadrupole"),
        ("LC-ESI-Q", "quadrupole"),
        ("FAB-EBEB", "other"),
        ("Orbitrap", "FT"),
        ("QTOF", "TOF"),
        ("electrospray ionization-quadrupole-orbitrap", "FT"),
        ("electrospray ionization-quadrupole-time-of-flight", "TOF"),
        ("", "other"),
        (None, "other"),
    ],
)
def test_the_last_analyser_decides(instrument_type: str | None, expected: str):
    assert instrument_class(instrument_type) == InstrumentClass(expected)


def test_the_model_is_asked_where_the_type_says_nothing():
    assert instrument_class(None, "maXis plus UHR-ToF-MS, Bruker Daltonics") == InstrumentClass.TIME_OF_FLIGHT
    assert instrument_class("LC-ESI-QQ", "Q Exactive") == InstrumentClass.QUADRUPOLE


def test_high_resolution_is_time_of_flight_or_fourier_transform():
    high = {kind for kind in InstrumentClass if kind.is_high_resolution}
    assert high == {InstrumentClass.TIME_OF_FLIGHT, InstrumentClass.FOURIER_TRANSFORM}
