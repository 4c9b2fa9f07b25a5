import numpy as np
import pytest

from diptych.errors import LibraryError
from diptych.evaluation.protocols.library_search import SearchForm, search
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.ranking import PrecursorScorer, SpectralEntropyScorer
from diptych.retrieval import SpectralLibrary
from diptych.retrieval.spectral_library import molecule_of
from diptych.spectra import Adduct, Spectrum

ENTROPY = SpectralEntropyScorer()
PROTONATED, SODIATED = Adduct.parse("[M+H]+"), Adduct.parse("[M+Na]+")


def spectrum(*mz: float, of: str, precursor: float | None = 200.0, adduct: Adduct | None = PROTONATED, **metadata: str):
    intensity = np.arange(len(mz), 0, -1.0)
    return Spectrum.from_peaks(
        mz, intensity, precursor_mz=precursor, adduct=adduct, identifier=of, metadata={"compound_name": of} | metadata
    )


def names(answer) -> list[str]:
    return [match.reference.identifier for match in answer.matches]


QUERY = spectrum(50.0, 80.0, 120.0, of="query")
ALIKE = spectrum(50.0, 80.0, 120.0, of="alike")
LESS = spectrum(50.0, 80.0, 130.0, of="less")
OTHER = spectrum(60.0, 90.0, of="other")


def test_molecules_come_in_the_order_of_their_best_reference():
    again = spectrum(50.0, of="less again").with_changes(metadata={"compound_name": "Less"})
    (answer,) = SpectralLibrary.of([OTHER, again, LESS, ALIKE]).search([QUERY], scorer=ENTROPY, top=2)
    assert names(answer) == ["alike", "less"]
    assert [match.rank for match in answer.matches] == [1, 2]
    assert [match.molecule for match in answer.matches] == ["alike", "less"]
    assert answer.matches[0].score == answer.matches[0].similarity == 1.0
    assert answer.n_references == 4
    assert answer.reason == ""


def test_only_references_of_the_ion_and_within_the_window_compete():
    near = ALIKE.with_changes(precursor_mz=200.001, identifier="near")
    far = ALIKE.with_changes(precursor_mz=200.003, identifier="far")
    sodiated = ALIKE.with_changes(adduct=SODIATED, identifier="sodiated")
    unsaid = OTHER.with_changes(adduct=None, identifier="unsaid")
    negative = OTHER.with_changes(adduct=None, identifier="negative", metadata={"ionmode": "negative"})
    library = SpectralLibrary.of([near, far, sodiated, unsaid, negative])
    (answer,) = library.search([QUERY], scorer=ENTROPY, ppm=10)
    assert answer.n_references == 2
    assert names(answer) == ["near", "unsaid"]
    assert answer.matches[0].difference_ppm == pytest.approx(-0.001 / 200.001 * 1e6)


def test_a_salt_and_its_base_are_one_molecule():
    # The InChIKey of ethylamine hydrochloride beside its SMILES, and ethylamine's own.
    salt = LESS.with_changes(metadata={"inchikey": "XWBDWHCCBGMXKG-UHFFFAOYSA-N", "smiles": "CCN.Cl"})
    base = ALIKE.with_changes(metadata={"inchikey": "QUSNBJAOOMFDIB-UHFFFAOYSA-N"})
    (answer,) = SpectralLibrary.of([salt, base]).search([QUERY], scorer=ENTROPY)
    assert [match.molecule for match in answer.matches] == ["QUSNBJAOOMFDIB"]
    assert answer.matches[0].inchikey_first_block == "QUSNBJAOOMFDIB"


def test_the_window_finds_what_scoring_everything_finds():
    rng = np.random.default_rng(0)
    references = [
        spectrum(*np.sort(rng.uniform(40, 180, 4)), of=f"reference {i}", precursor=200 + 0.001 * (i % 7))
        for i in range(60)
    ]
    queries = [spectrum(*s.mz, of=f"query {i}", precursor=s.precursor_mz) for i, s in enumerate(references[::-1])]
    library = SpectralLibrary.of(references)
    whole = library.search(queries, scorer=ENTROPY, ppm=1e4, top=60)
    narrow = library.search(queries, scorer=ENTROPY, ppm=4, top=60)
    for query, broad, answer in zip(queries, whole, narrow, strict=True):
        inside = [
            m for m in broad.matches if abs(m.reference.precursor_mz - query.precursor_mz) <= 4e-6 * query.precursor_mz
        ]
        assert names(answer) == [match.reference.identifier for match in inside]
        assert answer.query is query
        assert answer.matches[0].reference.mz.tolist() == query.mz.tolist()


def test_the_first_match_is_the_one_that_the_evaluation_counts():
    rng = np.random.default_rng(1)
    own = rng.choice(60, (10, 2)) + 50.0  # two peaks of each molecule, three at random
    pairs = [
        (spectrum(*np.unique([*own[i // 3], *(rng.choice(60, 3) + 50.3)]), of=f"m{i // 3}"), f"m{i // 3}")
        for i in range(30)
    ]
    searchable = SearchableSpectra(
        spectra=[one for one, _ in pairs], molecules=[molecule for _, molecule in pairs], origins=[""] * 30
    )
    queries, rest = np.arange(0, 30, 3), np.setdiff1d(np.arange(30), np.arange(0, 30, 3))
    (judged,) = search(
        ENTROPY, searchable, queries=queries, references=rest, forms=[SearchForm(name="10 ppm", ppm=10.0)]
    )
    answers = SpectralLibrary.of([pairs[i][0] for i in rest]).search(
        [pairs[i][0] for i in queries], scorer=ENTROPY, ppm=10
    )
    first = [answer.matches[0].molecule == pairs[i][1] for i, answer in zip(queries, answers, strict=True)]
    assert first == (judged.ranks == 1).tolist()
    assert 0 < sum(first) < len(first)


def test_every_query_is_answered_in_its_place():
    empty, heavy = spectrum(of="no peaks"), spectrum(60.0, 90.0, of="heavy", precursor=500.0)
    answers = SpectralLibrary.of([ALIKE]).search([heavy, empty, QUERY], scorer=ENTROPY, ppm=10)
    assert [answer.reason for answer in answers] == ["no reference of its ion within 10 ppm", "no peaks", ""]
    assert [len(answer.matches) for answer in answers] == [0, 0, 1]
    assert SpectralLibrary.of([ALIKE]).search([], scorer=ENTROPY) == []
    assert SpectralLibrary.of([ALIKE]).search([empty], scorer=ENTROPY)[0].reason == "no peaks"


def test_a_reference_that_no_scorer_can_score_is_no_match():
    class Silent:
        name = "silent"

        def scores(self, queries, references):
            yield np.full((len(queries), len(references)), np.nan)

    (answer,) = SpectralLibrary.of([ALIKE]).search([QUERY], scorer=Silent())
    assert (answer.matches, answer.reason) == ((), "no reference spectrum could be scored")


def test_references_that_cannot_be_worked_with_are_counted():
    library = SpectralLibrary.of([ALIKE, spectrum(of="none"), spectrum(50.0, of="unknown", precursor=None)])
    assert len(library) == 1
    assert dict(library.left_out) == {"no peaks": 1, "no precursor m/z": 1}
    with pytest.raises(LibraryError, match=r"no reference spectrum can be worked with: no peaks \(1\)"):
        SpectralLibrary.of([spectrum(of="none")])
    with pytest.raises(LibraryError, match="there are none"):
        SpectralLibrary.of([])


@pytest.mark.parametrize("wrong", [{"ppm": 0.0}, {"ppm": float("nan")}, {"top": 0}])
def test_impossible_settings_are_refused(wrong: dict):
    with pytest.raises(LibraryError, match="expected numbers above 0"):
        SpectralLibrary.of([ALIKE]).search([QUERY], scorer=PrecursorScorer(), **wrong)


def test_a_molecule_is_known_by_its_structure_then_inchikey_then_name():
    key = "RYYVLZVUVIJVGH-UHFFFAOYSA-N"
    caffeine = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
    assert molecule_of(spectrum(of="a", inchikey=key, smiles="C")) == "VNWKTOKETHGBQD"
    assert molecule_of(spectrum(of="a", inchikey=key, smiles="no structure")) == "RYYVLZVUVIJVGH"
    assert molecule_of(spectrum(of="a", inchikey=key)) == "RYYVLZVUVIJVGH"
    assert molecule_of(spectrum(of="a", inchikey="RYYVLZVUVI")) == "a"
    assert molecule_of(spectrum(of="a", smiles=caffeine)) == "RYYVLZVUVIJVGH"
    assert molecule_of(spectrum(of="a", inchi="InChI=1S/CH4/h1H4")) == "VNWKTOKETHGBQD"
    assert molecule_of(spectrum(of="a", smiles="no structure", compound_name=" Caffeine ")) == "caffeine"
    assert molecule_of(spectrum(of="accession", compound_name="")) == "accession"
