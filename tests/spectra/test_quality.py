import pytest

from diptych.spectra import Adduct, QualitySettings, Rejection, Spectrum, reject_reason
from diptych.spectra.quality import doubts, rejection_text

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


def test_a_reason_comes_with_its_particulars():
    assert rejection_text(Spectrum.from_peaks([100.0], [1.0], **GOOD)) == ""
    unread = {**GOOD, "precursor_mz": None, "metadata": {"precursor_mz": "a;b"}}
    assert rejection_text(Spectrum.from_peaks([100.0], [1.0], **unread)) == "no precursor m/z: 'a,b' is no number"
    assert rejection_text(Spectrum.from_peaks([100.0], [1.0], precursor_mz=None)) == "no precursor m/z"
    impossible = Spectrum.from_peaks([-1.0, 50.0], [1.0, float("nan")], **GOOD)
    assert rejection_text(impossible) == "no peaks: 2 without a usable number left out"


@pytest.mark.parametrize(
    ("mz", "decimals", "ppm", "text"),
    [
        # Half a unit of the last decimal beside 10 ppm of 480, which are 0.0048.
        (480.0, "0", 10, "precursor m/z stated coarsely: 480 may be off by 0.5, more than the window of 10 ppm"),
        (480.2, "1", 10, "precursor m/z stated coarsely: 480.2 may be off by 0.05, more than the window of 10 ppm"),
        (480.25, "2", 10, "precursor m/z stated coarsely: 480.25 may be off by 0.005, more than the window of 10 ppm"),
        (480.25, "2", 11, ""),
        (480.25, "3", 10, ""),
        (480.25, "", 10, ""),
        (480.0, "0", None, ""),
    ],
)
def test_decimals_that_leave_more_room_than_the_window_are_minded(mz: float, decimals: str, ppm: float, text: str):
    spectrum = Spectrum.from_peaks([100.0], [1.0], precursor_mz=mz, metadata={"precursor_mz_decimals": decimals})
    assert doubts(spectrum, ppm=ppm) == text


def test_all_that_is_to_mind_is_said():
    spectrum = Spectrum.from_peaks(
        [100.0, 110.0], [1.0, -5.0], precursor_mz=195.1, metadata={"adduct": "[Xx]", "precursor_mz_decimals": "1"}
    )
    assert [part.partition(":")[0] for part in doubts(spectrum, ppm=5).split("; ")] == [
        "adduct not understood", "precursor m/z stated coarsely", "peaks without a usable number left out",
    ]  # fmt: skip
