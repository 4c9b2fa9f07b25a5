import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.molecules.structure import Structure
from diptych.ranking import (
    RANKERS,
    BondDisconnectionRanker,
    CandidateList,
    NearestNeighbourRanker,
    Query,
    Ranker,
    Training,
    make_ranker,
)
from diptych.ranking.fusion import fuse, fuse_ranks
from diptych.ranking.registry import UNTRAINED, make_rankers
from diptych.spectra.spectrum import Spectrum

BENZENE, HEXANE = Structure.from_smiles("c1ccccc1"), Structure.from_smiles("CCCCCC")
TRAINING = Training(
    spectra=[Spectrum.from_peaks([50.0], [1.0], precursor_mz=79.0)], structures=[BENZENE], others=[HEXANE]
)


@pytest.mark.parametrize("name", RANKERS)
def test_each_ranker_is_called_as_it_is_named(name: str):
    ranker = make_ranker(name, TRAINING)
    assert isinstance(ranker, Ranker)
    # A single training molecule cannot have twenty neighbours, yet the name says what was asked for.
    assert ranker.name == name


def test_the_fingerprint_rankers_share_one_network():
    training = Training(spectra=TRAINING.spectra, structures=TRAINING.structures)
    assert training.fingerprints is training.fingerprints


BENZOIC = Structure.from_smiles("O=C(O)c1ccccc1")
CANDIDATES = CandidateList(structures=(BENZENE, HEXANE, BENZOIC))
QUERIES = [
    Query(
        identifier=f"q{mz}",
        spectrum=Spectrum.from_peaks([mz], [1.0], precursor_mz=79.0),
        target="",
        candidates=CANDIDATES,
    )
    for mz in (50.0, 60.0)
]


def fresh() -> Training:
    spectra = [Spectrum.from_peaks([mz], [1.0], precursor_mz=mz + 9) for mz in (50.0, 60.0)]
    return Training(spectra=spectra, structures=[BENZENE, HEXANE])


def test_names_joined_by_plus_fuse_scores_and_with_rank_before_them_ranks():
    names = ["nearest_neighbour", "bond_disconnection", "nearest_neighbour+bond_disconnection"]
    names.append(f"rank:{names[-1]}")
    one, other, fused, ranks = (ranker.score(QUERIES) for ranker in make_rankers(names, fresh()))
    assert [ranker.name for ranker in make_rankers(names, fresh())] == names
    for first, second, scores, reciprocal in zip(one, other, fused, ranks, strict=True):
        np.testing.assert_allclose(scores, fuse([first, second]))
        np.testing.assert_allclose(reciprocal, fuse_ranks([first, second]))
    assert not np.array_equal(fused[0], one[0])
    assert make_ranker("random+random", fresh()).name == "random+random"


def test_what_several_rankers_are_made_of_is_asked_once(monkeypatch: pytest.MonkeyPatch):
    asked = []
    score = BondDisconnectionRanker.score
    monkeypatch.setattr(BondDisconnectionRanker, "score", lambda self, q: asked.append(len(q)) or score(self, q))
    names = ["bond_disconnection", "bond_disconnection+random", "rank:bond_disconnection+random"]
    rankers = make_rankers(names, fresh())
    again = [ranker.score(QUERIES) for ranker in rankers]
    assert asked == [2]
    np.testing.assert_array_equal(rankers[0].score(QUERIES[:1]), again[0][:1])
    assert asked == [2, 1]


class Asked:
    """A ranker that is asked in any case: it prefers the first candidate."""

    name = "tool"

    def score(self, queries):
        return [np.array([3.0, 1.0, np.nan]) for _ in queries]


def test_what_stands_beside_is_fused_by_its_name():
    beside = {"model": Asked(), "tool": Asked()}
    names = ["nearest_neighbour", "model+nearest_neighbour", "rank:tool+nearest_neighbour", "model+tool"]
    own, fused, ranks, both = (ranker.score(QUERIES) for ranker in make_rankers(names, fresh(), beside=beside))
    given = Asked().score(QUERIES)
    for i in range(len(QUERIES)):
        np.testing.assert_allclose(fused[i], fuse([given[i], own[i]]))
        np.testing.assert_allclose(ranks[i], fuse_ranks([given[i], own[i]]))
        np.testing.assert_allclose(both[i], fuse([given[i], given[i]]))
    # Beside a model no training fold is needed.
    assert make_rankers(["model+random"], Training(), beside=beside)[0].name == "model+random"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "best+random",
            "no ranker 'best'; expected one of random, .*, bond_disconnection, or in a fusion tool, random",
        ),
        ("tool", r"ranker 'tool' is asked already; expected it in a fusion, as tool\+random"),
        ("tool+random", "two rankers are called 'random'; expected distinct names"),
    ],
)
def test_names_that_cannot_be_fused_are_refused(name: str, message: str):
    with pytest.raises(EvaluationError, match=message):
        make_rankers([name], TRAINING, beside={"tool": Asked(), "random": Asked()})


def test_one_search_serves_the_nearest_and_the_twenty_nearest(monkeypatch: pytest.MonkeyPatch):
    searched = []
    nearest = NearestNeighbourRanker._nearest
    monkeypatch.setattr(
        NearestNeighbourRanker,
        "_nearest",
        lambda self, spectra: searched.append(len(spectra)) or nearest(self, spectra),
    )
    one, twenty, entropy = make_rankers(
        ["nearest_neighbour", "nearest_neighbours_20", "spectral_entropy_neighbour"], fresh()
    )
    expected = NearestNeighbourRanker(fresh().spectra, fresh().structures, n_neighbours=1).score(QUERIES)
    searched.clear()
    np.testing.assert_array_equal(one.score(QUERIES), expected)
    twenty.score(QUERIES)
    assert searched == [2]
    entropy.score(QUERIES)
    assert searched == [2, 2]
    assert one.score([]) == twenty.score([]) == []


def test_an_unknown_ranker_is_answered_with_the_known_ones():
    with pytest.raises(EvaluationError, match="no ranker 'best'; expected one of random, precursor_mass"):
        make_ranker("best", TRAINING)


def test_a_ranker_that_learns_needs_a_training_fold():
    with pytest.raises(EvaluationError, match=r"'molecule_prior' learns from a training fold; .* --dataset FILE"):
        make_ranker("molecule_prior", Training())
    assert all(make_ranker(name, Training()).name == name for name in UNTRAINED)
