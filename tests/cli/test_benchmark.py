import csv
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.cli import main
from diptych.cli.benchmark_rankers import Asked
from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import SCHEMA, rows_to_batch
from diptych.evaluation.benchmark.folder import Benchmark
from diptych.evaluation.protocols import tables
from diptych.evaluation.results.scores import CandidateScores
from diptych.molecules.structure import Structure
from diptych.ranking.controls import PrecursorRanker, RandomRanker
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

PROTON = Adduct.parse("[M+H]+")
# Each spectrum's first peak says how many carbons its molecule has; two spectra of each molecule.
SMILES = ("CCO", "CCCO", "CCCCO", "CCCCCO")
FOLDS = {"CCO": "test", "CCCO": "test", "CCCCO": "train", "CCCCCO": "val"}
GYM = "identifier\tmzs\tintensities\tsmiles\tprecursor_mz\tadduct\nm\t20.0\t1\tOCC\t47\t[M+H]+\n"
HEADER = "inchikey_first_block\tsmiles\tformula"
TABLE = f"{HEADER}\tsource\nAAAAAAAAAAAAAA\tCOC\tC2H6O\tx\nBBBBBBBBBBBBBB\tCC(C)O\tC3H8O\ty\n"


class CarbonCounter:
    """Knows the number of carbons: the first peak's m/z says it, and the SMILES."""

    name = "carbon-counter"
    digest = "c0ffee"
    metadata: ClassVar[dict] = {}

    def encode_spectra(self, spectra, *, blind=False):
        return np.eye(8, dtype=np.float32)[[7 if blind else int(spectrum.mz[0]) for spectrum in spectra]]

    def encode_structures(self, structures):
        return np.eye(8, dtype=np.float32)[[structure.smiles.split("O")[0].count("C") for structure in structures]]


def example(smiles: str, number: int) -> AnnotatedSpectrum:
    structure = Structure.from_smiles(smiles)
    spectrum = Spectrum.from_peaks(
        [float(smiles.count("C")), 20.0 + smiles.count("C"), 30.0 + number],
        [9.0, 9.0, 1.0],
        identifier=f"{smiles}-{number}",
        precursor_mz=PROTON.mz(structure.exact_mass),
        adduct=PROTON,
        collision_energy=10.0 + 10 * number,
        instrument_type="LC-ESI-QTOF" if number else "LC-ESI-QFT",
    )
    return AnnotatedSpectrum(spectrum=spectrum, structure=structure)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("diptych.embedding")
    module.JointEmbedding = SimpleNamespace(load=lambda _: CarbonCounter())
    monkeypatch.setitem(sys.modules, "diptych.embedding", module)
    examples = [example(smiles, number) for smiles in SMILES for number in range(2)]
    folds = pa.array([FOLDS[smiles] for smiles in SMILES for _ in range(2)])
    table = pa.Table.from_batches([rows_to_batch(examples)]).append_column("fold_scaffold", folds)
    pq.write_table(table.replace_schema_metadata(SCHEMA.metadata), tmp_path / "d.parquet")
    (tmp_path / "structures.tsv").write_text(TABLE)
    (tmp_path / "any").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["diptych", "benchmark", *arguments])
    try:
        main.run()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


BUILD = ("build", "d.parquet", "-o", "b", "--structures", "structures.tsv", "--lists", "formula,measured")


@pytest.fixture
def benchmark(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert run(monkeypatch, *BUILD) == 0
    return folder


def test_a_benchmark_is_built_and_says_what_it_holds(folder: Path, monkeypatch, capsys):
    assert run(monkeypatch, *BUILD, "--measured", "source=x", "--ppm", "1e6", "--at-most", "3") == 0
    shown = capsys.readouterr().out
    assert "4 queries of 2 molecules" in shown
    assert "formula: 2 lists of 2.0 candidates on average, median 2" in shown
    assert "{" not in shown
    assert "Warning" not in shown
    said = json.loads((folder / "b" / "benchmark.json").read_text())
    assert said["digest"] in shown
    assert said["settings"]["measured"] == ["source=x"]
    assert said["lists"]["measured"]["mean_length"] == 3
    assert said["lists"]["formula"]["mean_length"] == 2


def test_another_benchmark_is_replaced_only_where_that_is_asked_for(benchmark: Path, monkeypatch, capfd):
    before = (benchmark / "b" / "benchmark.json").read_bytes()
    assert run(monkeypatch, *BUILD) == 0
    assert run(monkeypatch, *BUILD, "--folds", "val") == 1
    assert "holds another benchmark" in capfd.readouterr().err
    assert (benchmark / "b" / "benchmark.json").read_bytes() == before
    assert run(monkeypatch, *BUILD, "--folds", "val", "--force") == 0
    assert (benchmark / "b" / "benchmark.json").read_bytes() != before


def test_lists_of_the_target_alone_are_warned_of(folder: Path, monkeypatch, capsys):
    assert run(monkeypatch, "build", "d.parquet", "-o", "b") == 0
    warning = "Warning: no list has a second candidate, so that nothing is asked"
    shown = capsys.readouterr().out
    assert f"{warning}: give --structures TABLE to draw from." in shown
    assert "4 queries have a list of one candidate" in shown
    (folder / "lists.json").write_text(json.dumps({"CCO": ["CCO"]}))
    assert run(monkeypatch, "build", "d.parquet", "-o", "c", "--candidates", "formula=lists.json") == 0
    shown = capsys.readouterr().out
    assert f"{warning}." in shown
    assert "  2 targets are missing from their list: misses\n  2 queries have no list, and are among them\n" in shown


def test_a_condition_is_held_out(folder: Path, monkeypatch):
    assert run(monkeypatch, "build", "d.parquet", "-o", "b", "--hold-out", "instrument_class=TOF") == 0
    said = json.loads((folder / "b" / "benchmark.json").read_text())
    assert said["folds"] == {"none": 4, "test": 2, "train": 1, "val": 1}
    assert said["folds_by"] == "instrument_class=TOF held out of scaffold"
    options = ("--hold-out", "instrument_class=TOF", "--fold-column", "none")
    assert run(monkeypatch, "build", "d.parquet", "-o", "b", *options) == 1


def test_given_folds_and_lists_are_frozen_as_they_are(folder: Path, monkeypatch, capfd):
    names = [f"{smiles}-{number}" for smiles in SMILES for number in range(2)]
    rows = [f"{name}\t{fold}" for name, fold in zip(names, ("train", "train", "test", "test"), strict=False)]
    (folder / "folds.tsv").write_text("\n".join(["accession\tfold", *rows]) + "\n")
    (folder / "lists.json").write_text(json.dumps({SMILES[1]: ["COCC", SMILES[1], "CC(C)O"]}))
    given = ("--fold-table", "folds.tsv", "--candidates", "formula=lists.json")
    assert run(monkeypatch, "build", "d.parquet", "-o", "b", *given) == 0
    said = json.loads((folder / "b" / "benchmark.json").read_text())
    assert said["folds"] == {"none": len(names) - 4, "test": 2, "train": 2}
    assert said["folds_by"] == "folds.tsv"
    assert set(said["lists"]) == set(said["candidates_sha256"]) == {"formula"}
    assert "structures" not in said
    assert "| formula | as given |" in (folder / "b" / "README.md").read_text()
    (listed,) = Benchmark.load(folder / "b").lists.values()
    assert {s.smiles for one in listed.values() for s in one.structures} == {"CCOC", SMILES[1], "CC(C)O"}
    both = (*given, "--lists", "formula,mass", "--structures", "structures.tsv")
    assert run(monkeypatch, "build", "d.parquet", "-o", "both", *both) == 0
    said = json.loads((folder / "both" / "benchmark.json").read_text())
    assert list(said["lists"]) == ["formula", "mass"]
    assert said["settings"]["lists"] == ["mass"]
    assert run(monkeypatch, "build", "d.parquet", "-o", "c", *given, "--hold-out", "polarity=negative") == 2
    assert "expected one of them" in capfd.readouterr().err
    (folder / "gym.tsv").write_text("identifier\n")
    assert run(monkeypatch, "build", "gym.tsv", "-o", "c", *given) == 2
    assert "have folds of their own" in capfd.readouterr().err
    (folder / "folds.tsv").write_text("accession\tfold\nA\ttest\nA\ttrain\n")
    assert run(monkeypatch, "build", "d.parquet", "-o", "c", *given) == 1
    assert "A is of fold test and train; expected one fold" in capfd.readouterr().err
    assert run(monkeypatch, "build", "d.parquet", "-o", "c", "--lists", "") == 1
    assert "without candidate lists" in capfd.readouterr().err


def test_massspecgym_s_files_are_frozen(folder: Path, monkeypatch):
    (folder / "gym.tsv").write_text(GYM)
    (folder / "mass.json").write_text(json.dumps({"OCC": ["COC", "OCC"]}))
    assert run(monkeypatch, "build", "gym.tsv", "-o", "b", "--candidates", "mass=mass.json") == 0
    assert run(monkeypatch, "run", "b", "--protocol", "mass", "--ranker", "random", "-o", "r") == 0
    assert json.loads((folder / "r" / "report.json").read_text())["queries"] == 1
    assert run(monkeypatch, "build", "gym.tsv", "-o", "b") == 2


def test_what_is_odd_about_the_queries_is_told_once(folder: Path, monkeypatch, capsys):
    (folder / "lists.json").write_text(json.dumps({"CCO": ["CCO", "OCC", "COC"]}))
    assert run(monkeypatch, "build", "d.parquet", "-o", "b", "--candidates", "formula=lists.json") == 0
    assert "  1 further spelling of a listed molecule was removed\n" in capsys.readouterr().out
    assert run(monkeypatch, "run", "b", "--ranker", "random,formula_only", "--bootstrap", "5", "-o", "r") == 0
    shown = capsys.readouterr().out.splitlines()
    for line in ("2 spectra without list", "2 targets missing from their list", "1 duplicate candidate removed"):
        assert shown.count(line) == 1
        assert sum(line in one for one in shown) == 1


def test_spectra_of_one_identifier_are_counted_where_they_are_frozen_and_asked(folder: Path, monkeypatch, capsys):
    (folder / "gym.tsv").write_text(GYM + GYM.splitlines()[1] + "\n")
    (folder / "mass.json").write_text(json.dumps({"OCC": ["COC", "OCC"]}))
    assert run(monkeypatch, "build", "gym.tsv", "-o", "b", "--candidates", "mass=mass.json") == 0
    line = "1 spectrum shares its identifier with one before it; it is called m#2."
    assert line in capsys.readouterr().out.splitlines()
    assert f"- {line}" in (folder / "b" / "README.md").read_text().splitlines()
    assert json.loads((folder / "b" / "benchmark.json").read_text())["spectra_of_repeated_identifiers"] == 1
    assert run(monkeypatch, "run", "b", "--ranker", "random", "--bootstrap", "5", "-o", "r") == 0
    assert "1 spectrum of a repeated identifier" in capsys.readouterr().out
    report = json.loads((folder / "r" / "report.json").read_text())
    assert report["provenance"]["counts"]["spectra_of_repeated_identifiers"] == 1


def test_a_model_stands_beside_rankers_and_tables(benchmark: Path, monkeypatch, capsys):
    (benchmark / "tool.tsv").write_text("query\tsmiles\tscore\nCCO-0\tCCO\t2\nCCO-0\tCCO\t1\nother\tCCO\t1\n")
    options = ("--model", "any", "--scores", "tool.tsv", "--ranker", "random,nearest_neighbour", "--bootstrap", "10")
    assert run(monkeypatch, "run", "b", *options, "--dataset", "d.parquet", "-o", "r") == 0
    report = json.loads((benchmark / "r" / "report.json").read_text())
    assert report["model"] == "carbon-counter"
    assert list(report["controls"]) == ["spectrum_blind", "tool", "random", "nearest_neighbour"]
    assert report["provenance"]["model_digest"] == "c0ffee"
    assert report["provenance"]["second_look"] == 0
    shown = capsys.readouterr().out
    for text in (
        "| carbon-counter | ",
        "tool: 1 table row of a duplicate candidate",
        "tool: 1 table score of an unknown query",
        "tool: 7 of 8 candidates have no score and stand below the others: hit rate@1 25.0 %, or 0.0 % if they stood",
    ):
        assert text in shown
        assert text.startswith("|") or f"- {text}" in (benchmark / "r" / "summary.md").read_text()
    assert "target. By chance 50.0 at 1, 100.0 at 5, 100.0 at 20.\n" in shown  # two candidates in every list
    assert (benchmark / "r" / "nearest_neighbour.scores.parquet").is_file()


def test_a_run_says_at_how_many_candidates_the_model_looks_again(benchmark: Path, monkeypatch):
    assert Asked().second_look == {}
    monkeypatch.setattr(CarbonCounter, "metadata", {"reranking": {"recall": 64, "weight": 1.0, "temperature": None}})
    assert Asked(model="any").second_look == {"second_look": 64}


def test_queries_that_the_model_was_trained_on_are_told(benchmark: Path, monkeypatch, capsys):
    ethanol = Structure.from_smiles("CCO").inchikey_first_block
    (benchmark / "any" / "training_first_blocks.txt").write_text(f"{ethanol}\n")
    assert run(monkeypatch, "run", "b", "--model", "any", "--bootstrap", "10", "-o", "r") == 0
    line = "2 of 4 queries are of molecules that this model was trained on; hit rate@1 of the other 2: "
    assert line in capsys.readouterr().out
    overlap = json.loads((benchmark / "r" / "report.json").read_text())["provenance"]["training_overlap"]
    assert (overlap["seen_queries"], overlap["queries"]) == (2, 4)
    options = ("--model", "any", "--protocol", "answer-absent", "--bootstrap", "5", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    assert "2 of 4 queries are of molecules that this model was trained on.\n" in capsys.readouterr().out


def test_fusions_and_shuffled_spectra_are_asked_by_name(benchmark: Path, monkeypatch, capfd):
    fused = "nearest_neighbour+random"
    names = f"shuffled_spectra,{fused},rank:{fused}"
    options = ("--model", "any", "--dataset", "d.parquet", "--bootstrap", "10", "-o", "r")
    assert run(monkeypatch, "run", "b", "--ranker", names, *options) == 0
    report = json.loads((benchmark / "r" / "report.json").read_text())
    assert list(report["controls"]) == ["spectrum_blind", "shuffled_spectra", fused, f"rank:{fused}"]
    assert report["controls"]["shuffled_spectra"]["hit_rate@1"]["spectrum"] == 0
    assert report["metrics"]["hit_rate@1"]["spectrum"] == 0.5
    assert not [path for path in (benchmark / "r").iterdir() if ":" in path.name]
    short = ("--model", "any", "--ranker", "shuffled_spectra", "--bootstrap", "5", "-o", "again")
    (benchmark / "lists.json").write_text(json.dumps({"CCO": ["CCO", "COC"], "CCCO": ["CCCO"]}))
    assert run(monkeypatch, "build", "d.parquet", "-o", "c", "--candidates", "formula=lists.json") == 0
    capfd.readouterr()
    assert run(monkeypatch, "run", "c", *short, "--min-list-length", "2") == 0
    assert "All 2 queries are of one molecule: shuffled_spectra is left out." in capfd.readouterr().out
    assert run(monkeypatch, "run", "b", "--ranker", "shuffled_spectra", "-o", "again") == 2
    assert "shuffled_spectra asks a model with the spectra of others" in capfd.readouterr().err


def test_a_model_tables_and_vectors_are_fused_by_name_and_asked_once(benchmark: Path, vectors: str, monkeypatch, capfd):
    (benchmark / "tool.tsv").write_text("query\tsmiles\tscore\nCCO-0\tCCO\t1\nCCO-0\tCOC\t2\nCCO-1\tCCO\t1\n")
    asked = []
    encode = CarbonCounter.encode_spectra
    monkeypatch.setattr(
        CarbonCounter,
        "encode_spectra",
        lambda self, s, *, blind=False: asked.append(blind) or encode(self, s, blind=blind),
    )
    names = "rank:model+tool,model+carbons_neighbour+random,tool+formula_only"
    options = ("--model", "any", "--scores", "tool.tsv", "--vectors", vectors, "--ranker", names)
    learned = ("--dataset", "d.parquet", "--bootstrap", "5", "-o", "r")
    assert run(monkeypatch, "run", "b", *options, *learned) == 0
    assert sorted(asked) == [False, True]
    report = json.loads((benchmark / "r" / "report.json").read_text())
    controls = ["spectrum_blind", "tool", "carbons_neighbour", "carbons_neighbours_20", *names.split(",")]
    assert list(report["controls"]) == controls
    # The model finds ethanol, the table prefers the ether once: a rank each, and the tie counts against the answer.
    scores = CandidateScores.read(benchmark / "r" / "rank_model+tool.json")
    np.testing.assert_allclose(sorted(scores.scores[:2]), [1 / 61 + 1 / 62] * 2, atol=1e-8)
    capfd.readouterr()
    assert run(monkeypatch, "run", "b", "--scores", "tool.tsv", "--ranker", "model+tool", "-o", "again") == 1
    error = " ".join(capfd.readouterr().err.split())
    assert "no ranker 'model'; expected one of random, " in error
    assert error.endswith(", bond_disconnection, or in a fusion tool")


@pytest.mark.parametrize("protocol", ["formula", "answer-absent"])
def test_two_rankers_of_one_name_are_refused(benchmark: Path, monkeypatch, capfd, protocol: str):
    (benchmark / "tool.tsv").write_text("query\tsmiles\tscore\nCCO-0\tCCO\t1\n")
    options = ("--scores", "tool.tsv", "--scores", "tool.tsv", "--protocol", protocol, "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 2
    assert "two rankers are called 'tool'; expected distinct names" in " ".join(capfd.readouterr().err.split())


def _rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of results without the ranks under controls."""
    with path.open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [{name: text for name, text in row.items() if not name.startswith("rank_")} for row in rows]


def test_both_commands_write_the_same_columns(benchmark: Path, monkeypatch):
    monkeypatch.setattr(CarbonCounter, "metadata", {"calibration": {"temperature": 0.5}})
    assert run(monkeypatch, "run", "b", "--model", "any", "--bootstrap", "5", "-o", "r") == 0
    source = ["--spectra", "d.parquet", "--fold", "scaffold=test", "--candidates", "b/lists_formula.parquet"]
    monkeypatch.setattr(sys, "argv", ["diptych", "evaluate", *source, "--bootstrap", "5", "-o", "e.json"])
    with pytest.raises(SystemExit, match="0"):
        main.run()
    of_run, of_evaluate = (_rows(benchmark / name) for name in ("r/report.ranks.tsv", "e.ranks.tsv"))
    assert [list(row) for row in of_run] == [list(row) for row in of_evaluate]
    assert of_run == of_evaluate
    assert of_run[0].keys() >= {"probability", "tanimoto", "mces", "ring_systems", "formula", "adduct"}
    # Cosines 1 and 0 at a temperature of 1/2; isopropanol has the cosine of propanol.
    right = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(sorted(float(row["probability"]) for row in of_run), [0.5, 0.5, right, right])
    # Propanol's CH2 less the CH of isopropanol lacks O, its CH2O less CH3 has it: half a bond each.
    assert [row["mces"] for row in of_run] == ["0", "0", "1", "1"]
    for report in ("r/report.json", "r/spectrum_blind.json", "e.json"):
        assert json.loads((benchmark / report).read_text())["provenance"]["mces"] == "bound"


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_table_of_infinite_scores_is_judged_and_reported(benchmark: Path, monkeypatch, capsys):
    rows = [f"{name}-{number}\t{name}\tinf" for name in SMILES[:2] for number in range(2)]
    (benchmark / "tool.tsv").write_text("\n".join(["query\tsmiles\tscore", *rows, "CCO-0\tCOC\t-inf"]) + "\n")
    options = ("--scores", "tool.tsv", "--bootstrap", "10", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    assert "tool: 5 table rows without score" in capsys.readouterr().out
    assert run(monkeypatch, "run", "b", *options, "--protocol", "answer-absent") == 0
    (row,) = json.loads((benchmark / "r" / "answer-absent.json").read_text())["rows"]
    assert (row["queries"], row["left_out"], row["auroc"]) == (0, 4, None)
    monkeypatch.setattr(sys, "argv", ["diptych", "report", "r/report.json", "--bootstrap", "10", "-o", "page.html"])
    with pytest.raises(SystemExit, match="0"):
        main.run()
    assert "tool has no curve: no candidate has a score." in (benchmark / "page.md").read_text()


@pytest.fixture
def vectors(benchmark: Path) -> str:
    """Vectors of another tool: the number of carbon atoms as one of eight axes."""
    names = [f"{smiles}-{number}" for smiles in SMILES for number in range(2)]
    table = np.eye(8, dtype=np.float32)[[name.split("O")[0].count("C") for name in names]]
    np.savez(benchmark / "carbons.npz", accession=np.array(names), vector=table)
    return "carbons.npz"


def test_vectors_of_another_tool_look_for_neighbours(benchmark: Path, vectors: str, monkeypatch, capfd):
    options = ("--vectors", vectors, "--dataset", "d.parquet", "--bootstrap", "10", "-o", "r")
    assert run(monkeypatch, "run", "b", *options, "--ranker", "random") == 0
    written = capfd.readouterr().out.splitlines()[-1]
    assert written == "Written: r/report.json, r/carbons_neighbours_20.json, r/random.json"
    assert json.loads((benchmark / "r" / "report.json").read_text())["model"] == "carbons_neighbour"
    assert run(monkeypatch, "run", "b", "--vectors", vectors, "-o", "again") == 1
    assert "neighbours of 'carbons' are of a training fold; expected its spectra: --dataset" in capfd.readouterr().err


def test_a_dataset_that_lacks_part_of_the_training_fold_is_told_of(benchmark: Path, monkeypatch, capsys):
    table = pq.read_table(benchmark / "d.parquet")
    is_train = [fold == "train" for fold in table["fold_scaffold"].to_pylist()]
    kept = [row for row, train in enumerate(is_train) if not train or row != is_train.index(True)]
    pq.write_table(table.take(kept), benchmark / "part.parquet")
    options = ("--ranker", "nearest_neighbour", "--bootstrap", "5", "-o", "r")
    assert run(monkeypatch, "run", "b", *options, "--dataset", "part.parquet") == 0
    n = sum(is_train)
    told = f"part.parquet: holds {n - 1} of the {n} training spectra of the benchmark."
    assert told in capsys.readouterr().out
    assert run(monkeypatch, "run", "b", *options, "--dataset", "d.parquet") == 0
    assert "training spectra of the benchmark" not in capsys.readouterr().out


def test_vectors_that_are_none_are_told_of(benchmark: Path, monkeypatch, capsys):
    names = [f"{smiles}-{number}" for smiles in SMILES for number in range(2)]
    table = np.ones((len(names), 2))
    table[0], table[1, 1] = 0, np.nan
    np.savez(benchmark / "holes.npz", accession=np.array(names), vector=table)
    options = ("--vectors", "holes.npz", "--dataset", "d.parquet", "--bootstrap", "5", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    assert (
        f"holes: 2 of {len(names)} vectors are 0 or not finite: their pairs have no score." in capsys.readouterr().out
    )


def test_vectors_of_another_tool_search_libraries_and_re_identify(
    benchmark: Path, vectors: str, monkeypatch: pytest.MonkeyPatch
):
    options = ("--vectors", vectors, "--dataset", "d.parquet", "-o", "r")
    assert run(monkeypatch, "run", "b", *options, "--protocol", "library-search", "--ranker", "precursor_mz") == 0
    rows = json.loads((benchmark / "r" / "library-search.json").read_text())["rows"]
    assert list(dict.fromkeys(row["scorer"] for row in rows)) == ["carbons", "precursor_mz"]
    assert rows[0]["hit_rate@1"]["mean"] == 1.0
    asked = {}
    module = "diptych.evaluation.protocols.tables.few_shot_table"
    monkeypatch.setattr(module, lambda vectors, _, **__: asked.update(vectors) or [{"method": "x", "accuracy": 0.5}])
    assert run(monkeypatch, "run", "b", *options[:2], "--protocol", "few-shot", "-o", "few") == 0
    assert list(asked) == ["carbons", "binned_peaks"]
    assert asked["carbons"].shape == (4, 8)


def test_the_molecule_prior_learns_from_a_table(benchmark: Path, monkeypatch, capfd):
    (benchmark / "more.tsv").write_text(f"{HEADER}\nCCCCCCCCCCCCCC\tCCOCC\tC4H10O\n")
    options = ("--ranker", "molecule_prior", "--dataset", "d.parquet", "--bootstrap", "10", "-o", "r")
    assert run(monkeypatch, "run", "b", *options, "--structures", "more.tsv") == 0
    assert run(monkeypatch, "run", "b", *options) == 2
    assert "molecule_prior needs --structures TABLE" in capfd.readouterr().err


def test_robustness_has_rows_for_each_ranker(benchmark: Path, monkeypatch, capsys):
    options = ("--protocol", "robustness", "--ranker", "nearest_neighbour", "--dataset", "d.parquet")
    assert run(monkeypatch, "run", "b", *options, "--bootstrap", "5", "-o", "r") == 0
    rows = json.loads((benchmark / "r" / "robustness.json").read_text())["rows"]
    assert {row["perturbation"] for row in rows} >= {"none", "noise_peaks", "stated_energy"}
    assert "| nearest_neighbour | dropped_peaks | 0.5 | 4 | 0 |" in capsys.readouterr().out


@pytest.mark.parametrize("protocol", ["formula", "robustness", "answer-absent"])
def test_a_run_that_was_stopped_goes_on_with_what_was_answered(benchmark: Path, monkeypatch, capfd, protocol: str):
    words = ("run", "b", "--ranker", "random,precursor_mass", "--protocol", protocol, "--bootstrap", "20")
    assert run(monkeypatch, *words, "-o", "whole") == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrecursorRanker, "score", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run(monkeypatch, *words, "-o", "results") == 130
    assert list(Path("results/unfinished").iterdir())
    assert not list(Path("results").glob("*.json"))
    capfd.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RandomRanker, "score", lambda *_: pytest.fail("was asked again"))
        assert run(monkeypatch, *words, "-o", "results") == 0
    assert f"what fits of its answers in {Path('results/unfinished')} is taken." in capfd.readouterr().err
    assert not Path("results/unfinished").exists()
    names = sorted(path.name for path in Path("whole").iterdir())
    assert sorted(path.name for path in Path("results").iterdir()) == names
    for name in (name for name in names if name.endswith(".tsv") or protocol != "formula"):
        assert Path("results", name).read_bytes() == Path("whole", name).read_bytes()


def test_answers_are_of_one_second_look_and_of_one_file_of_queries(benchmark: Path, monkeypatch):
    def key() -> str:
        return Asked(model="any").kept(Benchmark.load(benchmark / "b"), benchmark / "r")._key

    first = key()
    assert key() == first
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CarbonCounter, "metadata", {"reranking": {"recall": 64, "weight": 0.9, "temperature": 1.0}})
        assert key() != first
    frozen = Benchmark.load(benchmark / "b")
    frozen.queries_path.write_bytes(frozen.queries_path.read_bytes() + b" ")
    assert Asked(model="any").kept(frozen, benchmark / "r")._key != first


def test_a_benchmark_is_not_written_over_by_its_results(benchmark: Path, monkeypatch, capfd):
    assert run(monkeypatch, "run", "b", "--ranker", "random", "-o", "b") == 1
    assert "b: cannot be written: it is read to write it, and would be lost" in capfd.readouterr().err


def test_the_working_folder_is_not_replaced_by_a_benchmark(folder: Path, monkeypatch, capfd):
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder / "empty")
    assert run(monkeypatch, "build", "../d.parquet", "-o", ".") == 2
    assert "--output .: the folder is replaced as a whole" in " ".join(capfd.readouterr().err.replace("│", " ").split())


def test_a_library_search_that_was_stopped_goes_on_with_its_next_scorer(benchmark: Path, monkeypatch):
    words = ("run", "b", "--protocol", "library-search", "--ranker", "precursor_mz,binned_cosine")
    assert run(monkeypatch, *words, "-o", "whole") == 0
    module = "diptych.evaluation.protocols.tables"
    searched = tables.library_search_table

    def stopped(scorers, *given, **options):
        if scorers[0].name == "binned_cosine":
            raise KeyboardInterrupt
        return searched(scorers, *given, **options)

    def rest(scorers, *given, **options):
        assert scorers[0].name == "binned_cosine"
        return searched(scorers, *given, **options)

    for how, code in ((stopped, 130), (rest, 0)):
        monkeypatch.setattr(f"{module}.library_search_table", how)
        assert run(monkeypatch, *words, "-o", "results") == code
    assert [path.name for path in Path("results").iterdir()] == ["library-search.json"]
    assert Path("results/library-search.json").read_bytes() == Path("whole/library-search.json").read_bytes()


def test_a_run_that_was_stopped_forgets_answers_to_a_table_that_changed(benchmark: Path, monkeypatch):
    words = ("run", "b", "--scores", "tool.tsv", "--ranker", "tool+random,precursor_mass", "--bootstrap", "20")
    rows = "".join(f"{{}}\t{smiles}\t{smiles.count('C')}\n" for smiles in ("CCO", "COC"))
    names = [f"{smiles}-{number}" for smiles in SMILES[:2] for number in range(2)]
    table = "query\tsmiles\tscore\n" + "".join(rows.format(name, name) for name in names)
    Path("tool.tsv").write_text(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrecursorRanker, "score", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run(monkeypatch, *words, "-o", "results") == 130
    Path("tool.tsv").write_text(table.replace("COC\t2", "COC\t99"))
    assert run(monkeypatch, *words, "-o", "results") == 0
    assert run(monkeypatch, *words, "-o", "whole") == 0
    fused = "tool+random.ranks.tsv"
    assert Path("results", fused).read_bytes() == Path("whole", fused).read_bytes()


def test_robustness_can_be_asked_of_some_of_the_queries(benchmark: Path, monkeypatch, capfd):
    options = ("--protocol", "robustness", "--ranker", "random", "--bootstrap", "5", "--sample", "3")
    assert run(monkeypatch, "run", "b", *options, "-o", "r") == 0
    content = json.loads((benchmark / "r" / "robustness.json").read_text())
    assert content["rows"][0]["n_queries"] == 3
    assert content["counts"]["queries_not_drawn"] == 1
    assert "1 query not drawn" in capfd.readouterr().out
    assert run(monkeypatch, "run", "b", "--ranker", "random", "--sample", "3", "-o", "again") == 2
    assert "--protocol formula takes no --sample" in capfd.readouterr().err


def test_answer_absent_has_a_row_for_each_ranker(benchmark: Path, monkeypatch, capsys):
    options = ("--protocol", "answer-absent", "--model", "any", "--ranker", "random", "--bootstrap", "5", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    rows = json.loads((benchmark / "r" / "answer-absent.json").read_text())["rows"]
    assert [row["ranker"] for row in rows] == ["carbon-counter", "spectrum_blind", "random"]
    assert rows[0]["auroc"] > rows[1]["auroc"] == 0.5
    assert rows[0]["calibration_error"] is None
    shown = capsys.readouterr().out
    assert "| random | " in shown
    assert "random: the conformal sets of 100 of 100 splits hold every candidate" in shown


@pytest.fixture
def short(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark whose first list is of one, and whose second lacks its target."""
    (folder / "lists.json").write_text(json.dumps({"CCO": ["CCO"], "CCCO": ["COCC", "CC(C)O"]}))
    assert run(monkeypatch, "build", "d.parquet", "-o", "b", "--candidates", "formula=lists.json") == 0
    return folder


def test_answer_absent_counts_lists_of_one_and_lists_without_the_answer(short: Path, monkeypatch, capsys):
    options = ("--protocol", "answer-absent", "--ranker", "random", "--bootstrap", "5", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    shown = capsys.readouterr().out
    said = json.loads((short / "r" / "answer-absent.json").read_text())
    assert (said["rows"][0]["queries"], said["rows"][0]["left_out"]) == (0, 4)
    assert said["counts"]["queries_with_one_candidate"] == said["counts"]["targets_missing_from_their_list"] == 2
    assert said["counts"]["queries_left_out_for_short_lists"] == 0
    assert "left out: the list lacks the answer, or the answer or all others have no score\n4 queries given\n" in shown
    assert "2 queries with one candidate\n2 targets missing from their list\n" in shown
    assert run(monkeypatch, "run", "b", *options, "--min-list-length", "2") == 0
    assert "2 queries left out for short lists" in capsys.readouterr().out
    said = json.loads((short / "r" / "answer-absent.json").read_text())
    assert said["rows"][0]["left_out"] == 2
    assert said["counts"]["queries_given"] == 4
    assert said["counts"]["queries_left_out_for_short_lists"] == 2


def test_robustness_counts_what_is_not_asked(short: Path, monkeypatch, capfd):
    options = ("--protocol", "robustness", "--ranker", "random", "--bootstrap", "5", "-o", "r")
    assert run(monkeypatch, "run", "b", *options, "--min-list-length", "2") == 0
    shown = capfd.readouterr().out
    for text in (
        "4 queries given",
        "2 queries left out for short lists",
        "2 targets missing from their list",
    ):
        assert f"\n{text}\n" in shown
    said = json.loads((short / "r" / "robustness.json").read_text())
    assert said["rows"][0]["n_queries"] == 2
    assert said["counts"]["queries_left_out_for_short_lists"] == 2
    assert run(monkeypatch, "run", "b", *options, "--min-list-length", "9") == 1
    assert "4 given, of which none has a list of at least 9" in " ".join(capfd.readouterr().err.split())


def test_few_shot_asks_the_model_its_blind_control_and_binned_peaks(benchmark: Path, monkeypatch, capsys):
    module = "diptych.evaluation.protocols.tables.few_shot_table"
    asked = {}
    monkeypatch.setattr(module, lambda vectors, _, **__: asked.update(vectors) or [{"method": "x", "accuracy": 0.5}])
    assert run(monkeypatch, "run", "b", "--protocol", "few-shot", "--model", "any", "-o", "r") == 0
    assert list(asked) == ["carbon-counter", "spectrum_blind", "binned_peaks"]
    shown = capsys.readouterr().out
    assert shown.startswith("Accuracy with its 95 % interval over molecules, and chance, in %.\n")
    assert "| x | 50.0 |" in shown


@pytest.mark.parametrize("protocol", ["few-shot", "answer-absent", "robustness", "library-search"])
def test_a_table_says_what_it_takes_to_repeat_it(benchmark: Path, monkeypatch, protocol: str):
    who = ("--ranker", "random") if protocol == "robustness" else ("--model", "any")
    options = (*who, "--protocol", protocol, "--seed", "3", "--fold", "test", "-o", "r")
    options += () if protocol == "library-search" else ("--bootstrap", "7")
    monkeypatch.setattr("diptych.evaluation.protocols.tables.few_shot_table", lambda *_, **__: [{"accuracy": 0.5}])
    assert run(monkeypatch, "run", "b", *options) == 0
    said = json.loads((benchmark / "r" / f"{protocol}.json").read_text())
    assert (said["fold"], said["seed"]) == ("test", 3)
    assert said.get("model_digest", "c0ffee") == "c0ffee"
    assert ("model_digest" in said) == ("--model" in who)
    assert said.get("n_bootstrap") == (None if protocol == "library-search" else 7)


def test_library_search_takes_the_training_fold_for_references(benchmark: Path, monkeypatch, capsys):
    options = ("--protocol", "library-search", "--model", "any", "--dataset", "d.parquet", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    rows = json.loads((benchmark / "r" / "library-search.json").read_text())["rows"]
    assert list(dict.fromkeys(row["scorer"] for row in rows)) == [
        "carbon-counter",
        "carbon-counter_with_match_evidence",
        "spectrum_blind",
        "precursor_mz",
        "binned_cosine",
        "spectral_entropy",
    ]
    # Instruments differ, adducts do not: the other spectrum of the molecule is found.
    assert rows[0]["hit_rate@1"]["mean"] == 1.0
    assert rows[0]["n_queries"] == 2.0
    assert rows[0]["counts"]["queries_given"] == 2.0
    shown = capsys.readouterr().out
    assert "\nprecursor_mz: 2 queries given, 0 spectra without a replicate; without own reference, " in shown
    assert run(monkeypatch, "run", "b", "--protocol", "library-search", "--ranker", "precursor_mz", "-o", "r") == 0


@pytest.mark.parametrize(("protocol", "is_said"), [("formula", True), ("global", True), ("library-search", False)])
def test_a_model_that_ranks_no_structures_is_said_to(benchmark: Path, monkeypatch, capsys, protocol, is_said):
    monkeypatch.setattr("diptych.retrieval.StructureLibrary", SimpleNamespace(load=lambda *_, **__: Library()))
    monkeypatch.setattr(CarbonCounter, "metadata", {"ranks_structures": False})
    library = ("--library", "l") if protocol == "global" else ()
    options = ("--protocol", protocol, "--model", "any", *library, "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    said = capsys.readouterr().err
    assert said.count("diptych: model carbon-counter was trained to compare spectra with spectra alone") == int(is_said)


def test_the_256_way_lists_need_so_many_molecules(benchmark: Path, monkeypatch, capfd):
    options = ("--protocol", "256-way", "--ranker", "random", "--dataset", "d.parquet", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 1
    error = capfd.readouterr().err
    assert "2 molecules beside the target" in error
    assert "--dataset" not in error
    assert run(monkeypatch, "run", "b", "--protocol", "256-way", "--ranker", "random", "-o", "r") == 1
    assert "expected at least 255; --dataset adds the molecules of the training fold" in capfd.readouterr().err


class Library:
    """Three structures in order of mass."""

    def __init__(self) -> None:
        self.rows = [Structure.from_smiles(text) for text in ("CCO", "CCCCO", "CCCCCO")]
        self.embeddings = CarbonCounter().encode_structures(self.rows).astype(np.float16)

    def __len__(self) -> int:
        return len(self.rows)

    def window(self, neutral_mass: float, half_width_da: float) -> slice:
        masses = [structure.neutral_mass for structure in self.rows]
        low, high = np.searchsorted(masses, [neutral_mass - half_width_da, neutral_mass + half_width_da])
        return slice(int(low), int(high))

    def structures(self, rows):
        return [self.rows[row] for row in rows]


def test_global_retrieval_ranks_among_the_whole_library(benchmark: Path, monkeypatch, capsys):
    monkeypatch.setattr("diptych.retrieval.StructureLibrary", SimpleNamespace(load=lambda *_, **__: Library()))
    options = ("--protocol", "global", "--model", "any", "--library", "l", "--bootstrap", "10", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 0
    report = json.loads((benchmark / "r" / "report.json").read_text())
    # Ethanol is found; propanol, of the other two spectra, is not in the library. Asked blind all tie.
    assert report["metrics"]["hit_rate@1"]["spectrum"] == 0.5
    assert report["controls"]["spectrum_blind"]["hit_rate@1"]["spectrum"] == 0
    assert report["list_length"] == 3
    shown = capsys.readouterr().out
    assert "Counted as misses: 2 targets that the library lacks, 0 queries that cannot be worked with." in shown
    summary = (benchmark / "r" / "summary.md").read_text().splitlines()
    assert summary[2] == "| ranker | @1 | @5 | @20 | @100 | MRR | @1 by molecule | seconds |"
    assert [line.split(" | ")[0] for line in summary[4:6]] == ["| carbon-counter", "| spectrum_blind"]
    blind = json.loads((benchmark / "r" / "spectrum_blind.json").read_text())
    assert blind["metrics"]["hit_rate@100"] == report["controls"]["spectrum_blind"]["hit_rate@100"]
    assert list(json.loads((benchmark / "r" / "summary.json").read_text())) == ["carbon-counter", "spectrum_blind"]
    rows = [line.split("\t") for line in (benchmark / "r" / "report.ranks.tsv").read_text().splitlines()]
    found = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    ethanol, pentanol = (Structure.from_smiles(text).inchikey_first_block for text in ("CCO", "CCCCO"))
    assert [row["best"] for row in found[:2]] == [ethanol, ethanol]
    assert {row["best"] for row in found} <= {ethanol, pentanol}


def test_the_ladder_lays_reports_side_by_side(benchmark: Path, monkeypatch, capsys):
    assert run(monkeypatch, "run", "b", "--ranker", "random", "--bootstrap", "10", "-o", "r") == 0
    capsys.readouterr()
    assert run(monkeypatch, "ladder", "scaffold=r/report.json", "random=r/report.json", "-o", "ladder.md") == 0
    shown = capsys.readouterr().out
    assert "| scaffold | 4 | 2 | random |" in shown
    assert (benchmark / "ladder.md").read_text() == shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--ranker", "best", "-o", "r"), 1, "no ranker 'best'; expected one of random"),
        (("-o", "r"), 2, "nobody is asked: give --ranker NAME, --model MODEL, --scores TABLE or --vectors"),
        (("--ranker", "nearest_neighbour", "-o", "r"), 1, "learns from a training fold"),
        (("--protocol", "mass", "--ranker", "random", "-o", "r"), 2, "expected one of formula, measured, 256-way"),
        (("--protocol", "global", "-o", "r"), 2, "needs --model MODEL and --library DIR"),
        (("--fold", "dev", "--ranker", "random", "-o", "r"), 1, "asks no spectrum of fold 'dev'"),
    ],
)
def test_wrong_usage_is_answered_on_one_line(benchmark: Path, monkeypatch, capfd, arguments, code, message):
    assert run(monkeypatch, "run", "b", *arguments) == code
    error = " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert message in error
    assert "Traceback" not in error


LISTS = "--model, --ranker, --scores, --vectors, --prior, --min-list-length, --dataset, --structures"
ABSENT = f"{LISTS}, --bootstrap"
LISTS = f"{LISTS}, --mces, --bootstrap"
SPOILED = "--model, --ranker, --prior, --min-list-length, --sample, --dataset, --structures, --bootstrap"
FEW, SEARCH = "--model, --vectors, --bootstrap", "--model, --ranker, --vectors, --dataset"
GLOBAL = "--model, --library, --prior, --bootstrap"


@pytest.mark.parametrize(
    ("protocol", "option", "value", "taken"),
    [
        ("robustness", "--scores", "tool.tsv", SPOILED),
        ("robustness", "--vectors", "tool.tsv", SPOILED),
        ("robustness", "--mces", "none", SPOILED),
        ("few-shot", "--scores", "tool.tsv", FEW),
        ("few-shot", "--ranker", "random", FEW),
        ("few-shot", "--prior", "0", FEW),
        ("few-shot", "--min-list-length", "2", FEW),
        ("few-shot", "--mces", "none", FEW),
        ("few-shot", "--structures", "structures.tsv", FEW),
        ("few-shot", "--dataset", "d.parquet", FEW),
        ("library-search", "--scores", "tool.tsv", SEARCH),
        ("library-search", "--prior", "0.5", SEARCH),
        ("library-search", "--min-list-length", "1", SEARCH),
        ("library-search", "--mces", "none", SEARCH),
        ("library-search", "--structures", "structures.tsv", SEARCH),
        ("library-search", "--bootstrap", "10", SEARCH),
        ("global", "--scores", "tool.tsv", GLOBAL),
        ("global", "--ranker", "random", GLOBAL),
        ("global", "--min-list-length", "2", GLOBAL),
        ("global", "--mces", "none", GLOBAL),
        ("global", "--structures", "structures.tsv", GLOBAL),
        ("global", "--dataset", "d.parquet", GLOBAL),
        ("answer-absent", "--library", "l", ABSENT),
        ("answer-absent", "--mces", "none", ABSENT),
        ("256-way", "--library", "l", LISTS),
        ("formula", "--library", "l", LISTS),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    benchmark: Path, monkeypatch, capfd, protocol: str, option: str, value: str, taken: str
):
    (benchmark / "tool.tsv").write_text("query\tsmiles\tscore\nCCO-0\tCCO\t2\n")
    assert run(monkeypatch, "run", "b", "--protocol", protocol, "--model", "any", option, value, "-o", "r") == 2
    error = " ".join(capfd.readouterr().err.replace("│", " ").split())
    reasons = {"--scores": " (a table has no answer to spoiled spectra)", "--vectors": " (spoiled spectra have none)"}
    reason = reasons.get(option, "") if protocol == "robustness" else ""
    assert error.endswith(f"--protocol {protocol} takes no {option}{reason}; it takes {taken}")
    assert not (benchmark / "r").exists()


def test_options_at_their_defaults_are_no_options(benchmark: Path, monkeypatch):
    options = ("--prior", "1", "--min-list-length", "0", "--mces", "bound", "--bootstrap", "2000", "-o", "r")
    assert run(monkeypatch, "run", "b", "--protocol", "library-search", "--ranker", "precursor_mz", *options) == 0
    (benchmark / "gym.tsv").write_text(GYM)
    (benchmark / "mass.json").write_text(json.dumps({"OCC": ["COC", "OCC"]}))
    options = ("--ppm", "10", "--at-most", "256", "--fold-column", "scaffold", "--candidates", "mass=mass.json")
    assert run(monkeypatch, "build", "gym.tsv", "-o", "c", *options) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prior", "0.5"), "--prior is a model's share of what it expects before it sees a peak: give --model"),
        (("--structures", "structures.tsv"), "--structures is what molecule_prior learns from: name it among --ranker"),
    ],
)
def test_an_option_of_nobody_who_is_asked_is_refused(benchmark: Path, monkeypatch, capfd, options, message: str):
    assert run(monkeypatch, "run", "b", "--ranker", "random", *options, "-o", "r") == 2
    assert " ".join(capfd.readouterr().err.replace("│", " ").split()).endswith(message)
    assert not (benchmark / "r").exists()


@pytest.mark.parametrize(
    ("protocol", "asked"),
    [
        ("formula", ("--ranker", "random,random+precursor_mass")),
        ("formula", ("--scores", "tool.tsv", "--ranker", "tool+random")),
        ("robustness", ("--model", "any", "--ranker", "shuffled_spectra")),
        ("answer-absent", ("--model", "any")),
    ],
)
def test_a_dataset_that_nobody_learns_from_is_refused(benchmark: Path, monkeypatch, capfd, protocol: str, asked):
    (benchmark / "tool.tsv").write_text("query\tsmiles\tscore\nCCO-0\tCCO\t2\n")
    options = ("--protocol", protocol, *asked, "--dataset", "d.parquet", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 2
    error = " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert "--dataset is what rankers learn from, and none that does is asked: name one among --ranker" in error


def test_the_molecule_prior_without_a_training_fold_asks_for_the_dataset(benchmark: Path, monkeypatch, capfd):
    options = ("--ranker", "molecule_prior", "--structures", "structures.tsv", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 2
    error = " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert error.endswith("molecule_prior learns from a training fold: give --dataset FILE")


def test_a_scorer_of_library_search_is_named_once(benchmark: Path, monkeypatch, capfd):
    options = ("--protocol", "library-search", "--ranker", "cosine,cosine", "-o", "r")
    assert run(monkeypatch, "run", "b", *options) == 2
    assert "two rankers are called 'cosine'; expected distinct names" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--measured", "source=x"), "--measured needs --lists measured and --structures TABLE"),
        (
            ("--measured", "source=x", "--lists", "measured"),
            "--measured needs --lists measured and --structures TABLE",
        ),
        (("--lists", "measured", "--structures", "structures.tsv"), "--structures needs --lists formula or mass"),
        (("--ppm", "5"), "--ppm needs --lists mass or measured"),
        (("--ppm", "5", "--candidates", "mass=lists.json", "--lists", "mass"), "--ppm needs --lists mass or measured"),
        (("--at-most", "5", "--candidates", "formula=lists.json"), "--at-most needs lists that are drawn: --lists"),
        (
            ("--structures", "structures.tsv", "--candidates", "formula=lists.json"),
            "--structures needs --lists formula or mass",
        ),
        (
            ("--fold-table", "lists.json", "--fold-column", "molecule"),
            "--fold-table and --fold-column both say what is tested; expected one of them",
        ),
        (
            ("--candidates", "formula=lists.json", "--candidates", "formula=other.json"),
            "two files of lists are of the kind 'formula'; expected one",
        ),
    ],
)
def test_an_option_that_would_change_nothing_that_is_built_is_refused(
    folder: Path, monkeypatch, capfd, options, message: str
):
    (folder / "lists.json").write_text(json.dumps({"CCO": ["CCO"]}))
    assert run(monkeypatch, "build", "d.parquet", "-o", "b", *options) == 2
    assert message in " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert not (folder / "b").exists()


@pytest.mark.parametrize("command", [("build", "d.parquet"), ("run", "b", "--model", "any")])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_asked(
    benchmark: Path, monkeypatch, capfd, command
):
    monkeypatch.setattr(CarbonCounter, "encode_spectra", lambda *_, **__: pytest.fail("was asked"))
    assert run(monkeypatch, *command, "-o", "structures.tsv") == 1
    error = capfd.readouterr().err
    assert error == "diptych: structures.tsv: cannot be written: it is a file; expected a folder\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--fold-column", "molecule"),
        ("--fold-table", "structures.tsv"),
        ("--hold-out", "polarity=negative"),
        ("--structures", "structures.tsv"),
        ("--lists", "formula"),
        ("--measured", "source=x"),
        ("--ppm", "3"),
        ("--at-most", "9"),
    ],
)
def test_what_massspecgym_would_ignore_is_refused(folder: Path, monkeypatch, capfd, option: str, value: str):
    (folder / "gym.tsv").write_text(GYM)
    (folder / "mass.json").write_text(json.dumps({"OCC": ["COC", "OCC"]}))
    options = ("--candidates", "mass=mass.json", option, value)
    assert run(monkeypatch, "build", "gym.tsv", "-o", "b", *options) == 2
    error = " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert f"{option} is for a dataset; spectra that are none have folds of their own and lists that are given" in error
    assert not (folder / "b").exists()


def test_two_rungs_of_one_name_are_refused(benchmark: Path, monkeypatch, capfd):
    assert run(monkeypatch, "run", "b", "--ranker", "random", "--bootstrap", "10", "-o", "r") == 0
    assert run(monkeypatch, "ladder", "a=r/report.json", "b=r/report.json", "a=r/random.json") == 2
    assert "two results are called 'a'; expected a name for each rung" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize("text", ["report.json", "=x", "x="])
def test_a_rung_needs_a_name(folder: Path, monkeypatch, capfd, text: str):
    assert run(monkeypatch, "ladder", text) == 2
    assert "expected NAME=VALUE" in " ".join(capfd.readouterr().err.split())
