import numpy as np
import pytest

from diptych.spectra import Adduct, Spectrum
from diptych.spectra.masses import ELECTRON_MASS, MONOISOTOPIC_MASS, PROTON_MASS
from diptych.spectra.peak_formulas import charge_carriers, given_formula, peak_formulas, with_formula, with_formula_of
from diptych.spectra.subformulas import ELEMENTS, element_counts

CAFFEINE = "C8H10N4O2"


def spectrum(*mz: float, adduct: str | None = "[M+H]+", precursor: float | None = 195.08765, **fields) -> Spectrum:
    parsed = None if adduct is None else Adduct.parse(adduct)
    return Spectrum.from_peaks(mz, np.ones(len(mz)), precursor_mz=precursor, adduct=parsed, **fields)


def texts(counts: np.ndarray) -> list[str]:
    return ["".join(f"{e}{n}" for e, n in zip(ELEMENTS, row, strict=True) if n) for row in counts.tolist()]


def test_fragment_and_loss_add_up_to_the_molecule():
    found = peak_formulas(
        [spectrum(110.0713, 138.0662, 150.5)], parents=[element_counts({"C": 8, "H": 10, "N": 4, "O": 2})]
    )
    assert texts(found.fragment) == ["H7C5N3", "H7C6N3O1", ""]
    assert texts(found.loss) == ["H3C3N1O2", "H3C2N1O1", ""]
    assert found.has_fragment.tolist() == found.has_loss.tolist() == [True, True, False]
    assert found.error[2] == found.n_matches[2] == 0


def test_the_error_is_told_in_tolerances():
    water = 2 * MONOISOTOPIC_MASS["H"] + MONOISOTOPIC_MASS["O"] + PROTON_MASS
    measured = water * (1 + 5e-6)
    found = peak_formulas([spectrum(measured)], parents=[element_counts({"H": 2, "O": 1})], tolerance_ppm=10)
    assert found.error[0] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("adduct", "carriers"),
    [
        ("[M+H]+", [PROTON_MASS]),
        ("[M-H]-", [-PROTON_MASS]),
        ("[M+Na]+", [PROTON_MASS, 22.98976928195 - ELECTRON_MASS]),
        ("[M+K]+", [PROTON_MASS, 38.96370648482 - ELECTRON_MASS]),
        ("[M]+", [-ELECTRON_MASS]),
        ("[M]-", [ELECTRON_MASS]),
    ],
)
def test_the_electron_is_counted_as_the_adduct_says(adduct: str, carriers: list[float]):
    assert charge_carriers(spectrum(100.0, adduct=adduct)) == pytest.approx(carriers, abs=1e-12)


def test_a_fragment_that_kept_its_sodium_is_recognised():
    water = 2 * MONOISOTOPIC_MASS["H"] + MONOISOTOPIC_MASS["O"]
    ions = spectrum(water + PROTON_MASS, water + MONOISOTOPIC_MASS["Na"] - ELECTRON_MASS, adduct="[M+Na]+")
    found = peak_formulas([ions], parents=[element_counts({"C": 1, "H": 4, "O": 1})])
    assert texts(found.fragment) == ["H2O1", "H2O1"]


def test_without_polarity_nothing_is_known():
    found = peak_formulas(
        [spectrum(110.0713, adduct=None)], parents=[element_counts({"C": 8, "H": 10, "N": 4, "O": 2})]
    )
    assert not found.has_fragment.any()


def test_without_a_formula_fragments_and_losses_are_decomposed_by_themselves():
    # The loss of m/z 177.0771 from 195.0877 is water, 18.0106 Da.
    found = peak_formulas([spectrum(110.0713, 177.0771)], parents=[None])
    assert texts(found.fragment)[0] == "H7C5N3"
    assert texts(found.loss)[1] == "H2O1"
    assert found.parent.sum() == 0


@pytest.mark.parametrize("fields", [{"precursor": None}, {"adduct": "[M+2H]2+"}], ids=str)
def test_without_a_mass_of_the_molecule_there_are_fragments_but_no_losses(fields: dict):
    found = peak_formulas([spectrum(110.0713, **fields)], parents=[None])
    assert found.has_fragment.tolist() == [True]
    assert found.has_loss.tolist() == [False]


def test_spectra_of_a_batch_follow_one_another():
    parent = element_counts({"C": 8, "H": 10, "N": 4, "O": 2})
    spectra = [spectrum(110.0713), Spectrum.from_peaks([], []), spectrum(138.0662)]
    found = peak_formulas(spectra, parents=[parent, None, parent])
    assert texts(found.fragment) == ["H7C5N3", "H7C6N3O1"]
    assert found.parent.sum(axis=1).tolist() == [24, 0, 24]


def test_nothing_at_all_gives_nothing():
    found = peak_formulas([], parents=[])
    assert found.fragment.shape == found.loss.shape == (0, len(ELEMENTS))
    assert found.parent.shape == (0, len(ELEMENTS))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (CAFFEINE, [10, 8, 4, 2]),
        ("C5H14NO+", [14, 5, 1, 1]),
        ("C2H2O4-2", [2, 2, 0, 4]),
        ("", None),
        ("no formula", None),
    ],
)
def test_a_formula_is_read_where_one_is_given(written: str, expected: list[int] | None):
    found = given_formula(with_formula(spectrum(100.0), written))
    assert (None if found is None else found[:4].tolist()) == expected


def test_the_formula_in_a_record_is_that_of_the_answer_and_not_looked_at():
    assert given_formula(spectrum(100.0, metadata={"formula": CAFFEINE})) is None


def test_what_was_said_of_a_formula_can_be_taken_back_and_handed_on():
    told = with_formula(spectrum(100.0, metadata={"scan": "7"}), CAFFEINE)
    assert given_formula(with_formula_of(told, spectrum(50.0))).sum() == 24
    assert with_formula(told, None).metadata == {"scan": "7"}
