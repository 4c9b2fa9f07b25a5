import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.spectra.collision_energy import parse_collision_energy


@pytest.mark.parametrize(
    ("text", "ev", "normalised"),
    [
        ("35 eV", 35, None),
        ("35", 35, None),
        ("24.6531", 24.6531, None),
        ("-20", 20, None),
        ("10.0V", 10, None),
        ("3 kV", 3000, None),
        ("CE30", 30, None),
        ("35 eV FT-MS II", 35, None),
        ("Ramp 20-40 eV", 30, None),
        ("5 to 60 V", 32.5, None),
        ("30-50", 40, None),
        ("stepped 20,40,60", 40, None),
        ("HCD 35%", None, 35),
        ("35 NCE", None, 35),
        ("35NCE", None, 35),
        ("NCE35", None, 35),
        ("15 (nominal)", None, 15),
        ("HCD (NCE 20-30-40%)", None, 30),
        ("42% (nominal) with stepped collision energies 30% and 55%", None, 42),
        ("NCE=35% 33eV", 33, 35),
        ("15, 30, 45, 60, 70 or 90 (nominal)", None, None),
        ("0.60/0.60", None, None),
        ("0.70", None, None),
        ("scaled 80 (m/z=200) to 110 (m/z=120)", None, None),
        ("n.d.", None, None),
        ("", None, None),
        ("9" * 400, None, None),
    ],
)
def test_energies_are_told_apart_by_their_unit(text: str, ev: float | None, normalised: float | None):
    energy = parse_collision_energy(text)
    assert (energy.ev, energy.normalised) == (ev, normalised)


@pytest.mark.parametrize(
    ("charge", "ev"),
    # 30 * 250 / 500 = 15, times the charge factor
    [(1, 15.0), (-1, 15.0), (2, 13.5), (3, 12.75), (-4, 12.0), (5, 11.25), (9, 11.25)],
)
def test_normalised_energy_becomes_ev_by_precursor_and_charge(charge: int, ev: float):
    energy = parse_collision_energy("30 % (nominal)", precursor_mz=250.0, charge=charge)
    assert energy.ev == pytest.approx(ev)
    assert energy.normalised == 30


def test_a_stated_energy_in_ev_is_not_computed_anew():
    assert parse_collision_energy("NCE=35% 33eV", precursor_mz=250.0, charge=1).ev == 33
    assert parse_collision_energy("33 eV", precursor_mz=250.0, charge=2).ev == 33


def test_without_precursor_or_charge_a_normalised_energy_stays_one():
    assert parse_collision_energy("30 NCE", precursor_mz=250.0).ev is None
    assert parse_collision_energy("30 NCE", charge=1).ev is None


@given(st.text(max_size=60))
def test_any_text_gives_a_finite_energy_or_none(text: str):
    energy = parse_collision_energy(text, precursor_mz=500.0, charge=1)
    assert energy.ev is None or 0 < energy.ev <= 1e8
