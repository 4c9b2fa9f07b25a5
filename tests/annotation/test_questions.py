import pytest

from diptych.annotation.annotation import Annotation
from diptych.annotation.questions import Asking, MassWindow, Question
from diptych.spectra import Adduct, Spectrum
from diptych.spectra.adduct import LIKELY_ADDUCTS


def spectrum(**fields) -> Spectrum:
    metadata = fields.pop("metadata", {})
    fields = {"identifier": "s", "precursor_mz": 195.08765, **fields}
    return Spectrum.from_peaks([110.0713, 138.0662], [20.0, 100.0], metadata=metadata, **fields)


def windows(answer: Question | Annotation) -> list[MassWindow]:
    assert isinstance(answer, Question), answer
    return list(answer.windows)


def test_the_window_of_caffeine_as_proton_adduct():
    # 195.08765 - 1.00727646 = 194.08037 (C8H10N4O2 is 194.08038); 10 ppm of 195.08765 is 0.00195088.
    (window,) = windows(Asking(ppm=10).ask(spectrum(adduct=Adduct.parse("[M+H]+"))))
    assert window.neutral_mass == pytest.approx(194.080374, abs=1e-6)
    assert window.half_width_da == pytest.approx(0.0019508765, abs=1e-10)


def test_the_window_of_a_dimer_is_half_as_wide_and_of_a_double_charge_twice_as_wide():
    dimer = MassWindow.around(400.0, Adduct.parse("[2M+H]+"), ppm=10)
    assert dimer.half_width_da == pytest.approx(0.002)
    assert dimer.neutral_mass == pytest.approx((400.0 - 1.00727646) / 2, abs=1e-6)
    double = MassWindow.around(400.0, Adduct.parse("[M+2H]2+"), ppm=10)
    assert double.half_width_da == pytest.approx(0.008)
    assert double.neutral_mass == pytest.approx(2 * (400.0 - 1.00727646), abs=1e-6)


def test_a_spectrum_without_adduct_is_asked_under_the_likely_ones_of_its_polarity():
    asked = windows(Asking(ppm=10).ask(spectrum(metadata={"ionmode": "negative"})))
    assert {window.adduct for window in asked} <= set(LIKELY_ADDUCTS["negative"])
    assert len(asked) > 1


def test_its_own_adduct_counts_even_where_others_are_assumed():
    asking = Asking(ppm=10, adducts=(Adduct.parse("[M+Na]+"),))
    (window,) = windows(asking.ask(spectrum(adduct=Adduct.parse("[M+H]+"))))
    assert window.adduct.name == "[M+H]+"
    (window,) = windows(asking.ask(spectrum()))
    assert window.adduct.name == "[M+Na]+"


def test_only_adducts_of_the_stated_charge_are_assumed():
    asking = Asking(ppm=10, adducts=(Adduct.parse("[M+H]+"), Adduct.parse("[M+2H]2+"), Adduct.parse("[M-H]-")))
    (window,) = windows(asking.ask(spectrum(charge=2)))
    assert window.adduct.name == "[M+2H]2+"
    assert len(windows(asking.ask(spectrum(metadata={"ionmode": "positive"})))) == 2


def test_assumed_adducts_that_do_not_fit_the_charge_are_a_reason():
    answer = Asking(ppm=10, adducts=(Adduct.parse("[M-H]-"),)).ask(spectrum(charge=1))
    assert isinstance(answer, Annotation)
    assert answer.reason == "no assumed adduct fits the charge: charge +1 against [M-H]-"


def test_a_spectrum_of_unknown_polarity_is_not_guessed_at():
    answer = Asking(ppm=10).ask(spectrum())
    assert isinstance(answer, Annotation)
    assert answer.reason.startswith("neither adduct nor polarity known")


def test_a_rejected_spectrum_keeps_its_name_and_gets_the_reason():
    answer = Asking(ppm=10).ask(spectrum(precursor_mz=None, metadata={"feature_id": "7", "scans": "12"}))
    assert isinstance(answer, Annotation)
    assert (answer.identifiers, answer.feature_id, answer.scans) == (("s",), "7", "12")
    assert answer.reason == "no precursor m/z"


def test_a_precursor_lighter_than_its_adduct_is_a_reason():
    answer = Asking(ppm=10).ask(spectrum(precursor_mz=40.0, adduct=Adduct.parse("[M+HCOO]-")))
    assert isinstance(answer, Annotation)
    assert answer.reason


def test_a_precursor_of_too_few_decimals_for_the_window_is_kept_in_mind():
    coarse = spectrum(adduct=Adduct.parse("[M+H]+"), precursor_mz=195.0, metadata={"precursor_mz_decimals": "0"})
    answer = Asking(ppm=10).ask(coarse)
    assert isinstance(answer, Question)
    assert answer.blank.reason.startswith("precursor m/z stated coarsely: 195 may be off by 0.5")
    wide = Asking(ppm=5000).ask(coarse)
    assert isinstance(wide, Question)
    assert wide.blank.reason == ""


def test_an_adduct_that_was_not_understood_is_kept_in_mind():
    answer = Asking(ppm=10).ask(spectrum(metadata={"adduct": "[M+Xx]+", "ionmode": "positive"}))
    assert isinstance(answer, Question)
    assert answer.blank.reason == "adduct not understood: '[M+Xx]+'"
