"""``diptych audit``: what a method could have cheated with, what it beats, what it looks at and where it fails."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from diptych.cli.audit_material import Material
    from diptych.evaluation.audit.audit import Audit, HardCase
    from diptych.evaluation.audit.leaks import Finding
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.evaluation.statistics.comparison_table import Comparison

_SAMPLED_TRAINING = 20_000


def audit_command(
    results: Annotated[
        Path,
        typer.Argument(metavar="RESULTS", exists=True, help="Report of 'diptych evaluate', or a table of results."),
    ],
    spectra: Annotated[
        Path | None, typer.Option(help="The tested spectra: with them spectra are compared, and asked anew perturbed.")
    ] = None,
    candidates: Annotated[
        Path | None, typer.Option(help="The lists of the test: JSON, or lists_KIND.parquet of a frozen benchmark.")
    ] = None,
    train: Annotated[Path | None, typer.Option(help="The training spectra. [default: those of --spectra]")] = None,
    accessions: Annotated[Path | None, typer.Option(help="Table with 'accession' and 'fold' of both.")] = None,
    fold: Annotated[
        str | None, typer.Option(help="Tested fold: NAME, or COLUMN=NAME of a dataset's split. [default: test]")
    ] = None,
    train_fold: Annotated[
        str | None, typer.Option(help="Training fold, NAME or COLUMN=NAME likewise. [default: train]")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model to ask anew; several are checkpoints over which influence is summed."),
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FILE", help="Results of a control or baseline; may be repeated.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Queries to ask anew with perturbed spectra. [default: 500]")
    ] = None,
    labels: Annotated[
        int | None, typer.Option(min=0, help="Training labels to list; 0 leaves gradients out. [default: 20]")
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples of molecules.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of samples, perturbations and intervals.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")] = Path("audit"),
) -> None:
    """Audit the saved results of a method.

    The results alone tell ties, losses, strata and differences to their controls. With --spectra, --candidates and
    --accessions leaks are looked for; with --model the spectra are asked anew, perturbed.
    """
    from diptych.cli.audit_material import Material
    from diptych.files import check_writable

    check_writable(output, is_folder=True)
    material = Material(
        results_path=results,
        spectra=spectra,
        candidates=candidates,
        train=train,
        accessions=accessions,
        fold=fold,
        train_fold=train_fold,
        models=tuple(model or ()),
        sample=sample,
        labels=labels,
        seed=seed,
    )
    _write(_audit(material, control or [], n_bootstrap=bootstrap), material, output)


def _write(audit: Audit, material: Material, output: Path) -> None:
    audit.save(output)
    _draw(audit, material, output)
    _show(audit, output)


def _audit(material: Material, controls: Sequence[str], *, n_bootstrap: int) -> Audit:
    from diptych.evaluation.audit.audit import audit_results

    others = _controls(controls, own=material.results.control_ranks)
    uses, asked = _uses(material, n_bootstrap=n_bootstrap)
    return audit_results(
        material.name,
        material.results,
        findings=_findings(material),
        controls=others,
        uses=uses,
        asked=asked,
        hardest=_hardest(material),
        harmful=_harmful(material),
        n_models=len(material.models),
        n_bootstrap=n_bootstrap,
        seed=material.seed,
    )


def _findings(material: Material) -> list[Finding]:
    from diptych.evaluation.audit import leaks
    from diptych.evaluation.audit.list_order import order_asked, order_in_file
    from diptych.evaluation.audit.shared_spectra import shared_spectra

    results, evaluation, training = material.results, material.evaluation, material.training
    scores = evaluation.candidate_scores if evaluation else None
    counts = evaluation.provenance.get("counts", {}) if evaluation else {}
    trained = [item.spectrum for item in material.trained.spectra] if material.trained else []
    found = [leaks.shared_molecules(results, training), leaks.shared_scaffolds(results), leaks.near_twins(results)]
    answers = _spelt_answers(material)
    found += [shared_spectra(material.asked, trained), order_in_file(material.lists, answers), order_asked(scores)]
    found += [leaks.spelling_shortcut(material.lists, answers), leaks.ties(results, scores)]
    return found + leaks.unscored(results, scores, counts)


def _spelt_answers(material: Material) -> dict[str, list[str]]:
    """Return for each candidate list the spellings in it that are the answer."""
    from diptych.evaluation.questions.candidate_lists import match_keys, standardised

    if material.tested is None or not material.lists:
        return {}
    _, keys = match_keys(material.tested.spectra, material.lists)
    targets = {key: item.target for key, item in zip(keys, material.tested.spectra, strict=True) if key is not None}
    structures = standardised({smiles for key in targets for smiles in material.lists[key]})
    return {
        key: [
            smiles
            for smiles in material.lists[key]
            if (structure := structures[smiles]) is not None and structure.inchikey_first_block == target
        ]
        for key, target in targets.items()
    }


def _controls(controls: Sequence[str], *, own: Collection[str]) -> dict[str, QueryResults]:
    """Return the results of controls by name; ``own`` are the names of those that the report has."""
    from diptych.evaluation.results.query_results import QueryResults

    named: dict[str, QueryResults] = {}
    for control in controls:
        name, equals, path = control.partition("=")
        if not (name and equals and path):
            raise typer.BadParameter(f"--control {control}; expected NAME=FILE")
        if name in named or name in own:
            there = "two --control are" if name in named else "a control of the report is"
            raise typer.BadParameter(f"--control {control}: {there} called {name!r}; expected another name")
        named[name] = QueryResults.read(Path(path))
    return named


def _uses(material: Material, *, n_bootstrap: int) -> tuple[list[Comparison], str]:
    """Return what perturbed spectra cost the method that was judged, and which method was asked."""
    import numpy as np

    from diptych.cli.audit_asked import judged_ranker, why_not_asked
    from diptych.evaluation.audit.audit import what_it_uses

    reason = why_not_asked(material)
    if reason or not material.models:
        return [], reason
    queries = material.queries
    order = np.random.default_rng(material.seed).permutation(len(queries))[: material.n_sampled]
    ranker, said = judged_ranker(material)
    asked = [queries[i] for i in sorted(order)]
    return what_it_uses(ranker, asked, n_bootstrap=n_bootstrap, seed=material.seed), said


def _hardest(material: Material) -> list[HardCase]:
    """Return the hardest queries, with the training molecules nearest to their spectra where a model is given."""
    from diptych.evaluation.audit.attribution import nearest_examples
    from diptych.evaluation.audit.audit import hardest_queries

    cases = hardest_queries(material.results)
    spectrum_of = material.measured
    if not material.models or material.trained is None or any(case.query not in spectrum_of for case in cases):
        return cases
    structures = {item.target: item.structure for item in material.trained.spectra if item.structure is not None}
    model = material.embeddings[0]
    nearest = nearest_examples(
        model.encode_spectra([spectrum_of[case.query] for case in cases]),
        model.encode_structures(list(structures.values())),
        labels=list(structures),
        molecules=list(structures),
        n=3,
    )
    return [
        replace(case, neighbours=tuple(f"{found.label} {found.cosine:.2f}" for found in row))
        for case, row in zip(cases, nearest, strict=True)
    ]


def _harmful(material: Material) -> list[dict[str, Any]]:
    """Return the training spectra whose labels the gradients speak against most, in two lists."""
    import numpy as np

    from diptych.cli.audit_material import examples
    from diptych.training.influence import influence

    n, queries = material.n_labels, material.queries
    if not n or not queries or not material.models or material.trained is None:
        return []
    generator = np.random.default_rng(material.seed)
    trained = [item for item in material.trained.spectra if item.structure is not None and item.spectrum.n_peaks]
    trained = [trained[i] for i in sorted(generator.permutation(len(trained))[:_SAMPLED_TRAINING])]
    asked = [query for query in queries if query.target in query.candidates.positions and query.spectrum.n_peaks]
    structures, training, tested = examples(trained, asked, generator=generator)
    found = influence(material.embeddings, training=training, queries=tested, structures=structures)
    lists = {"against the answers": found.on_queries, "against the rest": -found.on_itself}
    return [
        {
            "accession": trained[row].accession or trained[row].spectrum.identifier,
            "molecule": trained[row].target,
            "list": name,
            "influence": float(abs(values[row]) if name == "against the rest" else values[row]),
        }
        for name, values in lists.items()
        for row in np.argsort(values, kind="stable")[:n]
    ]


def _draw(audit: Audit, material: Material, output: Path) -> None:
    """Write the page with the hardest queries drawn."""
    from diptych.evaluation.audit.drawing import write_page

    write_page(audit, material.measured, output / "audit.html")


def _show(audit: Audit, output: Path) -> None:
    from rich.console import Console

    from diptych.evaluation.audit.perturbed import NOT_ANSWERED
    from diptych.evaluation.statistics.against_controls import below_said

    console = Console()
    for finding in audit.findings:
        console.print(f"{finding.verdict:>11}  {finding.check}: {finding.says}", highlight=False, markup=False)
    for one in audit.above:
        known = not math.isnan(one.low)
        interval = f" ({100 * one.low:.1f} to {100 * one.high:.1f})" if known else ""  # of one molecule there is none
        console.print(
            f"{100 * one.difference:+6.1f} points @1 above {one.second}{interval} {one.mark}",
            highlight=False,
            markup=False,
        )
    strata = [stratum for found in audit.strata.values() for stratum in found]
    for below in (below_said(audit.lengths, of="bins of list length"), below_said(strata, of="strata")):
        if below:
            console.print(below, highlight=False, markup=False)
    if audit.asked:
        console.print(audit.asked, highlight=False, markup=False)
    for one in audit.uses:
        note = " (a miss by definition)" * (one.first in NOT_ANSWERED)
        console.print(
            f"{100 * one.difference:+6.1f} points @1 with {one.first}{note} {one.mark}", highlight=False, markup=False
        )
    console.print(f"Written: {output / 'audit.html'}, audit.md, audit.json", highlight=False, markup=False)
