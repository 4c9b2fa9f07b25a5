import pytest

from diptych.errors import EvaluationError
from diptych.molecules.structure import Structure
from diptych.ranking import RANKERS, Ranker, Training, make_ranker
from diptych.ranking.registry import UNTRAINED
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


def test_an_unknown_ranker_is_answered_with_the_known_ones():
    with pytest.raises(EvaluationError, match="no ranker 'best'; expected one of random, precursor_mass"):
        make_ranker("best", TRAINING)


def test_a_ranker_that_learns_needs_a_training_fold():
    with pytest.raises(EvaluationError, match=r"'molecule_prior' learns from a training fold; .* --dataset FILE"):
        make_ranker("molecule_prior", Training())
    assert all(make_ranker(name, Training()).name == name for name in UNTRAINED)
