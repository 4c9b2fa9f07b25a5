from pathlib import Path

import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.known import KnownSpectra
from diptych.evaluation.overlap import Overlap, read_first_blocks
from diptych.evaluation.selection import Selection
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
