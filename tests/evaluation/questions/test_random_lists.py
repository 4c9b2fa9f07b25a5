import pytest

from diptych.errors import EvaluationError
from diptych.evaluation import evaluate
from diptych.evaluation.questions.known import KnownSpectra
from diptych.evaluation.questions.random_lists import queries_from_random_lists
from diptych.molecules.structure import Structure
from diptych.ranking import PrecursorRanker
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

PROTONATED = Adduct.parse("[M+H]+")
ALKANOLS = [Structure.from_smiles("C" * n + "O") for n in range(1, 13)]


def known(*structures: Structure) -> KnownSpectra:
    return KnownSpectra.from_metadata(
        Spectrum.from_peaks(
            [50.0],
            [1.0],
            identifier=f"s{i}",
            adduct=PROTONATED,
            precursor_mz=float(PROTONATED.mz(structure.neutral_mass)),
            metadata={"smiles": structure.smiles},
        )
        for i, structure in enumerate(structures)
    )


def blocks(query) -> list[str]:
    return list(query.candidates.positions)


def test_the_target_stands_among_as_many_others_as_asked_for():
    questions = queries_from_random_lists(known(ALKANOLS[0], ALKANOLS[1]), ALKANOLS, n_others=7)
    for query in questions.queries:
        assert len(set(blocks(query))) == 8
        assert query.target in blocks(query)
    assert questions.provenance["lists_drawn_by"] == "7 molecules at random from 12"


def test_spectra_of_one_molecule_share_a_list_that_other_queries_do_not_change():
    first, second = queries_from_random_lists(known(ALKANOLS[0], ALKANOLS[0]), ALKANOLS, n_others=7).queries
    assert first.candidates is second.candidates
    _, again = queries_from_random_lists(known(ALKANOLS[5], ALKANOLS[0]), ALKANOLS, n_others=7).queries
    assert blocks(again) == blocks(first)
    (other_seed,) = queries_from_random_lists(known(ALKANOLS[0]), ALKANOLS, n_others=7, seed=1).queries
    assert blocks(other_seed) != blocks(first)


def test_without_a_pool_another_molecule_asked_can_change_a_list():
    several = queries_from_random_lists(known(*ALKANOLS), n_others=5).queries
    fewer = queries_from_random_lists(known(*ALKANOLS[:-1]), n_others=5).queries
    assert any(blocks(one) != blocks(other) for one, other in zip(several, fewer, strict=False))
    given = queries_from_random_lists(known(*ALKANOLS[:-1]), ALKANOLS, n_others=5).queries
    assert [blocks(query) for query in given] == [blocks(query) for query in several[:-1]]


def test_the_place_of_the_target_says_nothing():
    questions = queries_from_random_lists(known(*ALKANOLS), n_others=11)
    places = [blocks(query).index(query.target) for query in questions.queries]
    assert len(set(places)) > 4


def test_without_a_pool_the_others_are_the_molecules_asked_about():
    questions = queries_from_random_lists(known(*ALKANOLS[:4]), n_others=3)
    measured = {structure.inchikey_first_block for structure in ALKANOLS[:4]}
    assert all(set(blocks(query)) == measured for query in questions.queries)


def test_the_mass_alone_finds_a_target_among_other_masses():
    questions = queries_from_random_lists(known(*ALKANOLS), n_others=11)
    assert evaluate(PrecursorRanker(), questions.queries).metrics["hit_rate@1"].spectrum == 1


def test_a_target_known_by_its_inchikey_alone_is_missing_unless_the_pool_has_it():
    spectrum = Spectrum.from_peaks([50.0], [1.0], metadata={"inchikey": ALKANOLS[0].inchikey})
    bare = KnownSpectra.from_metadata([spectrum])
    (found,) = queries_from_random_lists(bare, ALKANOLS, n_others=5).queries
    (missing,) = queries_from_random_lists(bare, ALKANOLS[1:], n_others=5).queries
    assert found.target in blocks(found)
    assert missing.target not in blocks(missing)
    assert len(blocks(missing)) == 5


def test_a_pool_that_is_too_small_is_refused():
    with pytest.raises(EvaluationError, match=r"11 molecules beside the target [A-Z]{14}; expected at least 255"):
        queries_from_random_lists(known(*ALKANOLS))
    with pytest.raises(EvaluationError, match="there is no spectrum with a structure"):
        queries_from_random_lists(KnownSpectra(spectra=()))
