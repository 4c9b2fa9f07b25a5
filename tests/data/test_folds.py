import json
from collections import defaultdict
from pathlib import Path

import pytest

from diptych.data.dataset import read_dataset
from diptych.data.folds import Reference, SplitSettings, read_reference, split_dataset
from diptych.data.splits import Fractions
from diptych.errors import DatasetError
from diptych.molecules.murcko import murcko_scaffold
from diptych.molecules.similarity import packed_fingerprints, similar_pairs

SETTINGS = SplitSettings(fractions=Fractions(train=0.6, val=0.2, test=0.2))


@pytest.fixture
def reference(real_structures) -> Reference:
    """A third of the molecules stand in a benchmark's folds."""
    blocks = sorted({structure.inchikey_first_block for structure in real_structures})
    folds = ("train", "train", "val", "test")
    return Reference(folds={block: folds[i // 3 % 4] for i, block in enumerate(blocks) if i % 3 == 0})


def folds_of_molecules(path: Path, split: str) -> dict[str, set[str]]:
    folds = defaultdict(set)
    for one in read_dataset(path, split=split):
        folds[one.structure.inchikey_first_block].add(one.fold)
    return folds


def test_every_fold_is_filled_and_none_shares_a_first_block(real_dataset: Path, reference: Reference, tmp_path: Path):
    output = tmp_path / "split.parquet"
    split_dataset(real_dataset, output, settings=SETTINGS, reference=reference)
    for split in ("molecule", "scaffold", "similarity", "massspecgym"):
        folds = folds_of_molecules(output, split)
        assert all(len(found) == 1 for found in folds.values()), split
        assert {"train", "val", "test"} <= set().union(*folds.values()), split
    assert any(len(found) > 1 for found in folds_of_molecules(output, "random").values())


def test_scaffold_folds_share_no_scaffold(real_dataset: Path, real_structures, tmp_path: Path):
    output = tmp_path / "split.parquet"
    split_dataset(real_dataset, output, settings=SETTINGS)
    folds = folds_of_molecules(output, "scaffold")
    by_scaffold = defaultdict(set)
    for structure in real_structures:
        by_scaffold[murcko_scaffold(structure)] |= folds[structure.inchikey_first_block]
    acyclic = by_scaffold.pop("")
    assert len(by_scaffold) > 50
    assert all(len(found) == 1 for found in by_scaffold.values())
    assert len(acyclic) > 1


@pytest.mark.parametrize("split", ["similarity", "massspecgym"])
def test_no_twins_stand_in_two_folds(
    real_dataset: Path, real_structures, reference: Reference, tmp_path: Path, split: str
):
    output = tmp_path / "split.parquet"
    report = split_dataset(real_dataset, output, settings=SETTINGS, reference=reference)
    folds = {block: next(iter(found)) for block, found in folds_of_molecules(output, split).items()}
    blocks = [structure.inchikey_first_block for structure in real_structures]
    packed = packed_fingerprints([structure.smiles for structure in real_structures])
    pairs = similar_pairs(packed, packed, threshold=SETTINGS.twin_similarity)
    known = reference.folds if split == "massspecgym" else {}
    compared = 0
    for i, j in zip(pairs.first, pairs.second, strict=True):
        if blocks[i] in known and blocks[j] in known:
            continue
        found = {folds[blocks[i]], folds[blocks[j]]} - {"none"}
        assert len(found) <= 1, (blocks[i], blocks[j])
        compared += blocks[i] != blocks[j]
    assert compared > 50
    nearness = report.splits[split].test_to_placed if known else report.splits[split].test_to_train
    assert nearness.greatest < SETTINGS.twin_similarity
    assert nearness.twins == 0


def test_benchmark_molecules_keep_their_folds(real_dataset: Path, reference: Reference, tmp_path: Path):
    output = tmp_path / "split.parquet"
    split_dataset(real_dataset, output, settings=SETTINGS, reference=reference)
    folds = folds_of_molecules(output, "massspecgym")
    assert all(folds[block] == {fold} for block, fold in reference.folds.items())


def test_a_benchmark_molecule_outside_the_dataset_counts_as_twin(write_dataset, example, tmp_path: Path):
    from diptych.molecules.structure import Structure

    stranger, twin = Structure.from_smiles("CCCCCCCCCCO"), Structure.from_smiles("CCCCCCCCCCCO")
    path = write_dataset([example(stranger, 0), example(Structure.from_smiles("c1ccccc1"), 2)])
    reference = Reference(folds={twin.inchikey_first_block: "test"}, smiles={twin.inchikey_first_block: twin.smiles})
    split_dataset(path, path, settings=SETTINGS, reference=reference)
    assert folds_of_molecules(path, "massspecgym")[stranger.inchikey_first_block] == {"test"}
    without = Reference(folds=reference.folds)
    split_dataset(path, path, settings=SETTINGS, reference=without)
    assert folds_of_molecules(path, "massspecgym")[stranger.inchikey_first_block] == {"train"}


def test_the_seed_alone_decides(real_dataset: Path, tmp_path: Path):
    paths = [tmp_path / name for name in ("first.parquet", "again.parquet", "other.parquet")]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        split_dataset(real_dataset, path, settings=SplitSettings(seed=seed, fractions=SETTINGS.fractions))
    digests = [read_dataset(path).digest for path in paths]
    assert digests[0] == digests[1] != digests[2]


def test_a_dataset_may_be_split_in_place_and_again(real_dataset: Path):
    before = read_dataset(real_dataset)
    for _ in range(2):
        split_dataset(real_dataset, real_dataset, settings=SETTINGS)
    after = read_dataset(real_dataset, split="scaffold", where={"fold": ["train", "val", "test"]})
    assert after.splits == ["random", "molecule", "scaffold", "similarity"]
    assert len(after) == len(before)
    assert after.mz.tolist() == before.mz.tolist()


def test_the_report_counts_every_spectrum_once(real_dataset: Path, real_structures, tmp_path: Path):
    output = tmp_path / "split.parquet"
    report = split_dataset(real_dataset, output, settings=SETTINGS)
    n_molecules = len({structure.inchikey_first_block for structure in real_structures})
    for sizes in report.splits.values():
        assert sum(sizes.spectra.values()) == 2 * len(real_structures)
        for counts in sizes.by.values():
            assert sum(sum(folds.values()) for folds in counts.values()) == 2 * len(real_structures)
    assert sum(report.splits["scaffold"].molecules.values()) == n_molecules
    assert report.splits["random"].test_to_train is None
    written = json.loads(output.with_suffix(".split.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(report.to_dict()))


def test_the_structures_of_a_benchmark_are_read_from_a_table(tmp_path: Path):
    folds, structures = tmp_path / "folds.tsv", tmp_path / "structures.csv"
    folds.write_text("inchikey_first_block\tfold\nLFQSCWFLJHTTHZ\ttest\n", encoding="utf-8")
    structures.write_text("smiles,inchikey_first_block\nCCO,LFQSCWFLJHTTHZ\nC,VNWKTOKETHGBQD\n", encoding="utf-8")
    assert read_reference(folds).smiles == {}
    assert read_reference(folds, structures).smiles == {"LFQSCWFLJHTTHZ": "CCO"}


def test_an_empty_dataset_cannot_be_divided(write_dataset, tmp_path: Path):
    with pytest.raises(DatasetError, match="holds no spectra"):
        split_dataset(write_dataset([]), tmp_path / "split.parquet", settings=SETTINGS)


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_a_threshold_outside_its_range_is_refused(threshold: float):
    with pytest.raises(DatasetError, match="expected more than 0 and at most 1"):
        SplitSettings(twin_similarity=threshold)
