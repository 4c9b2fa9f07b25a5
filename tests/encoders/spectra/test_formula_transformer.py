import numpy as np
import pytest
import torch

from diptych.encoders import SPECTRUM_ENCODERS, build_encoder
from diptych.encoders.spectra.formula_batch import N_FORMULA_NUMBERS, formula_columns
from diptych.encoders.spectra.formula_transformer import FormulaTransformerEncoder
from diptych.errors import ConfigError
from diptych.spectra import Adduct, Spectrum
from diptych.spectra.peak_formulas import with_formula
from diptych.spectra.subformulas import ELEMENTS, element_counts

SMALL = {"hidden_dim": 16, "n_layers": 1, "n_heads": 2, "n_waves": 12, "n_difference_waves": 4, "formula_width": 32}
HCNO = [ELEMENTS.index(element) for element in "HCNO"]


def tower(**options) -> FormulaTransformerEncoder:
    torch.manual_seed(0)
    return FormulaTransformerEncoder(embedding_dim=12, **{**SMALL, **options}).eval()


def caffeine(*mz: float, formula: str | None = "C8H10N4O2") -> Spectrum:
    spectrum = Spectrum.from_peaks(mz, np.ones(len(mz)), precursor_mz=195.0877, adduct=Adduct.parse("[M+H]+"))
    return with_formula(spectrum, formula)


def test_the_numbers_of_a_peak_are_those_of_its_fragment_and_loss():
    # m/z 138.0662 is C6H7N3O and a proton, of caffeine C8H10N4O2: it lost C2H3NO.
    batch = tower(formula="given").collate([caffeine(138.0662), caffeine(50.5, 138.0662)])
    numbers = batch.formula_numbers[0, 0].double()
    n = len(ELEMENTS)
    assert torch.expm1(numbers[:n])[HCNO].round().tolist() == [7, 6, 3, 1]
    assert torch.expm1(numbers[n : 2 * n])[HCNO].round().tolist() == [3, 2, 1, 1]
    assert numbers[2 * n : 2 * n + 2].tolist() == [1, 1]
    # 1 + 6 - 7/2 + 3/2 = 5 and 1 + 2 - 3/2 + 1/2 = 2 rings and double bonds, in tens.
    assert numbers[2 * n + 3 : 2 * n + 5].tolist() == pytest.approx([0.5, 0.2])
    assert batch.formula_numbers.shape == (2, 2, N_FORMULA_NUMBERS)
    assert batch.formula_numbers[1, 0].count_nonzero() == 0
    torch.testing.assert_close(batch.formula_numbers[1, 1], batch.formula_numbers[0, 0])


def test_equal_formulas_have_one_column_and_the_unknown_has_the_first():
    counts = np.array([element_counts(c) for c in ({"C": 1, "H": 4}, {"C": 2, "H": 4}, {"C": 1, "H": 4}, {})])
    columns = formula_columns(counts, np.array([True, True, True, False]), width=1 << 16)
    assert columns[0] == columns[2] != columns[1]
    assert columns[3] == 0
    assert columns[:3].min() >= 1


def test_columns_fill_the_table():
    counts = np.array([element_counts({"C": c, "H": h}) for c in range(40) for h in range(60)])
    columns = formula_columns(counts, np.ones(len(counts), dtype=bool), width=101)
    assert set(columns.tolist()) == set(range(1, 101))


@torch.no_grad()
def test_the_formula_is_seen_only_where_the_option_says_so():
    spectra = [caffeine(110.0713, 150.1), caffeine(110.0713, 150.1, formula="C13H10N2")]
    for formula, are_equal in (("given", False), ("peaks", True)):
        encoder = tower(formula=formula)
        vectors = encoder(encoder.collate(spectra)).global_vector
        assert torch.allclose(vectors[0], vectors[1], atol=1e-6) is are_equal


@torch.no_grad()
def test_without_a_formula_the_tower_asks_the_peaks():
    encoder, other = tower(formula="given"), tower(formula="peaks")
    spectra = [caffeine(110.0713, 138.0662, formula=None)]
    torch.testing.assert_close(
        encoder(encoder.collate(spectra)).global_vector, other(other.collate(spectra)).global_vector
    )


@torch.no_grad()
def test_every_peak_has_a_unit_vector_whether_annotated_or_not():
    encoder = tower(formula="given")
    output = encoder(encoder.collate([caffeine(110.0713, 150.5), caffeine(110.0713)]))
    assert output.token_mask.tolist() == [[True, True], [True, False]]
    torch.testing.assert_close(output.token_vectors.norm(dim=-1), output.token_mask.float())


def test_annotations_are_withheld_in_training_alone():
    encoder = tower(formula="given", annotation_dropout=0.9, dropout=0.0)
    batch = encoder.collate([caffeine(110.0713, 138.0662)])
    torch.testing.assert_close(encoder(batch).global_vector, encoder(batch).global_vector)
    encoder.train()
    drawn = {tuple(encoder(batch).global_vector[0].tolist()) for _ in range(20)}
    assert 1 < len(drawn) <= 4  # two peaks, each with its formula or without


def test_the_options_are_kept():
    encoder = tower(formula="given", tolerance_ppm=5.0)
    settings = encoder.settings()
    assert settings["formula"] == "given"
    assert settings["tolerance_ppm"] == 5.0
    assert settings["hidden_dim"] == 16
    assert build_encoder(
        SPECTRUM_ENCODERS, {"name": "formula-transformer", **settings}, embedding_dim=12, ion_table=None
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formula": "answer"}, "formula is 'answer'; expected one of peaks, given"),
        ({"tolerance_ppm": 0}, "tolerance_ppm is 0; expected above 0, at most 1000"),
        ({"formula_width": 1}, "formula_width is 1; expected at least 2"),
        ({"annotation_dropout": 1.0}, "annotation_dropout is 1.0; expected a share from 0 to below 1"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        tower(**options)
