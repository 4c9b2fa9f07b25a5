"""A second look at the first candidates, by their fragments."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diptych.annotation import annotate, calibration_of
from diptych.annotation.second_look import SecondLook
from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError
from diptych.molecules import Structure
from diptych.retrieval import StructureLibrary, build_library
from diptych.retrieval.reranking import ReRanking
from diptych.spectra import Adduct, Spectrum

PARACETAMOL, METHOXYBENZAMIDE, HYDROXYPHENYLACETAMIDE = "CC(=O)Nc1ccc(O)cc1", "COc1ccc(C(N)=O)cc1", "NC(=O)Cc1ccc(O)cc1"


@pytest.fixture(scope="module")
def model() -> JointEmbedding:
    # The cosines of this draw put another structure first.
    torch.manual_seed(0)
    made = JointEmbedding.from_config(spectrum={}, structure={}, interaction={}, embedding_dim=16)
    made.metadata |= {"calibration": {"temperature": 0.1}}
    made.metadata |= ReRanking(recall=64, weight=1.0, temperature=0.2).to_metadata()
    return made.eval()


@pytest.fixture(scope="module")
def library(model: JointEmbedding, tmp_path_factory: pytest.TempPathFactory) -> StructureLibrary:
    folder = tmp_path_factory.mktemp("library")
    smiles = [PARACETAMOL, METHOXYBENZAMIDE, HYDROXYPHENYLACETAMIDE]
    (folder / "list.smi").write_text("".join(f"{text} m{i}\n" for i, text in enumerate(smiles)), encoding="utf-8")
    build_library(folder / "list.smi", folder / "library", model=model, workers=1)
    return StructureLibrary.load(folder / "library", model=model)


def spectrum(identifier: str = "s", *mz: float, feature: str = "") -> Spectrum:
    peaks = np.array(mz or (65.0386, 93.0335, 110.0600))
    return Spectrum(
        identifier=identifier,
        mz=peaks,
        intensity=np.ones(len(peaks), dtype=np.float32),
        precursor_mz=152.0706,
        adduct=Adduct.parse("[M+H]+"),
        metadata={"feature_id": feature} if feature else {},
    )


def first_of(model: JointEmbedding, library: StructureLibrary, rerank: int) -> list[str]:
    (answer,) = annotate([spectrum()], library, model=model, rerank=rerank)
    return [candidate.structure.smiles for candidate in answer.candidates]


def test_the_structure_whose_fragments_explain_the_peaks_comes_first(
    model: JointEmbedding, library: StructureLibrary
) -> None:
    # m/z 110.06 is the loss of ketene, which only an acetanilide has.
    paracetamol = Structure.from_smiles(PARACETAMOL).smiles
    assert first_of(model, library, 0)[0] != paracetamol
    assert first_of(model, library, 3)[0] == paracetamol


def test_who_is_not_looked_at_again_stays_below_in_the_old_order(
    model: JointEmbedding, library: StructureLibrary
) -> None:
    before, after = first_of(model, library, 0), first_of(model, library, 2)
    assert set(after[:2]) == set(before[:2])
    assert after[2] == before[2]
    (answer,) = annotate([spectrum()], library, model=model, rerank=2)
    (plain,) = annotate([spectrum()], library, model=model)
    assert answer.candidates[2].score == pytest.approx(plain.candidates[2].score - 3, abs=1e-5)


def test_probabilities_are_those_of_the_second_look(model: JointEmbedding, library: StructureLibrary) -> None:
    (answer,) = annotate([spectrum()], library, model=model, rerank=3)
    scores = np.array([candidate.score for candidate in answer.candidates])
    expected = np.exp(scores / 0.2) / np.exp(scores / 0.2).sum()
    assert [candidate.probability for candidate in answer.candidates] == pytest.approx(expected.tolist(), rel=1e-5)
    assert calibration_of(model, rerank=3).temperature == 0.2
    assert calibration_of(model, rerank=0).temperature == 0.1


def test_the_spectra_of_a_feature_are_looked_at_together(model: JointEmbedding, library: StructureLibrary) -> None:
    spectra = [spectrum("a", 110.0600, feature="f"), spectrum("b", 93.0335, feature="f")]
    (merged,) = annotate(spectra, library, model=model, rerank=3, merge_by="feature_id")
    alone = list(annotate(spectra, library, model=model, rerank=3))
    best = merged.candidates[0].structure.smiles
    scores = [c.score for answer in alone for c in answer.candidates if c.structure.smiles == best]
    assert merged.candidates[0].score == pytest.approx(np.mean(scores), abs=1e-5)


def test_fragments_are_remembered_for_the_next_spectrum(model: JointEmbedding) -> None:
    look = SecondLook(model, ReRanking(recall=2, weight=1.0))
    structures, cosines = [Structure.from_smiles(PARACETAMOL)] * 2, np.array([0.1, 0.2], dtype=np.float32)
    one = look.scores([spectrum()], structures, cosines=cosines)
    assert np.array_equal(one, look.scores([spectrum()], structures, cosines=cosines))
    assert one[0] == one[1]


def test_a_model_that_learned_none_says_so(library: StructureLibrary) -> None:
    plain = JointEmbedding.from_config(spectrum={}, structure={}, embedding_dim=16)
    with pytest.raises(ConfigError, match="was trained without a second look"):
        SecondLook.of(plain, recall=5)


def test_a_negative_number_is_refused(model: JointEmbedding, library: StructureLibrary) -> None:
    with pytest.raises(ConfigError, match="rerank=-1; expected the number of candidates"):
        annotate([spectrum()], library, model=model, rerank=-1)


def test_a_saved_model_looks_twice_like_the_one_that_was_saved(
    model: JointEmbedding, library: StructureLibrary, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    again = JointEmbedding.load(tmp_path / "model")
    assert again.digest == model.digest
    assert first_of(again, library, 3) == first_of(model, library, 3)


def test_without_the_prior_there_is_another_score_and_no_probability(
    model: JointEmbedding, library: StructureLibrary
) -> None:
    (plain,) = annotate([spectrum()], library, model=model, prior=1.0)
    (freed,) = annotate([spectrum()], library, model=model, prior=0.0)
    vector = model.encode_spectra([spectrum()])[0] - model.encode_spectra([spectrum()], blind=True)[0]
    expected = library.embeddings @ (vector / np.linalg.norm(vector))
    assert sorted(c.score for c in freed.candidates) == pytest.approx(sorted(expected.tolist()), abs=1e-3)
    assert plain.candidates[0].probability is not None
    assert freed.candidates[0].probability is None
    with pytest.raises(ConfigError, match="prior=2"):
        annotate([spectrum()], library, model=model, prior=2)
