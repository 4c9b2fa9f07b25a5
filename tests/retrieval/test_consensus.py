import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from diptych.errors import EvaluationError
from diptych.evaluation import evaluate
from diptych.ranking import CandidateList, Query, ShuffledSpectraRanker
from diptych.retrieval.consensus import ConsensusEmbedding, consensus_vectors, grouped_queries
from diptych.retrieval.rankers import EmbeddingRanker
from diptych.spectra import Adduct, Spectrum


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str
    formula: str = "CH4"


class ByFirstPeak:
    """A spectrum points into the direction, in degrees, that its first m/z says; A lies at 0, B at 90."""

    name = "by-first-peak"

    def encode_spectra(self, spectra, *, blind=False):
        angles = np.radians([45.0 if blind else spectrum.mz[0] for spectrum in spectra])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def encode_structures(self, structures):
        return np.eye(2, dtype=np.float32)[["AB".index(s.inchikey_first_block) for s in structures]]


LISTS = {target: CandidateList(structures=(Molecule("A"), Molecule("B"))) for target in "AB"}


def query(name: str, degrees: float, *, adduct: str = "[M+H]+") -> Query:
    spectrum = Spectrum.from_peaks([degrees], [1.0], identifier=name, precursor_mz=200.0, adduct=Adduct.parse(adduct))
    return Query(identifier=name, spectrum=spectrum, target=name[0], candidates=LISTS[name[0]])


def degrees(vectors: torch.Tensor) -> list[float]:
    return torch.rad2deg(torch.atan2(vectors[:, 1], vectors[:, 0])).tolist()


def at(*angles: float) -> torch.Tensor:
    radians = torch.deg2rad(torch.tensor(angles))
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def test_the_consensus_is_the_direction_of_the_mean():
    vectors = consensus_vectors(at(10, 30, 80), torch.tensor([0, 0, 2]), n_groups=3)
    assert degrees(vectors)[0] == pytest.approx(20, abs=1e-3)
    assert degrees(vectors)[2] == pytest.approx(80, abs=1e-3)
    assert vectors[1].tolist() == [0, 0]


def test_a_sharp_consensus_leans_away_from_the_odd_one_out():
    angles, sharpness = (0.0, 0.0, 90.0), 3.0
    mean = math.atan2(1, 2)
    weights = [math.exp(sharpness * math.cos(math.radians(angle) - mean)) for angle in angles]
    expected = math.degrees(math.atan2(weights[2], weights[0] + weights[1]))
    found = consensus_vectors(at(*angles), torch.tensor([0, 0, 0]), n_groups=1, sharpness=sharpness)
    assert degrees(found)[0] == pytest.approx(expected, abs=1e-3)
    assert expected < math.degrees(mean)


def test_there_is_one_query_for_each_molecule_and_adduct():
    queries = [query("A1", 10), query("A2", 60), query("A3", 10, adduct="[M+Na]+"), query("B1", 50)]
    grouped = grouped_queries(queries, at_most=9)
    assert [q.identifier for q in grouped.queries] == ["A [M+H]+", "A [M+Na]+", "B [M+H]+"]
    assert [[s.identifier for s in spectra] for spectra in grouped.spectra_of.values()] == [
        ["A1", "A2"],
        ["A3"],
        ["B1"],
    ]
    assert grouped.mean_size == pytest.approx(4 / 3)


def test_spectra_that_agree_overrule_one_that_does_not():
    queries = [query("A1", 10), query("A2", 20), query("A3", 70), query("B1", 80)]
    alone = evaluate(EmbeddingRanker(ByFirstPeak()), queries, n_bootstrap=0)
    assert alone.answers.ranks.tolist() == [1, 1, 2, 1]
    grouped = grouped_queries(queries, at_most=9)
    ranker = EmbeddingRanker(ConsensusEmbedding(model=ByFirstPeak(), spectra_of=grouped.spectra_of))
    together = evaluate(
        ranker, grouped.queries, controls=[ranker.blinded(), ShuffledSpectraRanker(ranker)], n_bootstrap=0
    )
    assert together.model == "by-first-peak"
    assert together.answers.ranks.tolist() == [1, 1]
    assert [control.ranks.tolist() for control in together.controls] == [[2, 2], [2, 2]]


def test_at_most_so_many_spectra_are_drawn_by_the_seed():
    queries = [query(f"A{number}", number) for number in range(1, 10)]
    drawn = [grouped_queries(queries, at_most=3, seed=seed).spectra_of for seed in (0, 0, 1)]
    names = [[s.identifier for s in next(iter(groups.values()))] for groups in drawn]
    assert names[0] == names[1] != names[2]
    assert all(len(chosen) == 3 for chosen in names)


def test_a_spectrum_that_cannot_be_worked_with_does_not_spoil_its_group():
    unusable = query("A1", 10)
    unusable = replace(unusable, spectrum=unusable.spectrum.with_changes(precursor_mz=None))
    grouped = grouped_queries([unusable, query("A2", 10)], at_most=9)
    assert list(grouped.spectra_of) == ["A2"]
    alone = grouped_queries([unusable], at_most=9)
    assert len(alone.queries) == 1


def test_impossible_groups_are_named():
    with pytest.raises(EvaluationError, match="consensus of 0 spectra; expected at least 1"):
        grouped_queries([query("A1", 1)], at_most=0)
    with pytest.raises(EvaluationError, match="two spectra have one identifier"):
        grouped_queries([query("A1", 1), query("A1", 2)], at_most=2)
