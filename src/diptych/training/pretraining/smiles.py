"""Pretraining of a small chemical language model: guess withheld tokens, and tell what molecule it is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from diptych.errors import TrainingError
from diptych.training.pretraining.checks import naming_what_fills_memory
from diptych.training.pretraining.log import logged
from diptych.training.pretraining.smiles_run import SmilesRun
from diptych.training.pretraining.smiles_settings import SmilesPretraining
from diptych.training.pretraining.structure_rows import read_pretraining_rows


def pretrain_smiles(
    structures: Path,
    folder: Path,
    settings: SmilesPretraining,
    *,
    exclude: Collection[str] = (),
    resume: bool = False,
    report: Callable[[str], None] = lambda _: None,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
) -> dict[str, Any]:
    """Return what a language model, pretrained on a list of structures, has learned; it lies in the folder.

    Parameters
    ----------
    structures
        TSV or CSV with the column ``smiles`` and, where something is excluded, ``inchikey_first_block``.
    folder
        Written: the files that ``transformers`` expects, ``metrics.json``, ``settings.json``, ``pretrain.log`` and
        ``checkpoint/``.
    settings
        How it is pretrained.
    exclude
        First blocks of molecules to leave out.
    resume
        Go on with the run in that folder from its last resume state.
    report
        Called with every line that is also written to the log.
    on_step
        Called after each step with its number, the number of steps planned, and the loss.

    Raises
    ------
    DatasetError
        The structures cannot be read.
    TrainingError
        The folder holds another run, there is nothing to resume, the loss is not finite, or memory is used up.
    OutputError
        The folder cannot be written.
    """
    _check_folder(folder, resume=resume)
    memory = naming_what_fills_memory(batch_size=settings.batch_size, hidden_dim=settings.hidden_dim)
    with logged(folder, report) as say, memory:
        rows = read_pretraining_rows(
            structures,
            exclude=exclude,
            limit=settings.limit,
            held_out=settings.held_out,
            max_length=settings.max_tokens,
            seed=settings.seed,
            report=say,
        )
        say(f"{len(rows.train):,} structures to learn from, {len(rows.held_out):,} of held-out scaffolds")
        run = SmilesRun(folder, settings, rows, say=say)
        if resume:
            run.resume()
        run.learn(on_step)
        return run.finish()


def _check_folder(folder: Path, *, resume: bool) -> None:
    if resume and not (folder / "checkpoint").is_dir():
        raise TrainingError(f"{folder}: no checkpoint to go on from; leave --resume away to train anew")
    if not resume and (folder / "config.json").exists():
        raise TrainingError(f"{folder}: holds a model already; expected another folder")
