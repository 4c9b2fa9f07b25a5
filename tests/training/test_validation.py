from dataclasses import dataclass

import numpy as np
import pytest
import torch

from diptych.encoders.pairs.tokens import TokenVectors
from diptych.ranking import CandidateList, Query
from diptych.spectra.spectrum import Spectrum
from diptych.training.validation import ValidationSet

# By cosine A stands before B, by their parts B before A.
COSINES = {"A": 0.9, "B": 0.8}
ATOMS = {"A": [0.0, 1.0], "B": [1.0, 0.0]}


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str
    formula: str = "CH4"


class Towers:
    name = "towers"
    interaction = None

    def __init__(self) -> None:
        self.metadata: dict = {}

    def encode_spectra(self, spectra, *, blind=False):
        return np.array([[1.0, 0.0]] * len(spectra), dtype=np.float32)

    def encode_structures(self, structures):
        cosines = np.array([COSINES[s.inchikey_first_block] for s in structures])
        return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)

    def encode_spectrum_tokens(self, spectra, *, blind=False):
        return TokenVectors(
            vectors=torch.eye(2)[:1].expand(len(spectra), 1, 2), mask=torch.ones(len(spectra), 1).bool()
        )

    def encode_structure_tokens(self, structures):
        atoms = torch.tensor([[ATOMS[s.inchikey_first_block]] for s in structures])
        return TokenVectors(vectors=atoms, mask=torch.ones(len(structures), 1).bool())


class Asked(ValidationSet):
    def _prepared(self, model):
        return model


def validation(*targets: str) -> Asked:
    spectrum = Spectrum.from_peaks([60.0], [1.0], precursor_mz=100.0, charge=1)
    candidates = CandidateList(structures=tuple(map(Molecule, "AB")))
    queries = [
        Query(identifier=str(i), spectrum=spectrum, target=target, candidates=candidates)
        for i, target in enumerate(targets)
    ]
    return Asked(queries=queries, features=None, row_of={}, blind=False)


def test_an_epoch_is_judged_with_the_second_look_that_would_be_saved():
    model, asked = Towers(), validation("B", "B", "A")
    by_cosine = asked.measure(model)
    assert by_cosine["hit_rate@1"] == pytest.approx(1 / 3)
    found = asked.measure_as_saved(model, recall=2)
    assert found["hit_rate@1"] == pytest.approx(2 / 3)
    assert model.metadata == {}
    model.metadata |= asked.reranking(model, recall=2).to_metadata()
    assert asked.measure(model) == pytest.approx(found)


def test_without_a_second_look_the_cosine_decides():
    model, asked = Towers(), validation("B", "A")
    assert asked.measure_as_saved(model, recall=0) == asked.measure(model)


def test_an_answer_that_the_list_lacks_is_a_miss():
    assert validation("B", "Z").measure_as_saved(Towers(), recall=2)["hit_rate@20"] == 0.5
