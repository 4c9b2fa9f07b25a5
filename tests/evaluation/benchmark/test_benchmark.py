import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import SCHEMA, rows_to_batch
from diptych.data.dataset import read_dataset
from diptych.errors import DatasetError, EvaluationError, StructureError
from diptych.evaluation import Evaluation
from diptych.evaluation.benchmark.build import BenchmarkSettings, build_benchmark, build_massspecgym
from diptych.evaluation.benchmark.folder import Benchmark, freeze
from diptych.evaluation.benchmark.run import RunSettings, run_benchmark, save_run, summary, summary_lines
from diptych.evaluation.questions.candidate_lists import Questions
from diptych.evaluation.questions.known import KnownSpectra
from diptych.evaluation.questions.unmeasured import unmeasured_structures
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.results.score_tables import ScoreTableRanker
from diptych.evaluation.results.scores import CandidateScores
from diptych.molecules.structure import Structure
from diptych.ranking import CandidateList, RandomRanker
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

SMILES = ("CCO", "COC", "CCCO", "COCC", "CC(C)O")
FOLDS = ("test", "train", "test", "val", "none")
TABLE = "inchikey_first_block\tsmiles\tformula\n{}\tOC(C)C\tC3H8O\nTTTTTTTTTTTTTT\tO[Tc]\tHOTc\n".format("X" * 14)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    proton = Adduct.parse("[M+H]+")
    examples = []
    for number, smiles in enumerate(SMILES):
        structure = Structure.from_smiles(smiles)
        spectrum = Spectrum.from_peaks(
            [20.0 + number, 30.0],
            [1.0, 2.0],
            identifier=f"s{number}",
            precursor_mz=proton.mz(structure.exact_mass),
            adduct=proton,
        )
        examples.append(AnnotatedSpectrum(spectrum=spectrum, structure=structure))
    table = pa.Table.from_batches([rows_to_batch(examples)]).append_column("fold_scaffold", pa.array(FOLDS))
    pq.write_table(table.replace_schema_metadata(SCHEMA.metadata), tmp_path / "d.parquet")
    return tmp_path / "d.parquet"


@pytest.fixture
def structures(tmp_path: Path) -> Path:
    (tmp_path / "structures.tsv").write_text(TABLE)
    return tmp_path / "structures.tsv"


def test_a_frozen_benchmark_is_read_as_it_was_made(dataset: Path, structures: Path, tmp_path: Path):
    settings = BenchmarkSettings(lists=("formula", "measured"), seed=3)
    built = build_benchmark(dataset, tmp_path / "b", structures=structures, settings=settings)
    read = Benchmark.load(tmp_path / "b")
    assert read.digest == built.digest
    assert [item.spectrum.identifier for item in read.known.spectra] == ["s0", "s2"]
    first, second = read.questions("formula").queries
    # The table spells isopropanol in another way: it is the molecule of the dataset, and counted.
    assert {s.smiles for s in second.candidates.structures} == {"CCCO", "CCOC", "CC(C)O"}
    assert {s.smiles for s in first.candidates.structures} == {"CCO", "COC"}
    assert read.description["structures_without_mass"] == 1
    assert read.description["lists"]["formula"]["duplicate_candidates_removed"] == 1
    assert {row.accession: row.fold for row in read.folds} == dict(
        zip(("s0", "s1", "s2", "s3", "s4"), FOLDS, strict=True)
    )
    again = build_benchmark(dataset, tmp_path / "again", structures=structures, settings=settings)
    assert again.digest == built.digest


def test_the_summary_counts_what_is_one_and_what_are_thousands(dataset: Path, tmp_path: Path):
    (evaluation, *_) = run_both(dataset, tmp_path / "b")[1]
    long = replace(evaluation, list_lengths=np.full(2, 740_658), ks=(1, 100))
    lines = summary_lines([long])
    assert lines[0].startswith("2 queries of 2 molecules, lists of 740,658 on average. ")
    assert lines[2] == "| ranker | @1 | @100 | MRR | @1 by molecule | seconds |"
    assert [line.count("|") for line in lines[2:]] == [7] * 3
    one = replace(evaluation, targets=evaluation.targets[:1] * 2)
    assert summary_lines([one])[0].startswith("2 queries of 1 molecule, ")


def test_the_readme_states_the_denominators(dataset: Path, tmp_path: Path):
    built = build_benchmark(dataset, tmp_path / "b")
    text = (tmp_path / "b" / "README.md").read_text()
    assert "2 spectra of 2 molecules are asked" in text
    assert "none 1, test 2, train 1, val 1" in text
    assert built.digest in text
    assert "| formula | structures of the target's formula | 2 | 2.5 |" in text


def test_the_readme_tells_settings_in_words(dataset: Path, tmp_path: Path):
    build_benchmark(dataset, tmp_path / "b")
    text = (tmp_path / "b" / "README.md").read_text()
    assert "- Settings: asked test; lists formula; measured none; ppm 10.0; at most 256; seed 0." in text


def test_other_folds_can_be_asked_and_given(dataset: Path, tmp_path: Path):
    both = build_benchmark(dataset, tmp_path / "b", settings=BenchmarkSettings(asked=("test", "val")))
    assert [item.spectrum.identifier for item in both.asked("val").spectra] == ["s3"]
    given = build_benchmark(dataset, tmp_path / "g", folds=["test", *["train"] * 4], fold_column="by hand")
    assert len(given.known.spectra) == 1
    assert len(given.training(read_dataset(dataset))) == 4
    assert given.description["folds_by"] == "by hand"


def test_the_training_fold_comes_from_the_dataset(dataset: Path, tmp_path: Path):
    benchmark = build_benchmark(dataset, tmp_path / "b")
    (example,) = benchmark.training(read_dataset(dataset))
    assert example.spectrum.identifier == "s1"
    with pytest.raises(EvaluationError, match=r"holds no spectrum of its fold 'train'; .* built of, d\.parquet"):
        benchmark.training(read_dataset(dataset, where={"identifier": "s0"}))


def test_what_a_benchmark_lacks_is_named(dataset: Path, tmp_path: Path):
    benchmark = build_benchmark(dataset, tmp_path / "b")
    with pytest.raises(EvaluationError, match="no lists 'mass'; it has formula"):
        benchmark.questions("mass")
    with pytest.raises(EvaluationError, match=r"asks no spectrum of fold 'val'; it asks test \(2 spectra\)"):
        benchmark.asked("val")


def test_a_changed_or_foreign_folder_is_refused(dataset: Path, tmp_path: Path):
    build_benchmark(dataset, tmp_path / "b")
    description = tmp_path / "b" / "benchmark.json"
    said = json.loads(description.read_text())
    for change, message in (
        ({"digest": "0" * 64}, "its content has the digest .*; expected 000000000000"),
        ({"format_version": 9}, "no benchmark of format version 1"),
        ({"lists": {"mass": {}}}, "cannot be read as a benchmark"),
    ):
        description.write_text(json.dumps({**said, **change}))
        with pytest.raises(EvaluationError, match=message):
            Benchmark.load(tmp_path / "b")
    for lists in (None, ["formula"], {}, {"formula": 3}):
        description.write_text(json.dumps({**said, "lists": lists}))
        with pytest.raises(EvaluationError, match=r"its lists are .*; expected the counts of each kind of list"):
            Benchmark.load(tmp_path / "b")
    description.write_text(json.dumps({"format_version": 1}))
    with pytest.raises(EvaluationError, match="lacks the digest or the lists"):
        Benchmark.load(tmp_path / "b")
    with pytest.raises(EvaluationError, match=r"cannot be read: .* expected a benchmark of 'diptych benchmark build'"):
        Benchmark.load(tmp_path)


def test_a_benchmark_whose_lists_are_missing_or_lack_a_column_says_so(dataset: Path, tmp_path: Path):
    build_benchmark(dataset, tmp_path / "b")
    lists = tmp_path / "b" / "lists_formula.parquet"
    pq.write_table(pq.read_table(lists).drop_columns(["smiles"]), lists)
    with pytest.raises(EvaluationError, match=r"lists_formula\.parquet: the columns smiles are missing"):
        Benchmark.load(tmp_path / "b")
    lists.unlink()
    with pytest.raises(EvaluationError, match=r"lists_formula\.parquet: missing; expected the lists that benchmark"):
        Benchmark.load(tmp_path / "b")


@pytest.mark.parametrize("kind", ["../x", "few-shot", ""])
def test_lists_are_of_no_kind_that_is_no_file_name_or_another_protocol(dataset: Path, tmp_path: Path, kind: str):
    (tmp_path / "lists.json").write_text(json.dumps({"s0": ["CCO", "COC"]}))
    with pytest.raises(EvaluationError, match=rf"lists cannot be of the kind '{kind}'; expected letters, digits"):
        build_benchmark(
            dataset,
            tmp_path / "b",
            candidates={kind: tmp_path / "lists.json"},
            settings=BenchmarkSettings(lists=()),
        )
    assert not (tmp_path / "b").exists()


def test_a_fold_that_no_spectrum_is_of_is_not_left_out_silently(dataset: Path, tmp_path: Path):
    with pytest.raises(EvaluationError, match="no spectrum is of the folds dev of scaffold; it has none, test, train"):
        build_benchmark(dataset, tmp_path / "b", settings=BenchmarkSettings(asked=("test", "dev")))


@pytest.mark.parametrize("ppm", [float("inf"), float("nan"), 0.0])
def test_a_mass_window_is_a_positive_number(ppm: float):
    with pytest.raises(EvaluationError, match="expected a positive number"):
        BenchmarkSettings(ppm=ppm)


@pytest.mark.parametrize(("lists", "asked"), [(("best",), ("test",)), (("mass",), ())])
def test_impossible_settings_are_refused(lists: tuple[str, ...], asked: tuple[str, ...]):
    with pytest.raises(EvaluationError, match=r"expected some folds, and lists of the kinds formula, mass, measured"):
        BenchmarkSettings(lists=lists, asked=asked)


def test_a_dataset_without_the_folds_is_refused(dataset: Path, tmp_path: Path):
    with pytest.raises(EvaluationError, match="no spectrum is of the folds dev of scaffold; it has none, test, train"):
        build_benchmark(dataset, tmp_path / "b", settings=BenchmarkSettings(asked=("dev",)))
    with pytest.raises(EvaluationError, match="1 folds for 5 spectra"):
        build_benchmark(dataset, tmp_path / "b", folds=["test"])
    with pytest.raises(
        DatasetError, match=r"d\.parquet: no split 'random'; it has scaffold, and 'diptych dataset split'"
    ):
        build_benchmark(dataset, tmp_path / "b", fold_column="random")


def test_two_spectra_of_one_identifier_are_not_frozen(dataset: Path, tmp_path: Path):
    table = pq.read_table(dataset)
    for names in (["s0", "s1", "s0", "s3", "s4"], ["s0", "s1", "s2", "s3", "s0"], ["s0", "s1", "s2", "s3", "s1"]):
        pq.write_table(table.set_column(0, "identifier", pa.array(names)), dataset)
        with pytest.raises(
            EvaluationError,
            match=r"b: cannot be frozen: 1 identifier stands more than once among 5 spectra, 's[01]' 2 times; expected",
        ):
            build_benchmark(dataset, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_queries_of_one_identifier_are_refused_whatever_the_folds_say(dataset: Path, tmp_path: Path):
    made = build_benchmark(dataset, tmp_path / "a")
    twice = KnownSpectra(spectra=made.known.spectra * 2)
    with pytest.raises(EvaluationError, match=r"2 identifiers stand more than once among 4 spectra, 's0' 2 times"):
        freeze(tmp_path / "b", known=twice, folds=made.folds, questions={}, description={})


MASSSPECGYM = (
    "identifier\tmzs\tintensities\tsmiles\tfold\tprecursor_mz\tadduct\n"
    "m1\t20.0,30.0\t1,2\tOCC\ttest\t47.0491\t[M+H]+\n"
    "m2\t20.0\t1\tCOC\ttrain\t47.0491\t[M+H]+\n"
    "m3\t20.0\t1\t\ttest\t47.0491\t[M+H]+\n"
)


def test_massspecgym_is_frozen_from_its_own_files(tmp_path: Path):
    (tmp_path / "gym.tsv").write_text(MASSSPECGYM)
    (tmp_path / "mass.json").write_text(json.dumps({"OCC": ["COC", "OCC", "C(C)O", "C1CC"]}))
    files = {"mass": tmp_path / "mass.json"}
    benchmark = build_massspecgym(tmp_path / "gym.tsv", tmp_path / "b", candidates=files)
    (query,) = benchmark.questions("mass").queries
    assert query.identifier == "m1"
    assert query.candidates.n_candidates == 3
    assert query.candidates.unparsed == ("C1CC",)
    assert benchmark.fold_of == {"m1": "test", "m2": "train"}
    assert benchmark.description["spectra_without_structure"] == 1
    with pytest.raises(
        EvaluationError, match=r"none of 2 spectra that name .* folds dev; they are of test, train, and 1"
    ):
        build_massspecgym(tmp_path / "gym.tsv", tmp_path / "b", candidates=files, asked=("dev",))


GYM_SAMPLE = Path(__file__).parents[2] / "fixtures" / "spectra" / "massspecgym_excerpt.tsv"


@pytest.mark.parametrize("fold", ["train", "test"])
def test_rows_of_massspecgym_s_sample_end_with_why_nothing_is_asked(tmp_path: Path, fold: str):
    lists = {"MassSpecGymID0271110": ["CCO", "COC"], "MassSpecGymID0355423": ["CCO"]}
    (tmp_path / "lists.json").write_text(json.dumps(lists))
    with pytest.raises(EvaluationError) as error:
        build_massspecgym(GYM_SAMPLE, tmp_path / "b", candidates={"mass": tmp_path / "lists.json"}, asked=(fold,))
    assert str(error.value) == (
        f"{GYM_SAMPLE}: none of its spectra can be asked: 3 name no structure, 0 are not MS2 and 0 cannot be read; "
        "expected a column smiles, inchi or inchikey that says which candidate is the answer"
    )
    assert not (tmp_path / "b").exists()


def test_the_published_lists_by_mass_and_by_formula_are_frozen_as_they_are(tmp_path: Path):
    rows = ["m4\t20.0\t1\tC(C)CO\ttest\t61.0648\t[M+H]+", "m5\t20.0\t1\tCC(C)O\ttest\t61.0648\t[M+H]+"]
    (tmp_path / "MassSpecGym.tsv").write_text(MASSSPECGYM + "\n".join(rows) + "\n")
    # Keyed by the targets as the table spells them; the list of the fourth lacks it, and the fifth has none by mass.
    by_mass = {"OCC": ["COC", "OCC", "C=O"], "C(C)CO": ["CC(C)O", "COCC"], "c1ccccc1": ["c1ccccc1"]}
    by_formula = {"OCC": ["COC", "CCO"], "C(C)CO": ["OCCC", "CC(C)O"], "CC(C)O": ["CC(O)C", "CCCO"]}
    files = {}
    for kind, lists in (("mass", by_mass), ("formula", by_formula)):
        files[kind] = tmp_path / f"MassSpecGym_retrieval_candidates_{kind}.json"
        files[kind].write_text(json.dumps(lists))
    benchmark = build_massspecgym(tmp_path / "MassSpecGym.tsv", tmp_path / "b", candidates=files)
    listed = {
        kind: {
            query.identifier: (query.candidates.n_candidates, query.target in query.candidates.positions)
            for query in benchmark.questions(kind).queries
        }
        for kind in files
    }
    assert listed == {
        "mass": {"m1": (3, True), "m4": (2, False), "m5": (0, False)},
        "formula": {"m1": (2, True), "m4": (2, True), "m5": (2, True)},
    }
    counted = benchmark.description["lists"]["mass"]
    assert (counted["targets_missing_from_their_list"], counted["queries_without_candidates"]) == (2, 1)
    assert benchmark.description["lists"]["formula"]["targets_missing_from_their_list"] == 0


def run_both(dataset: Path, folder: Path) -> tuple[Questions, list[Evaluation]]:
    questions = build_benchmark(dataset, folder).questions("formula")
    table = ScoreTableRanker.of([("s0", "CCO", "2"), ("s0", "COC", "1"), ("s2", "CCCO", "nan")], name="tool")
    evaluations = run_benchmark([table, RandomRanker()], questions, settings=RunSettings(n_bootstrap=10))
    return questions, evaluations


def test_a_table_of_scores_is_judged_beside_a_ranker(dataset: Path, tmp_path: Path):
    _, (tool, random) = run_both(dataset, tmp_path / "b")
    assert (tool.model, random.model) == ("tool", "random")
    # The second target has no score: a miss, still in the denominator.
    assert tool.answers.ranks.tolist() == [1, np.inf]
    assert [control.ranker for control in tool.controls] == ["random"]
    assert tool.provenance["candidates_without_score"] == 3
    assert tool.provenance["table_rows_without_score"] == 1
    assert tool.provenance["lists"] == "formula"


def test_results_are_saved_with_every_query_and_every_score(dataset: Path, tmp_path: Path):
    _, evaluations = run_both(dataset, tmp_path / "b")
    paths = save_run(evaluations, tmp_path / "r")
    assert [path.name for path in paths] == ["report.json", "random.json"]
    assert Evaluation.load(paths[0]).metrics["hit_rate@1"].spectrum == 0.5
    results = QueryResults.read(paths[0])
    assert results.number("margin")[0] == 1
    assert results.metadata["adduct"] == ("[M+H]+", "[M+H]+")
    assert results.control_ranks.keys() == {"random"}
    assert len(CandidateScores.read(paths[0])) == 2
    assert json.loads((tmp_path / "r" / "summary.json").read_text()) == summary(evaluations)
    assert "| tool | 50.0 (" in (tmp_path / "r" / "summary.md").read_text()


def test_what_stood_first_is_described(dataset: Path, tmp_path: Path):
    _, (tool, _) = run_both(dataset, tmp_path / "b")
    assert tool.details is not None
    # Ethanol stood first and is right; nothing of the second list has a score.
    np.testing.assert_array_equal(tool.details.numbers["tanimoto"], [1, np.nan])
    np.testing.assert_array_equal(tool.details.numbers["mces"], [0, np.nan])
    assert tool.details.metadata["ring_systems"] == ("0", "0")
    assert tool.provenance["mces"] == "bound"


def test_the_exact_distance_is_refused_without_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("diptych.evaluation.results.metadata.has_exact_mces", lambda: False)
    with pytest.raises(StructureError, match="needs the package myopic-mces"):
        RunSettings(mces="exact")


def test_short_lists_are_left_out_on_request_and_counted(dataset: Path, tmp_path: Path):
    questions = build_benchmark(dataset, tmp_path / "b").questions("formula")
    settings = RunSettings(n_bootstrap=0, min_list_length=3)
    (evaluation,) = run_benchmark([RandomRanker()], questions, settings=settings)
    assert evaluation.queries == ("s2",)
    assert evaluation.provenance["counts"]["queries_left_out_for_short_lists"] == 1
    assert evaluation.provenance["min_list_length"] == 3


def test_scores_of_queries_that_were_left_out_are_not_of_unknown_queries(dataset: Path, tmp_path: Path):
    questions = build_benchmark(dataset, tmp_path / "b").questions("formula")
    names = [query.identifier for query in questions.queries]
    shortened = replace(questions.queries[0], candidates=CandidateList(structures=()))
    asked = replace(questions, queries=(shortened, *questions.queries[1:]))
    table = ScoreTableRanker.of([(name, "CCO", "1") for name in [*names, "other"]])
    (evaluation,) = run_benchmark([table], asked, settings=RunSettings(n_bootstrap=0, min_list_length=1))
    assert evaluation.provenance["counts"]["queries_left_out_for_short_lists"] == 1
    assert evaluation.provenance["table_scores_of_unknown_queries"] == 1


def test_where_all_lists_are_too_short_it_is_said_of_how_many_queries(dataset: Path, tmp_path: Path):
    questions = build_benchmark(dataset, tmp_path / "b").questions("formula")
    with pytest.raises(EvaluationError, match="no query to evaluate: 2 given, of which none has a list of at least 99"):
        run_benchmark([RandomRanker()], questions, settings=RunSettings(min_list_length=99))


def test_what_was_counted_when_lists_were_frozen_is_in_the_report_of_a_run(
    dataset: Path, structures: Path, tmp_path: Path
):
    benchmark = build_benchmark(dataset, tmp_path / "b", structures=structures)
    (evaluation,) = run_benchmark([RandomRanker()], benchmark.questions("formula"), settings=RunSettings(n_bootstrap=0))
    # The table spells isopropanol in another way than the dataset.
    assert evaluation.provenance["counts"]["duplicate_candidates_removed"] == 1
    assert evaluation.provenance["counts"]["candidate_lists"] == 2
    frozen = evaluation.provenance["frozen"]
    assert (frozen["structures_without_mass"], frozen["mean_length"]) == (1, 2.5)
    assert "format_version" not in frozen


def test_rankers_must_be_some_and_of_distinct_names():
    nothing = Questions(queries=(), provenance={})
    with pytest.raises(EvaluationError, match="rankers none; expected some, with distinct names"):
        run_benchmark([], nothing)
    with pytest.raises(EvaluationError, match="two rankers are called 'random'; expected distinct names"):
        run_benchmark([RandomRanker(), RandomRanker()], nothing)


def test_unmeasured_structures_are_of_measured_formulas(tmp_path: Path):
    rows = [("E" * 14, "C(C)O", "C2H6O"), ("F" * 14, "COC", "C2H6O"), ("G" * 14, "CCCC", "C4H10")]
    table = tmp_path / "t.tsv"
    table.write_text("\n".join("\t".join(row) for row in [("inchikey_first_block", "smiles", "formula"), *rows]))
    measured = [Structure.from_smiles("CCO")]
    # The first is ethanol under a foreign key, the third of another formula.
    assert [s.smiles for s in unmeasured_structures(table, measured)] == ["COC"]
    with pytest.raises(EvaluationError, match="no structure beside the measured ones has one of their 1 formulas"):
        unmeasured_structures(table, [Structure.from_smiles("CCN")])


def test_another_benchmark_is_replaced_only_by_force(dataset: Path, tmp_path: Path):
    built = build_benchmark(dataset, tmp_path / "b")
    (tmp_path / "b" / "note").write_text("mine")
    assert build_benchmark(dataset, tmp_path / "b").digest == built.digest
    assert (tmp_path / "b" / "note").is_file()
    other = BenchmarkSettings(lists=("mass",), ppm=1e6)
    with pytest.raises(EvaluationError, match=f"holds another benchmark, of the digest {built.digest[:12]}; expected"):
        build_benchmark(dataset, tmp_path / "b", settings=other)
    assert Benchmark.load(tmp_path / "b").digest == built.digest
    assert build_benchmark(dataset, tmp_path / "b", settings=other, force=True).digest != built.digest


def test_a_folder_of_other_files_is_never_replaced(dataset: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert build_benchmark(dataset, tmp_path / "empty").digest
    with pytest.raises(EvaluationError, match="holds files and no benchmark; expected a new folder"):
        build_benchmark(dataset, tmp_path, force=True)
    assert dataset.is_file()


@pytest.mark.parametrize("name", ["report", "Report", "summary"])
def test_no_report_takes_the_place_of_another(dataset: Path, tmp_path: Path, name: str):
    questions = build_benchmark(dataset, tmp_path / "b").questions("formula")
    tool = ScoreTableRanker.of([("s0", "CCO", "1")], name=name)
    with pytest.raises(EvaluationError, match=rf"the report of '{name}' and .* would both be {name}\.json; expected"):
        run_benchmark([RandomRanker(0), tool], questions)
