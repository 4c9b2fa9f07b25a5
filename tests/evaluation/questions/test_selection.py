import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import SCHEMA, rows_to_batch
from diptych.errors import DatasetError, EvaluationError
from diptych.evaluation.questions.known import KnownSpectra, KnownSpectrum
from diptych.evaluation.questions.selection import Selection, read_fold
from diptych.molecules.structure import Structure
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum


def spectrum(identifier: str, **metadata: str) -> Spectrum:
    return Spectrum.from_peaks([50.0], [1.0], identifier=identifier, metadata=metadata)


def known(*spectra: Spectrum) -> KnownSpectra:
    return KnownSpectra(spectra=tuple(KnownSpectrum(spectrum=s, target="T") for s in spectra))


def table(folder: Path, text: str) -> Path:
    path = folder / "folds.tsv.xz"
    path.write_bytes(lzma.compress(text.encode()))
    return path


def test_spectra_of_a_fold_are_selected_by_accession_or_identifier(tmp_path: Path):
    path = table(tmp_path, "accession\tinchikey_first_block\tfold\nA1\tBLOCK\ttest\nA2\tBLOCK\ttrain\nA3\tB3\ttest\n")
    selection = Selection.read(path, fold="test")
    spectra = [spectrum("x", accession="A1"), spectrum("A2"), spectrum("A3"), spectrum("A4")]
    assert list(selection.filter(spectra)) == [spectra[0], spectra[2]]
    chosen = selection.label(known(*spectra)).spectra
    assert [(item.spectrum.identifier, item.other_block) for item in chosen] == [("x", "BLOCK"), ("A3", "B3")]


def test_first_blocks_may_be_absent(tmp_path: Path):
    selection = Selection.read(table(tmp_path, "fold\taccession\ntest\tA1\n"), fold="test")
    assert selection.label(known(spectrum("A1"))).spectra[0].other_block == ""


def test_an_unknown_fold_is_refused(tmp_path: Path):
    with pytest.raises(EvaluationError, match="no accession of fold 'tset'; it has test, train"):
        Selection.read(table(tmp_path, "accession\tfold\nA1\ttrain\nA2\ttest\n"), fold="tset")


def test_a_table_without_accessions_is_refused(tmp_path: Path):
    with pytest.raises(DatasetError, match="no column accession"):
        Selection.read(table(tmp_path, "name\tfold\nA1\ttrain\n"), fold="train")


def test_accessions_that_no_spectrum_has_are_refused(tmp_path: Path):
    selection = Selection.read(table(tmp_path, "accession\tfold\nA1\ttest\n"), fold="test")
    with pytest.raises(EvaluationError, match="none of the 1 selected accessions, for instance 'A1'"):
        selection.label(known(spectrum("B1")))


def test_a_fold_of_a_dataset_is_read_and_an_unknown_one_refused_with_those_there_are(tmp_path: Path):
    examples = [
        AnnotatedSpectrum(
            spectrum=Spectrum.from_peaks([50.0], [1.0], identifier=name, adduct=Adduct.parse("[M+H]+")),
            structure=Structure.from_smiles("CCO"),
        )
        for name in ("A1", "A2")
    ]
    rows = pa.Table.from_batches([rows_to_batch(examples)]).append_column("fold_scaffold", pa.array(["test", "train"]))
    pq.write_table(rows.replace_schema_metadata(SCHEMA.metadata), tmp_path / "d.parquet")
    assert [one.spectrum.identifier for one in read_fold(tmp_path / "d.parquet", "scaffold=train")] == ["A2"]
    with pytest.raises(EvaluationError, match="no spectrum of fold 'scaffold=typo'; scaffold has test, train"):
        read_fold(tmp_path / "d.parquet", "scaffold=typo")


def test_an_accession_of_two_folds_is_refused(tmp_path: Path):
    path = table(tmp_path, "accession\tfold\nA1\ttest\nA2\ttest\nA1\ttrain\n")
    with pytest.raises(EvaluationError, match=r"A1 is of fold test and train; expected one fold"):
        Selection.read(path, fold="test")


def test_a_row_that_lacks_its_first_block_is_named_by_its_line(tmp_path: Path):
    path = table(tmp_path, "accession\tfold\tinchikey_first_block\nA1\ttest\tBLOCK\nA2\ttest\n")
    with pytest.raises(DatasetError, match=r"line 3: 2 columns; expected 3"):
        Selection.read(path, fold="test")
