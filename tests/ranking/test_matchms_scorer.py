import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from matchms.similarity import CosineGreedy

from diptych.errors import EvaluationError
from diptych.ranking.matchms_scorer import MatchmsScorer, for_matchms, ms2deepscore_scorer, spec2vec_scorer
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

FIRST = Spectrum.from_peaks([50.0, 80.0], [30.0, 40.0], precursor_mz=100.0, adduct=Adduct.parse("[M+H]+"))
SECOND = Spectrum.from_peaks([80.0], [5.0])


def test_a_similarity_of_matchms_scores_queries_by_references():
    (scores,) = MatchmsScorer(CosineGreedy(), name="greedy").scores([FIRST, SECOND], [SECOND])
    # (30, 40) against (0, 5): 40 / 50.
    np.testing.assert_allclose(scores, [[0.8], [1.0]])


def test_what_matchms_is_told_of_a_spectrum():
    told = for_matchms(FIRST)
    assert told.peaks.intensities.tolist() == [0.75, 1.0]
    assert (told.get("precursor_mz"), told.get("adduct"), told.get("ionmode")) == (100.0, "[M+H]+", "positive")
    assert for_matchms(SECOND).get("precursor_mz") is None


class Counter:
    """Says how many peaks the pair has, so that the order of the two shows."""

    def __init__(self, model: str, **_: object) -> None:
        self.model = model

    def matrix(self, references, queries):
        return np.array([[len(a.peaks) * 10 + len(b.peaks) for b in queries] for a in references])


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    module = ModuleType(name)
    module.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, module)


def test_spec2vec_and_ms2deepscore_are_asked_where_they_are_installed(monkeypatch: pytest.MonkeyPatch):
    stand_in(monkeypatch, "gensim.models", Word2Vec=SimpleNamespace(load=str.upper))
    stand_in(monkeypatch, "gensim")
    stand_in(monkeypatch, "spec2vec", Spec2Vec=Counter)
    stand_in(monkeypatch, "ms2deepscore", MS2DeepScore=Counter)
    stand_in(monkeypatch, "ms2deepscore.models", load_model=str.upper)
    for scorer, name in ((spec2vec_scorer, "spec2vec"), (ms2deepscore_scorer, "ms2deepscore")):
        made = scorer(Path("model"))
        assert made.name == name
        np.testing.assert_array_equal(next(made.scores([FIRST], [SECOND])), [[21.0]])


@pytest.mark.parametrize("scorer", [spec2vec_scorer, ms2deepscore_scorer])
def test_a_package_that_cannot_be_imported_is_named(scorer, monkeypatch: pytest.MonkeyPatch):
    for name in ("gensim.models", "ms2deepscore.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EvaluationError, match=r"cannot be imported .* or its scores in a table"):
        scorer(Path("model"))


def test_a_model_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch):
    def fail(_: str) -> None:
        raise ValueError("no such\nmodel")

    stand_in(monkeypatch, "ms2deepscore", MS2DeepScore=Counter)
    stand_in(monkeypatch, "ms2deepscore.models", load_model=fail)
    with pytest.raises(EvaluationError, match=r"model\.pt: cannot be read as a model: no such model"):
        ms2deepscore_scorer(Path("model.pt"))
