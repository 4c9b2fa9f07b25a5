from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.data.dataset import read_dataset, read_without_peaks
from diptych.errors import DatasetError
from diptych.molecules.structure import Structure

ETHANOL = Structure.from_smiles("CCO", name="ethanol")
PHENOL = Structure.from_smiles("Oc1ccccc1", name="phenol")


@pytest.fixture
def four(write_dataset, example) -> Path:
    """Four spectra in two row groups, the last without peaks."""
    empty = {"mz": np.empty(0), "intensity": np.empty(0, dtype=np.float32)}
    return write_dataset(
        [example(ETHANOL, 0), example(PHENOL, 1, collision_energy=None, metadata={})],
        [example(ETHANOL, 2, instrument_type=None), example(PHENOL, 3, **empty)],
    )


def test_what_is_written_is_read_again(four: Path, example):
    expected = [example(ETHANOL, 0), example(PHENOL, 1, collision_energy=None, metadata={})]
    for found, given in zip(read_dataset(four), expected, strict=False):
        assert found.structure == given.structure
        assert (found.source, found.licence, found.fold) == ("made.mgf", "CC0", None)
        np.testing.assert_array_equal(found.spectrum.mz, given.spectrum.mz)
        np.testing.assert_array_equal(found.spectrum.intensity, given.spectrum.intensity)
        for name in ("precursor_mz", "adduct", "collision_energy", "instrument_type", "identifier", "polarity"):
            assert getattr(found.spectrum, name) == getattr(given.spectrum, name), name
    assert read_dataset(four)[0].spectrum.metadata["normalised_collision_energy"] == "35.0"
    assert read_dataset(four)[0].spectrum.metadata["contributor"] == "Lab"


def test_a_spectrum_without_peaks_stays_between_its_neighbours(four: Path):
    dataset = read_dataset(four)
    assert [one.spectrum.n_peaks for one in dataset] == [2, 2, 2, 0]
    assert dataset.mz.dtype == np.float64
    assert dataset.intensity.dtype == np.float32
    assert dataset.offsets.tolist() == [0, 2, 4, 6, 6]


def test_rows_are_taken_in_the_order_asked_for(four: Path):
    dataset = read_dataset(four)
    taken = dataset.take([3, 0, 2])
    assert [one.spectrum.identifier for one in taken] == ["spectrum-3", "spectrum-0", "spectrum-2"]
    assert taken[1].spectrum.mz.tolist() == dataset[0].spectrum.mz.tolist()
    assert len(dataset.take(np.zeros(4, dtype=bool))) == 0


def test_rows_count_from_the_end_and_stop_at_the_end(four: Path):
    dataset = read_dataset(four)
    assert dataset[-1].spectrum.identifier == "spectrum-3"
    with pytest.raises(IndexError):
        dataset[4]


def test_filters_keep_the_allowed_values(four: Path):
    polarity = read_dataset(four, where={"polarity": "negative"})
    assert [one.spectrum.identifier for one in polarity] == ["spectrum-1", "spectrum-3"]
    assert len(read_dataset(four).where(adduct=["[M+H]+"], licence="CC0")) == 2
    assert len(read_dataset(four, where={"licence": []})) == 0


def test_molecules_are_numbered_by_first_block(four: Path):
    assert read_dataset(four).molecules.tolist() == [1, 0, 1, 0]
    assert [one.name for one in read_dataset(four).structures()] == ["ethanol", "phenol"]


def test_unknown_numbers_are_nan_and_unknown_texts_none(four: Path):
    dataset = read_dataset(four)
    assert np.isnan(dataset.column("collision_energy")[1])
    assert dataset.column("instrument_type")[2] is None


def test_the_digest_depends_on_content_and_not_on_storage(four: Path, tmp_path: Path, write_dataset, example):
    rewritten = tmp_path / "rewritten.parquet"
    table = pq.read_table(four)
    pq.write_table(table.replace_schema_metadata(pq.read_schema(four).metadata), rewritten, row_group_size=1)
    assert read_dataset(rewritten).digest == read_dataset(four).digest
    assert read_dataset(four).take([0, 1, 2]).digest != read_dataset(four).digest
    other = write_dataset([example(ETHANOL, 0, collision_energy=21.0)], name="other.parquet")
    assert read_dataset(other).digest != read_dataset(four).take([0]).digest


def test_a_dataset_without_peaks_keeps_its_columns(four: Path):
    bare = read_without_peaks(four)
    assert len(bare) == 4
    assert bare[0].spectrum.n_peaks == 0
    assert bare.column("identifier").tolist() == read_dataset(four).column("identifier").tolist()


def test_a_missing_or_damaged_file_is_a_dataset_error(four: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match="cannot be read as a dataset"):
        read_dataset(tmp_path / "missing.parquet")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(four.read_bytes()[:-100])
    with pytest.raises(DatasetError, match="cannot be read as a dataset"):
        read_dataset(cut)


def test_a_foreign_parquet_file_is_refused(tmp_path: Path):
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(DatasetError, match="dataset format 'unknown'; expected 1"):
        read_dataset(path)


def test_a_file_that_lacks_a_column_names_it(four: Path, tmp_path: Path):
    path = tmp_path / "lacking.parquet"
    pq.write_table(pq.read_table(four).drop_columns(["smiles"]), path)
    with pytest.raises(DatasetError, match="the columns smiles are missing"):
        read_dataset(path)


def test_lists_of_different_length_are_refused(four: Path, tmp_path: Path):
    table = pq.read_table(four)
    place = table.column_names.index("intensity")
    wrong = pa.array([[1.0]] * 4, type=table.schema.field("intensity").type)
    path = tmp_path / "wrong.parquet"
    pq.write_table(table.set_column(place, table.schema.field("intensity"), wrong), path)
    with pytest.raises(DatasetError, match="more m/z values than intensities"):
        read_dataset(path)


def test_a_split_or_column_that_is_not_there_is_named(four: Path):
    with pytest.raises(DatasetError, match="no split 'scaffold'"):
        read_dataset(four, split="scaffold")
    with pytest.raises(DatasetError, match="no column 'colour'"):
        read_dataset(four, where={"colour": "red"})
    with pytest.raises(DatasetError, match="no column 'colour'"):
        read_dataset(four).column("colour")
    with pytest.raises(DatasetError, match="no split was chosen"):
        read_dataset(four).where(fold="test")
