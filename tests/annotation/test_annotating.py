"""The main job with a model of two dimensions: a spectrum's vector is its first two intensities, normalised."""

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from diptych.annotation import annotate
from diptych.errors import AdductError, ConfigError, ForeignModelError, ReadError
from diptych.molecules import Structure
from diptych.retrieval import StructureLibrary
from diptych.spectra import Adduct, Spectrum

PROTONATED = Adduct.parse("[M+H]+")
# Caffeine and two isomers of it, all C8H10N4O2 (194.0804 Da), and paracetamol (151.0633 Da).
ALONG_FIRST, ALONG_SECOND, BETWEEN = (
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CCn1c(=O)c2[nH]cnc2n(C)c1=O",
    "CCCn1c(=O)[nH]c2nc[nH]c2c1=O",
)
PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"
TEMPERATURE = 0.5


class FirstTwoPeaks:
    name = "first-two-peaks"
    digest = "d" * 64
    embedding_dim = 2

    def __init__(self) -> None:
        self.metadata = {"calibration": {"temperature": TEMPERATURE}}
        self.batches: list[int] = []

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> np.ndarray:
        self.batches.append(len(spectra))
        vectors = np.array([spectrum.intensity[:2] for spectrum in spectra], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Table(list):
    def structures(self, rows):
        return [self[row] for row in rows]


def library_of(*rows: tuple[str, tuple[float, float]], model_digest: str = "d" * 64) -> StructureLibrary:
    pairs = sorted(
        ((Structure.from_smiles(smiles), vector) for smiles, vector in rows), key=lambda row: row[0].exact_mass
    )
    return StructureLibrary(
        folder=Path("library"),
        description=SimpleNamespace(
            model_digest=model_digest, model_name="other", embedding_dim=2, n_structures=len(pairs), digest="l" * 64
        ),
        exact_mass=np.array([structure.exact_mass for structure, _ in pairs]),
        embeddings=np.array([vector for _, vector in pairs], dtype=np.float16),
        table=Table(structure for structure, _ in pairs),
    )


XANTHINES = library_of(
    (ALONG_FIRST, (1, 0)), (ALONG_SECOND, (0, 1)), (BETWEEN, (0.6, 0.8)), (PARACETAMOL, (0, 1))
)  # fmt: skip


def spectrum(first: float = 3.0, second: float = 4.0, **fields) -> Spectrum:
    metadata = fields.pop("metadata", {})
    fields = {"identifier": "s", "precursor_mz": 195.08765, "adduct": PROTONATED, **fields}
    peaks = [100.0, 110.0, 120.0, 130.0], [first, second, 1.0, 1.0]
    return Spectrum.from_peaks(*peaks, metadata=metadata, **fields)


def ask(*spectra: Spectrum, library: StructureLibrary = XANTHINES, **settings):
    return list(annotate(spectra, library, model=FirstTwoPeaks(), **settings))


def test_candidates_are_the_structures_in_the_window_by_cosine():
    (answer,) = ask(spectrum(3, 4))
    assert [candidate.structure.smiles for candidate in answer.candidates] == [BETWEEN, ALONG_SECOND, ALONG_FIRST]
    assert [candidate.score for candidate in answer.candidates] == pytest.approx([1.0, 0.8, 0.6], abs=1e-3)
    assert [candidate.rank for candidate in answer.candidates] == [1, 2, 3]
    assert (answer.n_candidates, answer.reason, answer.is_annotated) == (3, "", True)


def test_probabilities_count_every_candidate_even_beyond_the_top():
    (answer,) = ask(spectrum(3, 4), top=1)
    weights = [math.exp(score / TEMPERATURE) for score in (1.0, 0.8, 0.6)]
    assert len(answer.candidates) == 1
    assert answer.n_candidates == 3
    assert answer.candidates[0].probability == pytest.approx(weights[0] / sum(weights), rel=1e-3)


def test_a_model_without_calibration_gives_no_probability():
    model = FirstTwoPeaks()
    model.metadata = {}
    (answer,) = annotate([spectrum()], XANTHINES, model=model)
    assert [candidate.probability for candidate in answer.candidates] == [None] * 3


def test_the_mass_error_is_measured_minus_theoretical_over_theoretical():
    # Theoretical 194.080376 + 1.007276 = 195.087652.
    (answer,) = ask(spectrum(precursor_mz=195.087652 * (1 + 5e-6)))
    assert answer.candidates[0].mass_error_ppm == pytest.approx(5.0, abs=0.01)


def test_a_precursor_outside_the_window_finds_nothing_and_is_not_embedded():
    model = FirstTwoPeaks()
    (answer,) = annotate([spectrum(precursor_mz=195.087652 * (1 + 12e-6))], XANTHINES, model=model)
    assert answer.reason == "no structure in the library within 10 ppm"
    assert (answer.candidates, answer.n_candidates, model.batches) == ((), 0, [])


def test_without_adduct_the_windows_of_all_are_united_and_each_candidate_states_its_own():
    # 195.08765 as [M+C2H4O]+-like shift onto paracetamol: 195.08765 - 151.06333 = 44.02432.
    odd = Adduct(name="[M+odd]+", n_molecules=1, mass_shift=44.02432, charge=1)
    (answer,) = ask(spectrum(3, 4, adduct=None, charge=1), adducts=[PROTONATED, odd])
    by_structure = {candidate.structure.smiles: candidate.adduct.name for candidate in answer.candidates}
    assert by_structure == {BETWEEN: "[M+H]+", ALONG_SECOND: "[M+H]+", ALONG_FIRST: "[M+H]+", PARACETAMOL: "[M+odd]+"}
    assert sum(candidate.probability for candidate in answer.candidates) == pytest.approx(1.0)


def test_a_candidate_under_a_supposed_rare_adduct_needs_a_higher_score():
    # Paracetamol as the odd ion has the same cosine as an isomer of caffeine as [M+H]+: 50 against 4290 + 50 molecules.
    odd = Adduct(name="[M+odd]+", n_molecules=1, mass_shift=44.02432, charge=1)
    (answer,) = ask(spectrum(0.01, 4, adduct=None, charge=1), adducts=[odd, PROTONATED])
    chance = {candidate.structure.smiles: candidate.probability for candidate in answer.candidates}
    score = {candidate.structure.smiles: candidate.score for candidate in answer.candidates}
    assert score[PARACETAMOL] == score[ALONG_SECOND] == pytest.approx(1.0, abs=1e-3)
    assert chance[PARACETAMOL] / chance[ALONG_SECOND] == pytest.approx(50 / 4340, rel=1e-3)
    assert [candidate.structure.smiles for candidate in answer.candidates][-1] == PARACETAMOL
    # One adduct alone, stated or supposed, is compared with no other.
    (stated,) = ask(spectrum(adduct=odd))
    (supposed,) = ask(spectrum(adduct=None, charge=1), adducts=[odd])
    assert stated.candidates[0].probability == supposed.candidates[0].probability == 1.0


def test_a_structure_found_under_two_adducts_stands_once_with_the_smaller_mass_error():
    near = Adduct(name="[M+near]+", n_molecules=1, mass_shift=PROTONATED.mass_shift + 0.0005, charge=1)
    (answer,) = ask(spectrum(adduct=None, charge=1), adducts=[near, PROTONATED])
    assert answer.n_candidates == 3
    assert {candidate.adduct.name for candidate in answer.candidates} == {"[M+H]+"}


def test_answers_keep_the_order_of_the_spectra_over_batches():
    spectra = [spectrum(identifier=f"s{i}", precursor_mz=195.08765 if i % 2 else 300.0 + i) for i in range(7)]
    model = FirstTwoPeaks()
    answers = list(annotate(spectra, XANTHINES, model=model, batch_size=3))
    assert [answer.identifiers for answer in answers] == [(f"s{i}",) for i in range(7)]
    assert [answer.is_annotated for answer in answers] == [False, True] * 3 + [False]
    assert model.batches == [1, 2]


def test_batch_size_changes_nothing():
    spectra = [spectrum(first, 2.0, identifier=str(first)) for first in (1.0, 2.0, 3.0, 4.0)]
    assert ask(*spectra, batch_size=1) == ask(*spectra, batch_size=100)


def test_spectra_are_read_as_answers_are_taken():
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield spectrum()

    next(annotate(endless(), XANTHINES, model=FirstTwoPeaks(), batch_size=4))
    assert len(taken) == 4


def test_spectra_of_one_feature_are_answered_once_by_their_mean_vector():
    answers = ask(
        spectrum(1, 1e-6, identifier="a", metadata={"feature_id": "7"}),
        spectrum(9, 9, identifier="lone"),
        spectrum(1e-6, 1, identifier="b", metadata={"feature_id": "7"}),
        merge_by="FEATURE_ID",
    )
    assert [answer.identifiers for answer in answers] == [("lone",), ("a", "b")]
    merged = answers[1]
    assert merged.feature_id == "7"
    assert merged.candidates[0].structure.smiles == BETWEEN
    assert merged.candidates[0].score == pytest.approx((0.6 + 0.8) / math.sqrt(2), abs=1e-3)


def test_a_record_that_cannot_be_read_is_an_answer_with_its_reason(tmp_path: Path):
    path = tmp_path / "two.mgf"
    good = "BEGIN IONS\nTITLE={}\nPEPMASS=195.08765\nCHARGE=1+\nADDUCT=[M+H]+\n100 3\n110 4\n120 1\n130 1\nEND IONS\n"
    path.write_text(good.format("a") + good.format("b").replace("110 4", "110 four x y") + good.format("c"))
    answers = list(annotate(path, XANTHINES, model=FirstTwoPeaks()))
    assert [answer.is_annotated for answer in answers] == [True, False, True]
    assert answers[1].reason.startswith("cannot be read: ")
    assert {answer.source for answer in answers} == {"two.mgf"}


def test_what_was_read_before_a_read_error_is_answered_first():
    def broken():
        yield spectrum(identifier="a")
        raise ReadError("cut off")

    answers = annotate(broken(), XANTHINES, model=FirstTwoPeaks())
    assert next(answers).identifiers == ("a",)
    with pytest.raises(ReadError, match="cut off"):
        next(answers)


def test_a_library_of_another_model_is_refused_before_anything_is_read():
    library = library_of((PARACETAMOL, (1, 0)), model_digest="e" * 64)
    with pytest.raises(ForeignModelError, match="embedded by the model other"):
        annotate([], library, model=FirstTwoPeaks())


@pytest.mark.parametrize("settings", [{"ppm": 0.0}, {"ppm": math.nan}, {"top": 0}, {"batch_size": 0}])
def test_impossible_settings_are_refused(settings: dict[str, float]):
    with pytest.raises(ConfigError, match="expected positive numbers"):
        annotate([], XANTHINES, model=FirstTwoPeaks(), **settings)


def test_assumed_adducts_are_checked():
    with pytest.raises(AdductError, match="nonsense"):
        annotate([], XANTHINES, model=FirstTwoPeaks(), adducts=["nonsense"])
    with pytest.raises(ConfigError, match="no adducts given"):
        annotate([], XANTHINES, model=FirstTwoPeaks(), adducts=[])
