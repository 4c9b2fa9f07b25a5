from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation import Answers, Evaluation
from diptych.evaluation.audit.overlap import Overlap, overlap_lines, read_first_blocks, with_overlap
from diptych.evaluation.questions.known import KnownSpectra
from diptych.evaluation.questions.selection import Selection
from diptych.spectra.spectrum import Spectrum

ETHANOL, PROPANOL = "LFQSCWFLJHTTHZ", "BDERNNFJNOPAEC"


def known(*smiles: str) -> KnownSpectra:
    return KnownSpectra.from_metadata(
        Spectrum.from_peaks([50.0], [1.0], identifier=f"s{i}", metadata={"smiles": text})
        for i, text in enumerate(smiles)
    )


def test_molecules_and_spectra_are_counted_by_first_block():
    # Ethanol twice, once as its alkoxide; propanol is new; the last names nothing.
    overlap = Overlap.of(known("CCO", "CC[O-].[Na+]", "CCCO", ""), {ETHANOL, "AAAAAAAAAAAAAA"})
    assert overlap.seen == {ETHANOL}
    assert (overlap.n_molecules, overlap.n_seen_spectra, len(overlap.spectra)) == (2, 2, 3)
    assert overlap.n_without_structure == 1


def test_the_table_selects_the_new_spectra_of_an_evaluation(tmp_path: Path):
    Overlap.of(known("CCO", "CCCO"), {ETHANOL}).save(tmp_path / "overlap.tsv")
    assert Selection.read(tmp_path / "overlap.tsv", fold="new").blocks == {"s1": PROPANOL}
    assert Selection.read(tmp_path / "overlap.tsv", fold="seen").blocks == {"s0": ETHANOL}


def test_a_spectrum_without_accession_goes_by_its_identifier():
    (spectrum,) = known("CCO").spectra
    named = KnownSpectra(spectra=(replace(spectrum, accession="MSBNK-1"), replace(spectrum, accession="")), n_not_ms2=3)
    overlap = Overlap.of(named, set())
    assert overlap.spectra == (("MSBNK-1", ETHANOL), ("s0", ETHANOL))
    assert (overlap.n_seen_spectra, overlap.n_without_structure, overlap.n_not_ms2) == (0, 0, 3)


def evaluation(ranks: list[float], targets: str) -> Evaluation:
    n = len(ranks)
    unknown = np.full(n, np.nan)
    return Evaluation(
        queries=tuple(map(str, range(n))),
        targets=tuple(targets),
        list_lengths=np.full(n, 9),
        answers=Answers(ranker="m", ranks=np.array(ranks), target_scores=unknown, best_scores=unknown, best=("",) * n),
        provenance={"fold": "test"},
        n_bootstrap=200,
    )


def test_the_hit_rate_of_molecules_that_are_not_seen_stands_beside_their_number():
    # A is seen and always hit; of the others 1 of 4 is.
    found = with_overlap(evaluation([1, 1, 1, 2, 2, 2], "AABBCD"), {"A", "X"}).provenance
    said = found["training_overlap"]
    assert (found["fold"], said["seen_queries"], said["queries"]) == ("test", 2, 6)
    alone = evaluation([1, 2, 2, 2], "BBCD").metrics["hit_rate@1"]
    assert said["unseen"] == {"hit_rate@1": 0.25, "low": alone.low, "high": alone.high}
    (line,) = overlap_lines(found)
    ends = f"({100 * alone.low:.1f} to {100 * alone.high:.1f})"
    assert line == (
        f"2 of 6 queries are of molecules that this model was trained on; hit rate@1 of the other 4: 25.0 % {ends}."
    )


@pytest.mark.parametrize(
    ("trained_on", "n_seen", "line"),
    [
        (set(), 0, "0 of 2 queries are of molecules that this model was trained on."),
        ({"A", "B"}, 2, "2 of 2 queries are of molecules that this model was trained on."),
        (
            {"A"},
            1,
            "1 of 2 queries are of molecules that this model was trained on; hit rate@1 of the other 1: 100.0 %.",
        ),
    ],
)
def test_queries_of_one_kind_need_no_second_hit_rate(trained_on: set[str], n_seen: int, line: str):
    found = with_overlap(evaluation([2, 1], "AB"), trained_on).provenance
    assert found["training_overlap"]["seen_queries"] == n_seen
    assert ("unseen" in found["training_overlap"]) is (n_seen == 1)
    assert overlap_lines(found) == [line]
    assert overlap_lines({}) == []


def test_spectra_without_structure_say_nothing():
    with pytest.raises(EvaluationError, match="none of 1 MS/MS spectra says its structure"):
        Overlap.of(known(""), {ETHANOL})


def test_first_blocks_are_read(tmp_path: Path):
    path = tmp_path / "blocks.txt"
    path.write_text(f"{ETHANOL}\n{PROPANOL}\n")
    assert read_first_blocks(path) == {ETHANOL, PROPANOL}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "trained on cannot be read"),
        (b"\xff\xfe", "trained on cannot be read"),
        (b"", "the file is empty"),
        (f"{ETHANOL}\nCCO\n".encode(), "line 2: 'CCO'; expected the 14 letters"),
    ],
)
def test_a_file_that_holds_no_first_blocks_is_refused(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "blocks.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        read_first_blocks(path)
