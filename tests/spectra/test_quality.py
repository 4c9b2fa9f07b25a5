import pytest

from diptych.spectra import Adduct, QualitySettings, Rejection, Spectrum, reject_reason

GOOD = {"precursor_mz": 181.07, "charge": 1, "adduct": Adduct.parse("[M+H]+"), "metadata": {"ionmode": "positive"}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"charge": None, "adduct": None, "metadata": {}}, None),
        ({"metadata": {"ms_level": "2"}}, None),
        ({"metadata": {"ms_level": "1"}}, Rejection.NOT_MS2),
        ({"metadata": {"ms_level": "MSn"}}, Rejection.NOT_MS2),
        ({"precursor_mz": None}, Rejection.NO_PRECURSOR),
        ({"precursor_mz": -5.0}, Rejection.ABSURD_PRECURSOR),
        ({"precursor_mz": 1e9}, Rejection.ABSURD_PRECURSOR),
        ({"charge": 2}, Rejection.CHARGE_CONTRADICTS_ADDUCT),
        ({"charge": -1}, Rejection.CHARGE_CONTRADICTS_ADDUCT),
        ({"metadata": {"ionmode": "negative"}}, Rejection.POLARITY_CONTRADICTS_ADDUCT),
        ({"adduct": None, "metadata": {"ionmode": "negative"}}, Rejection.POLARITY_CONTRADICTS_CHARGE),
    ],
)
def test_reasons_are_data(changes: dict, reason: Rejection | None):
    assert reject_reason(Spectrum.from_peaks([100.0], [1.0], **{**GOOD, **changes})) is reason


def test_peaks_are_counted():
    assert reject_reason(Spectrum.from_peaks([], [], **GOOD)) is Rejection.NO_PEAKS
    few = Spectrum.from_peaks([100.0], [1.0], **GOOD)
    assert reject_reason(few, QualitySettings(min_peaks=2)) is Rejection.TOO_FEW_PEAKS


def test_a_reason_reads_as_a_text():
    assert str(Rejection.CHARGE_CONTRADICTS_ADDUCT) == "charge contradicts adduct"
