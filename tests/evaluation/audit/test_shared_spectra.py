from collections.abc import Callable

import numpy as np
import pytest

from diptych.evaluation.audit.leaks import Verdict
from diptych.evaluation.audit.shared_spectra import _graded, is_near_copy, near_copies, peak_hash, shared_spectra
from diptych.spectra.spectrum import Spectrum

# One lab's measurements of one molecule on one instrument at two energies: MSBNK-HBM4EU-HB000709 and HB000714, CC0.
SLOW = Spectrum.from_peaks(
    [125.1072, 140.1304, 144.1017, 172.1205, 180.0807, 187.144, 212.0527, 229.1908, 254.0995, 428.2362],
    [0.0053, 0.0013, 0.0011, 0.0113, 0.0061, 0.1318, 0.0383, 1.0, 0.0237, 0.4025],
    precursor_mz=428.2366,
)
FAST = Spectrum.from_peaks(
    [125.1073, 140.1307, 172.1207, 180.0807, 187.1441, 212.0529, 221.1199, 229.191, 254.0998, 366.1996],
    [0.0048, 0.0024, 0.0133, 0.0068, 0.1434, 0.0443, 0.0018, 1.0, 0.0255, 0.0066],
    precursor_mz=428.2366,
)


def spectrum(mz: list[float], *, intensity: float = 1.0, precursor_mz: float | None = 200.0) -> Spectrum:
    heights = [intensity * (i + 1) for i in range(len(mz))]
    return Spectrum.from_peaks(mz, heights, precursor_mz=precursor_mz)


def measured(seed: int, *, n: int = 20) -> Spectrum:
    generator = np.random.default_rng(seed)
    return Spectrum.from_peaks(
        generator.uniform(50, 400, n), generator.lognormal(0, 1.5, n), precursor_mz=float(400 + seed % 3)
    )


def jittered(one: Spectrum, ppm: float) -> Spectrum:
    generator = np.random.default_rng(7)
    return Spectrum.from_peaks(
        one.mz * (1 + ppm * 1e-6 * generator.normal(size=one.n_peaks)), one.intensity, precursor_mz=one.precursor_mz
    )


def rounded(one: Spectrum, digits: int) -> Spectrum:
    return one.with_peaks(np.round(one.mz, digits), one.intensity.copy())


def thinned(one: Spectrum, share: float) -> Spectrum:
    kept = np.sort(np.argsort(-one.intensity)[: int(np.ceil(one.n_peaks * (1 - share)))])
    return one.with_peaks(one.mz[kept], one.intensity[kept])


def noisy(one: Spectrum, share: float) -> Spectrum:
    factors = np.exp(np.random.default_rng(9).normal(0, share, one.n_peaks))
    return one.with_peaks(one.mz.copy(), (one.intensity * factors).astype(np.float32))


def in_thousandths(one: Spectrum) -> Spectrum:
    return Spectrum.from_peaks(
        one.mz, np.round(999 * one.intensity / one.intensity.max()), precursor_mz=one.precursor_mz
    )


def test_the_same_spectrum_at_another_scale_is_the_same():
    one, other = spectrum([50, 60, 70]), spectrum([50, 60, 70], intensity=7.0)
    assert peak_hash(one) == peak_hash(other)
    assert peak_hash(one) != peak_hash(spectrum([50, 60, 70.001]))
    assert is_near_copy(one, spectrum([50, 60, 70.001]))


def test_equal_spectra_agree_to_a_thousandth_of_the_base_peak_and_a_ten_thousandth_of_an_m_z():
    def of(weak: float, mz: float = 60.0) -> str:
        return peak_hash(Spectrum.from_peaks([50.0, mz, 70.0], [weak, 30.0, 100.0], precursor_mz=200.0))

    assert of(1.0) == of(1.04) == of(1.0, 60.00004)
    assert len({of(1.0), of(1.1), of(1.0, 60.0001)}) == 3


@pytest.mark.parametrize(
    ("n_same", "n_near", "n_all", "verdict"),
    [
        (0, 0, 1000, Verdict.PASS),
        (1, 0, 1000, Verdict.WARN),
        (1, 0, 999, Verdict.FAIL),
        (0, 1, 1000, Verdict.PASS),
        (0, 1, 999, Verdict.WARN),
        (0, 1, 100, Verdict.WARN),
        (0, 1, 99, Verdict.FAIL),
    ],
)
def test_shared_spectra_are_judged_by_their_share(n_same: int, n_near: int, n_all: int, verdict: Verdict):
    assert _graded(n_same / n_all, n_near / n_all) is verdict


@pytest.mark.parametrize(
    "copied",
    [
        lambda one: jittered(one, 2),
        lambda one: jittered(one, 5),
        lambda one: rounded(one, 3),
        lambda one: rounded(one, 2),
        lambda one: thinned(one, 0.1),
        lambda one: thinned(one, 0.3),
        lambda one: jittered(thinned(one, 0.1), 2),
        in_thousandths,
        lambda one: noisy(one, 0.005),
    ],
)
def test_copies_that_were_jittered_rounded_or_thinned_are_near_copies(copied: Callable[[Spectrum], Spectrum]):
    originals = [measured(seed) for seed in range(40)]
    copies = [copied(one) for one in originals]
    found = near_copies(copies, originals)
    assert sum(row == number for number, row in enumerate(found)) >= 39
    assert near_copies(originals, copies).count(None) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_genuine_replicates_are_no_near_copies(seed: int):
    one = measured(seed)
    assert not is_near_copy(one, noisy(one, 0.1))
    assert near_copies([FAST], [SLOW]) == [None]
    assert near_copies([SLOW], [FAST, jittered(SLOW, 5)]) == [1]


def test_few_peaks_must_agree_more_closely():
    one = Spectrum.from_peaks([50, 60, 70], [10, 30, 100], precursor_mz=200.0)
    close = Spectrum.from_peaks([50, 60, 70], [10.2, 30, 100], precursor_mz=200.0)
    assert not is_near_copy(one, close)
    assert is_near_copy(one, rounded(one, 2))


def test_spectra_of_other_precursors_are_not_compared_and_unknown_precursors_by_their_strongest_peak():
    peaks = [50.0, 60.0, 70.0]
    known, unknown = spectrum(peaks), spectrum([50.0001, 60.0001, 70.0], precursor_mz=None)
    assert near_copies([known], [spectrum(peaks, precursor_mz=201.0), spectrum(peaks, precursor_mz=200.002)]) == [1]
    assert near_copies([known], [unknown]) == [0]
    assert near_copies([unknown], [spectrum([50.0, 60.0, 71.0]), known]) == [1]
    assert near_copies([unknown], [spectrum([50.0, 60.0, 71.0], precursor_mz=None)]) == [None]


@pytest.mark.parametrize(
    ("precursor_mz", "apart", "row"), [(200, 0.0099, 0), (200, 0.0101, None), (1000, 0.0149, 0), (1000, 0.0151, None)]
)
def test_precursors_are_one_within_fifteen_ppm_or_a_hundredth(precursor_mz: float, apart: float, row: int | None):
    peaks = [50.0, 60.0, 70.0]
    for other in (precursor_mz - apart, precursor_mz + apart):
        training = [spectrum(peaks, precursor_mz=other)]
        assert near_copies([spectrum(peaks, precursor_mz=precursor_mz)], training) == [row]


@pytest.mark.parametrize(
    ("lowest_mz", "apart", "alike"),
    [(100, 0.0059, True), (100, 0.0062, False), (900, 0.0134, True), (900, 0.0138, False)],
)
def test_peaks_match_within_fifteen_ppm_or_six_thousandths(lowest_mz: float, apart: float, alike: bool):
    # Three peaks within a tenth, so that one tolerance holds for all.
    mz = lowest_mz + np.array([0.0, 0.05, 0.1])
    one = Spectrum.from_peaks(mz, [1.0, 2.0, 3.0], precursor_mz=1000.0)
    assert is_near_copy(one, one.with_peaks(mz + apart, one.intensity.copy())) is alike


@pytest.mark.parametrize(("height", "alike"), [(0.5168, True), (0.5173, False), (0.4837, True), (0.4832, False)])
def test_intensities_agree_to_three_per_cent_of_the_larger_and_a_little_of_the_base_peak(height: float, alike: bool):
    # Beside 0.5 up to (0.5 + 0.0015) / 0.97 = 0.517, down to 0.97 x 0.5 - 0.0015 = 0.4835; nine of ten must agree.
    mz, heights = 50.0 + np.arange(10), np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.5, 0.5])
    one = Spectrum.from_peaks(mz, heights, precursor_mz=200.0)
    both, either = heights.copy(), heights.copy()
    both[-2:], either[-1] = height, height
    assert is_near_copy(one, Spectrum.from_peaks(mz, both, precursor_mz=200.0)) is alike
    assert is_near_copy(one, Spectrum.from_peaks(mz, either, precursor_mz=200.0))


def test_spectra_that_stand_in_training_fail_and_those_of_few_peaks_say_nothing():
    tested = [spectrum([50, 60, 70]), spectrum([50])]
    finding = shared_spectra(tested, [spectrum([50, 60, 70]), spectrum([50])])
    assert finding.verdict is Verdict.FAIL
    assert finding.numbers == {"same": 1, "near": 0, "of_spectra": 1, "too_few_peaks": 1}
    assert shared_spectra(tested, [spectrum([50, 61, 70])]).verdict is Verdict.PASS
    assert shared_spectra(tested, []).verdict is Verdict.UNKNOWN


def test_near_copies_are_counted_beside_those_that_are_the_same():
    originals = [measured(seed) for seed in range(4)]
    tested = [originals[0], jittered(originals[1], 5), noisy(originals[2], 0.2)]
    finding = shared_spectra(tested, originals)
    assert (finding.numbers["same"], finding.numbers["near"]) == (1, 1)
    assert finding.verdict is Verdict.FAIL
    assert shared_spectra([jittered(originals[1], 5), *map(measured, range(5, 30))], originals).verdict is Verdict.FAIL
    few = [jittered(originals[1], 5), *(measured(seed) for seed in range(5, 305))]
    assert shared_spectra(few, originals).verdict is Verdict.WARN


def test_what_cannot_be_compared_is_said():
    one = [spectrum([50, 60, 70])]
    assert "no spectrum of the queries is given: --spectra" in shared_spectra([], one).says
    assert "spectra of training are not given: give --train" in shared_spectra(one, []).says
    assert shared_spectra([spectrum([50])], one).says == "Not checked: none of 1 tested spectra has 3 peaks."
    few = shared_spectra(one, [spectrum([50])])
    assert (few.verdict, few.says) == (Verdict.UNKNOWN, "Not checked: none of 1 training spectra has 3 peaks.")
