import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from diptych.cli import main
from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import SCHEMA, rows_to_batch
from diptych.encoders.pairs.tokens import TokenVectors
from diptych.molecules.structure import Structure
from diptych.retrieval import reranking
from diptych.retrieval.rankers import EmbeddingRanker
from diptych.spectra import read_spectra

SPECTRUM = (
    "BEGIN IONS\nTITLE={name}\nPEPMASS={mass}\nCHARGE=1+\nSMILES={smiles}\n{peak} 100\n{peak}.5 30\n40.1 7\nEND IONS\n"
)
MGF = (
    SPECTRUM.format(name="first", mass=47.0491, smiles="OCC", peak=2)
    + SPECTRUM.format(name="second", mass=61.0648, smiles="OCCC", peak=4)
    + SPECTRUM.format(name="third", mass=75.0804, smiles="OCCCC", peak=4)
)
LISTS = {"CCO": ["CCO", "CCCO", "CCCCO"], "CCCO": ["CCO", "CCCO", "CCCCO"], "CCCCO": ["CCO", "CCCCO"]}
SOURCE = ("--spectra", "s.mgf", "--accessions", "folds.tsv", "--candidates", "lists.json")
FOLDS = "accession\tfold\nfirst\ttest\nsecond\ttest\nthird\ttrain\n"


class CarbonCounter:
    """Knows the number of carbons: the first peak's m/z says it, and the SMILES."""

    name = "carbon-counter"
    digest = "c0ffee"
    metadata: ClassVar[dict] = {"calibration": {"temperature": 0.5}}

    def encode_spectra(self, spectra, *, blind=False):
        return np.eye(64, dtype=np.float32)[[0 if blind else int(spectrum.mz[0]) for spectrum in spectra]]

    def encode_structures(self, structures):
        return np.eye(64, dtype=np.float32)[[structure.smiles.count("C") for structure in structures]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("diptych.embedding")
    module.JointEmbedding = SimpleNamespace(load=lambda _: CarbonCounter())
    module.model_folder = lambda _: tmp_path
    monkeypatch.setitem(sys.modules, "diptych.embedding", module)
    (tmp_path / "s.mgf").write_text(MGF)
    (tmp_path / "lists.json").write_text(json.dumps(LISTS))
    (tmp_path / "folds.tsv").write_text(FOLDS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["diptych", *arguments])
    try:
        main.run()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def evaluated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "20", "-o", "r.json") == 0
    return folder


def test_the_table_of_results_says_all_that_is_known(evaluated: Path):
    header, *rows = [line.split("\t") for line in (evaluated / "r.ranks.tsv").read_text().splitlines()]
    first = dict(zip(header, rows[0], strict=True))
    assert (first["best_smiles"], first["target_smiles"], first["tanimoto"]) == ("CCO", "CCO", "1")
    assert (first["polarity"], first["n_peaks"], first["formula"]) == ("positive", "3", "C2H6O")
    # Cosines 1, 0, 0 at a temperature of 1/2.
    assert float(first["probability"]) == pytest.approx(1 / (1 + 2 * np.exp(-2)))
    assert (evaluated / "r.scores.parquet").is_file()


def test_an_audit_asks_anew_and_looks_for_leaks(evaluated: Path, monkeypatch, capsys):
    options = ["--model", "any", "--labels", "0", "--bootstrap", "20", "--control", "same=r.json", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *SOURCE, *options) == 0
    audit = json.loads((evaluated / "audit" / "audit.json").read_text())
    verdicts = {finding["check"]: finding["verdict"] for finding in audit["findings"]}
    assert verdicts["shared molecules"] == "pass"
    assert verdicts["near twins"] == "pass"
    assert [one["second"] for one in audit["above"]][-1] == "same"
    cost = {one["first"]: one["difference"] for one in audit["uses"]}
    assert cost["intensities flattened"] == 0
    assert cost["precursor not stated"] == -0.5
    # The second is wrong: its peak says four carbons.
    assert [case["query"] for case in audit["hardest"]] == ["second"]
    assert audit["hardest"][0]["neighbours"]
    assert "<svg" in (evaluated / "audit" / "audit.html").read_text()
    assert "shared molecules" in capsys.readouterr().out


class PeakReader(CarbonCounter):
    """Its vectors are those of the counter; its tokens know the answer by the precursor, if the first peak is high."""

    interaction = None
    metadata: ClassVar[dict] = {"reranking": {"recall": 64, "weight": 1.0, "temperature": None}}

    def encode_spectrum_tokens(self, spectra, *, blind=False):
        places = [
            round((s.precursor_mz - 19) / 14.016) if not blind and s.intensity.max() > 2 * s.intensity.min() else 0
            for s in spectra
        ]
        return tokens(places)

    def encode_structure_tokens(self, structures):
        return tokens([structure.smiles.count("C") for structure in structures])


def tokens(places: list[int]) -> TokenVectors:
    return TokenVectors(vectors=torch.eye(64)[places][:, None], mask=torch.ones(len(places), 1, dtype=torch.bool))


def test_an_audit_asks_the_second_look_that_was_judged(folder: Path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys.modules["diptych.embedding"], "JointEmbedding", SimpleNamespace(load=lambda _: PeakReader())
    )
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "20", "-o", "r.json") == 0
    options = ["--model", "any", "--labels", "0", "--bootstrap", "20", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *SOURCE, *options) == 0
    audit = json.loads((folder / "audit" / "audit.json").read_text())
    cost = {one["first"]: one["difference"] for one in audit["uses"]}
    # By vectors alone the second would be wrong, and the height of peaks would make no difference.
    assert audit["hit_rate"] == 1.0
    assert cost["intensities flattened"] == -1.0
    said = "Asked: carbon-counter, with its second look at the first 64 candidates, with its whole prior"
    assert audit["asked"] == f"{said} (as the results say)."
    shown = " ".join(capsys.readouterr().out.split())
    assert said in shown
    assert "-100.0 points @1 with precursor not stated (a miss by definition)" in shown
    page = (folder / "audit" / "audit.md").read_text()
    assert said in page
    assert "every query is a miss by definition" in page


def test_a_report_says_at_how_many_candidates_the_second_look_was(folder: Path, monkeypatch):
    monkeypatch.setattr(
        sys.modules["diptych.embedding"], "JointEmbedding", SimpleNamespace(load=lambda _: PeakReader())
    )
    for options, n_candidates in (((), 64), (("--consensus", "2"), 0)):
        asked = [*SOURCE, "--fold", "test", "--bootstrap", "0", *options, "-o", "r.json"]
        assert run(monkeypatch, "evaluate", *asked) == 0
        assert json.loads((folder / "r.json").read_text())["provenance"]["second_look"] == n_candidates


@pytest.mark.parametrize(
    ("results", "prior", "said"),
    [
        ("r.json", 0.25, "with 0.25 of its prior (as the results say)."),
        (
            "r.ranks.tsv",
            1.0,
            "with its whole prior (the results do not say how much). The results are a table, which does not say of "
            "which model they are.",
        ),
    ],
)
def test_an_audit_asks_with_the_prior_that_was_judged(folder: Path, monkeypatch, results: str, prior: float, said: str):
    options = ["--fold", "test", "--prior", "0.25", "--bootstrap", "0", "-o", "r.json"]
    assert run(monkeypatch, "evaluate", *SOURCE, *options) == 0
    priors = []
    monkeypatch.setattr(
        reranking, "model_ranker", lambda model, *, prior: priors.append(prior) or EmbeddingRanker(model, prior=prior)
    )
    options = ["--model", "any", "--labels", "0", "--bootstrap", "20", "-o", "audit"]
    assert run(monkeypatch, "audit", results, *SOURCE, *options) == 0
    assert priors == [prior]
    asked = json.loads((folder / "audit" / "audit.json").read_text())["asked"]
    assert asked == f"Asked: carbon-counter, by the cosine of its vectors, {said}"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "another"}, "The results are those of carbon-counter, which was not asked."),
        (
            {"digest": "d" * 64},
            "The results are those of another model of this name (digest c0ffee, not dddddddddddd).",
        ),
    ],
)
def test_an_audit_says_where_the_results_are_of_another_model(evaluated: Path, monkeypatch, changed: dict, said: str):
    for name, value in changed.items():
        monkeypatch.setattr(CarbonCounter, name, value)
    options = ["--model", "any", "--labels", "0", "--bootstrap", "20", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *SOURCE, *options) == 0
    assert json.loads((evaluated / "audit" / "audit.json").read_text())["asked"].endswith(said)


def test_an_audit_says_why_a_model_was_not_asked(evaluated: Path, monkeypatch, capsys):
    monkeypatch.setattr("diptych.encoders.model_folder.model_folder", lambda _: evaluated)
    assert run(monkeypatch, "audit", "r.json", "--model", "any", "--bootstrap", "20", "-o", "audit") == 0
    assert "Not asked anew: besides --model this needs --spectra and --candidates." in capsys.readouterr().out
    (evaluated / "s.mgf").write_text(MGF.replace("TITLE=", "TITLE=other "))
    options = ["--spectra", "s.mgf", "--candidates", "lists.json", "--model", "any", "--bootstrap", "20", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *options) == 0
    assert "none of the 2 queries of the results is a spectrum of s.mgf" in " ".join(capsys.readouterr().out.split())


def test_influence_is_summed_over_all_models_that_are_named(evaluated: Path, monkeypatch):
    asked = []

    def influence(models, *, training, queries, structures):
        asked.append(len(models))
        return SimpleNamespace(on_queries=np.array([-1.0]), on_itself=np.array([2.0]))

    monkeypatch.setattr("diptych.training.influence.influence", influence)
    options = ["--model", "last", "--model", "epoch-002", "--bootstrap", "0", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *SOURCE, *options) == 0
    assert asked == [2]
    text = (evaluated / "audit" / "audit.md").read_text()
    assert "summed over 2 models" in text
    assert "| third |" in text


def test_spectra_alone_are_compared_and_drawn(evaluated: Path, monkeypatch):
    (evaluated / "same.mgf").write_text(MGF.replace("TITLE=", "TITLE=trained "))
    options = ["--spectra", "s.mgf", "--train", "same.mgf", "--bootstrap", "20", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *options) == 0
    audit = json.loads((evaluated / "audit" / "audit.json").read_text())
    (found,) = [finding for finding in audit["findings"] if finding["check"] == "shared spectra"]
    assert (found["verdict"], found["numbers"]["same"]) == ("fail", 2)
    assert "<svg" in (evaluated / "audit" / "audit.html").read_text()


def test_an_audit_of_results_alone_says_what_it_did_not_check(evaluated: Path, monkeypatch):
    assert run(monkeypatch, "audit", "r.ranks.tsv", "--bootstrap", "20", "-o", "audit") == 0
    audit = json.loads((evaluated / "audit" / "audit.json").read_text())
    assert {f["check"] for f in audit["findings"] if f["verdict"] == "not checked"} >= {"near twins", "shared spectra"}
    assert audit["uses"] == []


def test_the_differences_of_one_molecule_are_printed_without_an_interval(folder: Path, monkeypatch, capsys):
    (folder / "folds.tsv").write_text("accession\tfold\nfirst\ttest\n")
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "20", "-o", "r.json") == 0
    capsys.readouterr()
    assert run(monkeypatch, "audit", "r.json", "--bootstrap", "20", "-o", "audit") == 0
    shown = capsys.readouterr().out
    assert "+100.0 points @1 above spectrum_blind" in shown
    assert "nan" not in shown


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    audit = json.loads((folder / "audit" / "audit.json").read_text())
    return {found["check"]: (found["verdict"], found["says"]) for found in audit["findings"]}


def test_every_check_has_a_verdict_and_its_reason(evaluated: Path, monkeypatch):
    assert run(monkeypatch, "audit", "r.json", "--bootstrap", "0", "-o", "audit") == 0
    found = verdicts(evaluated)
    assert len(found) == 11
    assert found["shared molecules"][0] == "not checked"
    assert "or --spectra with --accessions" in found["shared molecules"][1]
    assert "--spectra" in found["shared spectra"][1]


@pytest.fixture
def many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty alkanols, each with a list of its own of four; the candidate file has the answer anywhere in it."""
    names = [f"alcohol{n}" for n in range(2, 42)]
    spectra = [
        SPECTRUM.format(name=name, mass=47.0491 + 14.0157 * i, smiles="O" + "C" * (2 + i), peak=2 + i)
        for i, name in enumerate(names)
    ]
    trained = SPECTRUM.format(name="methanol", mass=33.0335, smiles="OC", peak=1)
    (folder / "s.mgf").write_text("".join([*spectra, trained]))
    folds = "".join(f"{name}\ttest\n" for name in names)
    (folder / "folds.tsv").write_text(f"accession\tfold\nmethanol\ttrain\n{folds}")
    own = [["C" * (2 + i) + end for end in ("O", "C", "CC", "CCC")] for i in range(len(names))]
    lists = {name: own[i][-i % 4 :] + own[i][: -i % 4] for i, name in enumerate(names)}
    (folder / "lists.json").write_text(json.dumps(lists))
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "0", "-o", "r.json") == 0
    return folder


@pytest.mark.parametrize(("moved", "verdict"), [(False, "pass"), (True, "fail")])
def test_a_candidate_file_that_has_the_answer_first_fails_however_it_was_asked(
    many: Path, monkeypatch, moved: bool, verdict: str
):
    lists = json.loads((many / "lists.json").read_text())
    first = {name: sorted(smiles, key=lambda text: not text.endswith("O")) for name, smiles in lists.items()}
    (many / "lists.json").write_text(json.dumps(first if moved else lists))
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "0", "-o", "r.json") == 0
    assert run(monkeypatch, "audit", "r.json", *SOURCE, "--bootstrap", "0", "-o", "audit") == 0
    found = verdicts(many)
    assert found["order in the file"][0] == verdict
    assert found["order asked"][0] == "pass"
    assert ("100.0 % of 40 distinct lists" in found["order in the file"][1]) is moved


@pytest.mark.parametrize("answer_first", [False, True])
def test_the_lists_of_a_frozen_benchmark_are_tested_for_their_order_too(many: Path, monkeypatch, answer_first: bool):
    lists = json.loads((many / "lists.json").read_text())
    rows = [
        ("O" + "C" * (2 + i), text)
        for i, smiles in enumerate(lists.values())
        for text in (sorted(smiles, key=lambda text: not text.endswith("O")) if answer_first else smiles)
    ]
    table = pa.table({"key": [key for key, _ in rows], "smiles": [text for _, text in rows]})
    pq.write_table(table, many / "lists_formula.parquet")
    source = ("--spectra", "s.mgf", "--accessions", "folds.tsv", "--candidates", "lists_formula.parquet")
    assert run(monkeypatch, "audit", "r.json", *source, "--bootstrap", "0", "-o", "audit") == 0
    assert verdicts(many)["order in the file"][0] == ("fail" if answer_first else "pass")


def test_spectra_are_compared_where_no_lists_are_given(evaluated: Path, monkeypatch):
    source = ["--spectra", "s.mgf", "--accessions", "folds.tsv"]
    assert run(monkeypatch, "audit", "r.json", *source, "--bootstrap", "0", "-o", "audit") == 0
    # The peaks of the second and the third are the same.
    verdict, says = verdicts(evaluated)["shared spectra"]
    assert (verdict, says.partition(" are")[0]) == ("fail", "1 of 2 tested spectra of at least 3 peaks")
    assert verdicts(evaluated)["shared molecules"][0] == "pass"


def test_a_split_of_spectra_that_are_no_dataset_is_refused(evaluated: Path, monkeypatch, capsys):
    options = ["--spectra", "s.mgf", "--fold", "scaffold=test", "--bootstrap", "0", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *options) == 2
    assert "or COLUMN=NAME with a dataset" in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def dataset(evaluated: Path) -> Path:
    spectra = list(read_spectra(evaluated / "s.mgf", on_problem=print))
    examples = [
        AnnotatedSpectrum(spectrum=spectrum, structure=Structure.from_smiles(spectrum.metadata["smiles"]))
        for spectrum in spectra
    ]
    folds = pa.array(["test", "test", "train"])
    rows = pa.Table.from_batches([rows_to_batch(examples)]).append_column("fold_scaffold", folds)
    pq.write_table(rows.replace_schema_metadata(SCHEMA.metadata), evaluated / "d.parquet")
    return evaluated / "d.parquet"


@pytest.mark.parametrize("name", ["train", "scaffold=train"])
def test_the_training_fold_of_a_dataset_is_spelt_as_the_tested_one(dataset: Path, monkeypatch, name: str):
    options = ["--spectra", "d.parquet", "--fold", "scaffold=test", "--train-fold", name, "--bootstrap", "0"]
    assert run(monkeypatch, "audit", "r.json", *options, "-o", "audit") == 0
    verdict, says = verdicts(dataset.parent)["shared molecules"]
    assert verdict == "pass"
    assert says == "0 of 2 tested molecules are among the 1 of training (0 of 2 queries)."


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "r.json", "--fold", "scaffold=typo"),
        ("audit", "r.json", "--fold", "scaffold=test", "--train-fold", "typo"),
        ("evaluate", "--candidates", "lists.json", "--fold", "scaffold=typo"),
    ],
)
def test_a_fold_of_no_spectra_is_refused(dataset: Path, monkeypatch, capsys, arguments: tuple[str, ...]):
    assert run(monkeypatch, *arguments, "--spectra", "d.parquet") == 1
    assert "no spectrum of fold 'scaffold=typo'; scaffold has test, train" in capsys.readouterr().err


def test_a_report_is_one_page(evaluated: Path, monkeypatch, capsys):
    options = ["--spectra", "s.mgf", "--bootstrap", "20", "--split", "easy=r.json", "-o", "page.html"]
    assert run(monkeypatch, "report", "mine=r.json", "again=r.json", *options) == 0
    html = (evaluated / "page.html").read_text()
    for text in ("Figures of merit", "Differences to mine", "Split ladder", "Hardest queries"):
        assert text in html
    assert "Written: page.html, page.md, page.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "r.json", "r.json"), "two results are called 'carbon-counter'"),
        (("report", "r.json", "--split", "r.json"), "--split r.json; expected NAME=REPORT"),
        (("report", "r.json", "--model", "any"), "--model needs --spectra FILE"),
        (("report", "r.json", "--spectra", "other.mgf"), "none of its spectra is among the queries of carbon-counter"),
        (("audit", "r.json", "--control", "r.json"), "--control r.json; expected NAME=FILE"),
        (("audit", "r.json", "--control", "a=r.json", "--control", "a=r.json"), "two --control are called 'a'"),
        (("audit", "r.json", "--candidates", "lists.json"), "--candidates lists.json needs --spectra FILE"),
        (
            ("audit", "r.json", "--accessions", "folds.tsv"),
            "--accessions folds.tsv needs --spectra FILE or --train FILE",
        ),
        (
            ("audit", "r.json", "--spectra", "s.mgf", "--fold", "test"),
            "--fold test needs --spectra FILE and --accessions FILE, or COLUMN=NAME with a dataset",
        ),
        (("audit", "r.json", "--spectra", "s.mgf", "--fold", "x=test"), "--fold x=test needs --spectra FILE and --acc"),
        (("audit", "r.json", "--spectra", "d.parquet", "--fold", "test"), "or COLUMN=NAME with a dataset"),
        (
            ("audit", "r.json", "--train", "s.mgf", "--accessions", "folds.tsv", "--fold", "test"),
            "--fold test needs --spectra FILE",
        ),
        (
            ("audit", "r.json", "--train", "s.mgf", "--train-fold", "train"),
            "--train-fold train needs --accessions FILE",
        ),
        (
            ("audit", "r.json", "--model", "any", "--sample", "5"),
            "--sample 5 needs --model, --spectra and --candidates",
        ),
        (
            ("audit", "r.json", "--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--labels", "5"),
            "--labels 5 needs --model, --spectra, --candidates and training spectra",
        ),
    ],
)
def test_wrong_arguments_are_named(evaluated: Path, monkeypatch, capsys, arguments: tuple[str, ...], message: str):
    (evaluated / "other.mgf").write_text(MGF.replace("TITLE=", "TITLE=other "))
    assert run(monkeypatch, *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_map_of_too_few_molecules_is_left_out_and_said_so(evaluated: Path, monkeypatch, capsys):
    options = ["--spectra", "s.mgf", "--model", "any", "--bootstrap", "20", "-o", "page.html"]
    assert run(monkeypatch, "report", "r.json", *options) == 0
    assert "No map: spectrum and structure of 2 molecules are known; expected 5" in capsys.readouterr().out


def test_a_plan_that_is_missing_is_one_line(monkeypatch, capsys):
    assert run(monkeypatch, "ablate", "none.toml", "-o", "out") == 1
    reason = "No such file or directory; expected a TOML file"
    assert capsys.readouterr().err == f"diptych: none.toml: cannot be read: {reason}\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [("r.html", 1), ("r.json", 2), ("r.md", 2), ("new.json", 2), ("page", 2), ("lists.json/p.html", 1)],
)
def test_a_page_never_takes_the_place_of_what_it_is_made_of(evaluated: Path, monkeypatch, capfd, name: str, code: int):
    before = (evaluated / "r.json").read_bytes()
    assert run(monkeypatch, "report", "r.json", "--bootstrap", "20", "-o", name) == code
    error = " ".join(capfd.readouterr().err.replace("│", " ").split())
    said = {
        "r.html": "r.json: cannot be written: it is read to write it, and would be lost; name another file",
        "lists.json/p.html": "cannot be written:",
    }
    assert said.get(name, "expected a file such as page.html") in error
    assert (evaluated / "r.json").read_bytes() == before
    assert not (evaluated / name).is_file() or name == "r.json"


def test_the_report_of_the_default_name_is_not_lost_to_the_page_of_the_default_name(folder: Path, monkeypatch):
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "20") == 0
    before = (folder / "report.json").read_bytes()
    assert run(monkeypatch, "report", "report.json", "--bootstrap", "20") == 0
    assert (folder / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    "command", [("evaluate", *SOURCE, "--fold", "test"), ("audit", "r.json", *SOURCE, "--model", "x")]
)
def test_results_that_cannot_be_written_are_refused_before_anything_is_asked(
    evaluated: Path, monkeypatch, capfd, command
):
    monkeypatch.setattr(CarbonCounter, "encode_spectra", lambda *_, **__: pytest.fail("was asked"))
    assert run(monkeypatch, *command, "-o", "s.mgf/results") == 1
    assert "s.mgf is no folder" in capfd.readouterr().err


def test_an_evaluation_does_not_take_the_place_of_its_lists(evaluated: Path, monkeypatch, capfd):
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "-o", "lists.json") == 1
    assert "lists.json: cannot be written: it is read to write it" in capfd.readouterr().err
    assert json.loads((evaluated / "lists.json").read_text()) == LISTS


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        (("a=r.json", "a=r.json"), "--control a=r.json: two --control are called 'a'; expected another name"),
        (("random=r.json",), "--control random=r.json: a control of the report is called 'random'"),
        (("=r.json",), "--control =r.json; expected NAME=FILE"),
        (("a=",), "--control a=; expected NAME=FILE"),
    ],
)
def test_controls_have_names_of_their_own(evaluated: Path, monkeypatch, capfd, controls, message: str):
    options = [part for control in controls for part in ("--control", control)]
    assert run(monkeypatch, "audit", "r.json", *options, "-o", "audit") == 2
    assert message in " ".join(capfd.readouterr().err.replace("│", " ").split())


def test_results_on_other_lists_are_not_compared(evaluated: Path, monkeypatch, capfd):
    (evaluated / "other.json").write_text(json.dumps({key: [key, "CCCCCO"] for key in LISTS}))
    source = ("--spectra", "s.mgf", "--accessions", "folds.tsv", "--candidates", "other.json", "--fold", "test")
    assert run(monkeypatch, "evaluate", *source, "--bootstrap", "20", "-o", "o.json") == 0
    capfd.readouterr()
    for command in (("audit", "r.json", "--control", "o=o.json"), ("report", "r.json", "o=o.json", "-o", "p.html")):
        assert run(monkeypatch, *command) == 1
        assert "expected results on the same lists" in capfd.readouterr().err


def test_a_second_model_that_nothing_is_summed_over_is_refused(evaluated: Path, monkeypatch, capfd):
    for options in (SOURCE[:2], (*SOURCE, "--labels", "0")):
        assert run(monkeypatch, "audit", "r.json", *options, "--model", "x", "--model", "y", "-o", "audit") == 2
        error = " ".join(capfd.readouterr().err.replace("│", " ").split())
        assert "--model y needs what influence is summed over" in error


def test_a_control_of_the_method_s_name_is_refused(evaluated: Path, monkeypatch, capsys):
    arguments = ("audit", "r.json", "--control", "carbon-counter=r.json", "--bootstrap", "5", "-o", "audit")
    assert run(monkeypatch, *arguments) == 1
    assert "a control is called 'carbon-counter', as the method is; expected another name" in capsys.readouterr().err


def test_spectra_of_no_query_are_refused_and_those_of_some_are_told(evaluated: Path, monkeypatch, capfd):
    other = SPECTRUM.format(name="fourth", mass=89.0961, smiles="OCCCCC", peak=5)
    (evaluated / "o.mgf").write_text(other)
    assert run(monkeypatch, "audit", "r.json", "--spectra", "o.mgf", "-o", "audit") == 2
    said = " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert "--spectra o.mgf: none of its spectra is a query of r.json" in said
    (evaluated / "o.mgf").write_text(other + MGF.split("END IONS\n")[0] + "END IONS\n")
    assert run(monkeypatch, "audit", "r.json", "--spectra", "o.mgf", "--bootstrap", "5", "-o", "audit") == 0
    assert "Warning: --spectra o.mgf has 1 of the 2 queries; the others are neither" in capfd.readouterr().err


def test_lists_of_another_length_than_was_asked_are_told(evaluated: Path, monkeypatch, capfd):
    (evaluated / "lists.json").write_text(json.dumps(LISTS | {"CCO": ["CCO", "CCCO"]}))
    options = ("--model", "any", "--labels", "0", "--bootstrap", "5", "-o", "audit")
    assert run(monkeypatch, "audit", "r.json", *SOURCE, *options) == 0
    said = "Warning: 1 of 2 lists in --candidates lists.json have another length than the results say"
    assert capfd.readouterr().err.count(said) == 1


def test_a_smiles_of_the_results_that_cannot_be_read_is_named_with_its_query(evaluated: Path, monkeypatch, capfd):
    table = evaluated / "r.ranks.tsv"
    header, first, second = table.read_text().splitlines()
    wrong = second.replace("CCCO", "CC(CO").replace("\t1\t3\t", "\t2\t3\t")
    assert wrong != second
    table.write_text("\n".join([header, first, wrong]) + "\n")
    for words in (("audit", "r.json", "-o", "audit"), ("report", "r.json", "--spectra", "s.mgf", "-o", "p.html")):
        assert run(monkeypatch, *words, "--bootstrap", "5") == 1
        error = capfd.readouterr().err
        assert "results, query 'second': " in error
        assert "CC(CO" in error


def test_a_wrong_file_of_robustness_is_told_before_anything_is_computed(evaluated: Path, monkeypatch, capfd):
    monkeypatch.setattr("diptych.evaluation.report.sections.result_sections", lambda *_, **__: pytest.fail("computed"))
    (evaluated / "w.json").write_text("{}")
    assert run(monkeypatch, "report", "r.json", "--robustness", "w.json", "-o", "p.html") == 1
    assert "w.json: no rows with ranker, perturbation, strength and metrics" in capfd.readouterr().err
