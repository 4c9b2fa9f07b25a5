from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.ranking import VectorScorer
from diptych.spectra import Spectrum

VECTORS = np.array([[3.0, 4.0], [6.0, 8.0], [-4.0, 3.0], [0.0, 0.0], [np.nan, 1.0], [1e38, 1e38]])
NAMES = ["a", "twice a", "across", "none", "not a number", "huge"]


def spectrum(name: str) -> Spectrum:
    return Spectrum.from_peaks([100.0], [1.0], identifier=name)


def written(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_the_score_is_the_cosine_and_spectra_without_a_vector_have_none():
    scorer = VectorScorer("tool", NAMES, VECTORS)
    (scores,) = scorer.scores([spectrum("a")], [spectrum(name) for name in NAMES])
    assert scores.dtype == np.float32
    assert scores[0, :3].tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(scores[0, 3:5]).all()
    assert scores[0, 5] == pytest.approx(1.4 / np.sqrt(2), abs=1e-5)


def test_nothing_asked_is_answered_with_nothing():
    assert not list(VectorScorer("tool", NAMES, VECTORS).scores([], [spectrum("a")]))


def test_a_spectrum_that_no_vector_was_given_of_is_named():
    scorer = VectorScorer("tool", NAMES, VECTORS)
    with pytest.raises(EvaluationError, match="tool: no vector of 1 of 2 spectra, such as 'other'"):
        scorer.vectors([spectrum("a"), spectrum("other")])


@pytest.mark.parametrize("names", [["a", "b"], ["a", "a", "b", "c", "d", "e"]])
def test_one_row_of_each_spectrum_is_expected(names: list[str]):
    with pytest.raises(EvaluationError, match="expected one row for each spectrum, and each spectrum once"):
        VectorScorer("tool", names, VECTORS)


def test_an_archive_is_called_as_its_file(tmp_path: Path):
    said = np.array(json.dumps({"seed": 3}))
    path = written(tmp_path / "spec2vec.npz", accession=np.array(NAMES), vector=VECTORS, said=said)
    scorer = VectorScorer.read(path)
    assert (scorer.name, scorer.said) == ("spec2vec", {"seed": 3})
    assert scorer.vectors([spectrum("twice a")]).tolist() == [pytest.approx([0.6, 0.8])]


def test_what_is_no_archive_of_vectors_is_refused_with_its_name(tmp_path: Path):
    text = tmp_path / "text.npz"
    text.write_text("accession\tvector\n")
    cut = written(tmp_path / "cut.npz", accession=np.array(NAMES), vector=VECTORS)
    cut.write_bytes(cut.read_bytes()[:300])
    pickled = written(tmp_path / "pickled.npz", accession=np.array(NAMES, dtype=object), vector=VECTORS)
    lacking = written(tmp_path / "lacking.npz", accession=np.array(NAMES))
    for path in (text, cut, pickled, lacking):
        with pytest.raises(EvaluationError, match=rf"{path.name}: cannot be read .*archive of accession and vector"):
            VectorScorer.read(path)
    with pytest.raises(EvaluationError, match=r"text.npz: cannot be read \(it is no archive\); expected"):
        VectorScorer.read(text)
    words = written(tmp_path / "words.npz", accession=np.array(NAMES), vector=np.array([[name] for name in NAMES]))
    with pytest.raises(EvaluationError, match=r"words.npz: vectors of type .*; expected numbers"):
        VectorScorer.read(words)
    flat = written(tmp_path / "flat.npz", accession=np.array(NAMES), vector=VECTORS[:, 0])
    with pytest.raises(EvaluationError, match=r"flat: vectors of shape \(6,\)"):
        VectorScorer.read(flat)


def test_what_an_archive_has_in_place_of_its_arrays_is_told(tmp_path: Path):
    lacking = written(tmp_path / "lacking.npz", identifiers=np.array(NAMES), vector=VECTORS)
    with pytest.raises(EvaluationError, match=r"\(no array 'accession'; it has identifiers, vector\)"):
        VectorScorer.read(lacking)
    pickled = written(tmp_path / "pickled.npz", accession=np.array(NAMES, dtype=object), vector=VECTORS)
    with pytest.raises(EvaluationError, match=r"'accession' holds Python objects; save it .* astype\(str\)"):
        VectorScorer.read(pickled)


def test_vectors_that_are_none_are_counted():
    scorer = VectorScorer("tool", NAMES, VECTORS)
    assert (len(scorer), scorer.n_without_vector) == (6, 2)
