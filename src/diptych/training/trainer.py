"""One training run, from a configuration to a folder with a model in it."""

from __future__ import annotations

import json
import logging
import os
import platform
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

import diptych
from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError, TrainingError, is_out_of_memory, reason_of
from diptych.files import replacing
from diptych.training.augmentation import replicates_for
from diptych.training.batches import BatchMaker, TrainingData
from diptych.training.config import RunConfig
from diptych.training.devices import new_trainer
from diptych.training.finishing import TrainingResult, finish, taken_calibration
from diptych.training.fragments import fragment_source, with_fragments
from diptych.training.frozen import with_frozen_features
from diptych.training.ion_start import start_ion_table
from diptych.training.losses import Objective
from diptych.training.losses.late_interaction import check_tokens
from diptych.training.losses.requirements import check_requirements
from diptych.training.mining import NegativeMiner
from diptych.training.module import ContrastiveModule
from diptych.training.preparation import Prepared, prepare
from diptych.training.recorder import EpochRecorder, RunFolder, epoch_line, metrics_line
from diptych.training.structure_augmentation import StructureAugmentation
from diptych.training.targets import StructureTargets

_PACKAGES = ("torch", "lightning", "numpy", "rdkit", "pyarrow", "safetensors")
# For what has been trained; a calibration is taken over at the end.
_WITHOUT_CONSEQUENCE = {
    ("data", "cache"),
    ("data", "workers"),
    ("training", "keep_every"),
    ("validation", "calibration_from"),
}


def train(
    config: RunConfig,
    path: Path,
    *,
    resume: bool = False,
    report: Callable[[str], None] = lambda _: None,
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Return where the trained model is and how well it does.

    Parameters
    ----------
    config
        What is wanted.
    path
        The run folder: ``config.json``, ``metrics.jsonl``, ``learning_curve.png``, ``train.log``, ``checkpoint/``,
        ``model/`` and, where wanted, ``models/``.
    resume
        Go on with the run in that folder from its last whole epoch.
    report
        Called with every line that is also written to the log.
    callbacks
        Further Lightning callbacks, such as a progress bar.

    Raises
    ------
    ConfigError
        A part or an option is unknown, settings contradict each other, or a resumed run has another configuration.
    DatasetError
        Data is missing or damaged.
    ModelError
        The model of ``validation.calibration_from`` is missing or damaged.
    TrainingError
        The folder holds another run, there is nothing to resume, the loss is not finite, or memory is used up.
    """
    folder = RunFolder(path)
    _check(folder, config, resume=resume)
    with _logged(folder.log, report) as say:
        torch.manual_seed(config.training.seed)
        model = new_model(config)
        needs = Objective(config.loss, model, epochs=config.training.epochs).needs
        check_requirements(config)
        if config.validation.rerank and config.validation.fold and model.interaction is None:
            check_tokens(model, asked_by="validation.rerank")
        taken = taken_calibration(config)
        prepared = prepare(config, model.structure_encoder.featuriser, report=say)
        encoder, cache = model.structure_encoder, config.data.cache_folder
        prepared = with_frozen_features(prepared, encoder, cache=cache, report=say)
        prepared = with_fragments(prepared, model.interaction, cache=cache, report=say)
        _write_config(folder, config, prepared, resume=resume)
        if config.training.ion_start == "structures" and not resume and model.ion_table is not None:
            start_ion_table(model, prepared.table.features.fragments, seed=config.training.seed)
        _fit(model, config, folder, prepared, needs=needs, resume=resume, say=say, callbacks=callbacks)
        if not _is_first_process():
            return TrainingResult(model=folder.model, metrics={}, blind_metrics={})
        result = finish(config, folder, prepared, taken=taken)
        say(f"saved: {metrics_line(result.metrics)}")
        say(f"the same asked without peaks: {metrics_line(result.blind_metrics)}")
        return result


def new_model(config: RunConfig) -> JointEmbedding:
    """Return the untrained model of a configuration.

    Raises
    ------
    ConfigError
        A tower or one of its options is unknown.
    """
    return JointEmbedding.from_config(
        spectrum=dict(config.model.spectrum),
        structure=dict(config.model.structure),
        ions=None if config.model.ions is None else dict(config.model.ions),
        embedding_dim=config.model.embedding_dim,
        projection=config.model.projection,
        retrieval=config.model.retrieval,
        interaction=config.model.interaction,
        temperature=config.loss.temperature,
    )


def _fit(
    model: JointEmbedding,
    config: RunConfig,
    folder: RunFolder,
    prepared: Prepared,
    *,
    needs: frozenset[str],
    resume: bool,
    say: Callable[[str], None],
    callbacks: Sequence[Callback],
) -> None:
    spectra = prepared.corpus.without_peaks() if config.training.blind else prepared.corpus.spectra
    make = BatchMaker(
        spectra=spectra,
        features=prepared.table.features,
        augmentation=config.augmentation,
        collate_spectra=model.spectrum_encoder.collate,
        collate_structures=model.structure_encoder.collate,
        needs=needs,
        targets=StructureTargets.of(
            prepared.table.structures,
            needs,
            n_molecules=len(prepared.corpus.first_blocks),
            cache=config.data.cache_folder,
        ),
        unlabelled=prepared.unlabelled,
        replicates=replicates_for(config.augmentation, prepared.corpus.dataset),
        structure_augmentation=StructureAugmentation.of(config.augmentation, prepared.table.features),
        fragments=fragment_source(prepared.graphs, model.interaction),
    )
    judge = (
        partial(prepared.validation.measure_as_saved, recall=config.validation.rerank) if prepared.validation else None
    )
    recorder = EpochRecorder(
        folder,
        judge,
        config.validation,
        keep_every=config.training.keep_every,
        on_epoch=lambda row: say(epoch_line(row, n_epochs=config.training.epochs)),
    )
    # Before the recorder, whose checkpoint holds what was mined.
    miner = NegativeMiner(
        spectra,
        prepared.table.features,
        refresh_every=config.negatives.refresh_every,
        nearest=config.negatives.nearest,
    )
    with _quiet():
        trainer = new_trainer(config.training, [miner, recorder, *callbacks])
    sampler = replace(prepared.sampler, batch_size=config.training.batch_size * trainer.world_size)
    data = TrainingData(sampler, make, workers=config.data.workers)
    say(f"{trainer.accelerator.__class__.__name__}, {trainer.world_size} process(es), precision {trainer.precision}")
    module = ContrastiveModule(model, config, steps_per_epoch=data.steps_per_epoch(world_size=trainer.world_size))
    with _quiet(), _one_line_errors(trainer, config):
        trainer.fit(module, datamodule=data, ckpt_path=folder.checkpoint if resume else None)


def _check(folder: RunFolder, config: RunConfig, *, resume: bool) -> None:
    """Refuse to overwrite another run, or to go on with one that was told something else."""
    if not _is_first_process():
        return
    if not resume:
        # A run that came to nothing in its first epoch left its record behind, and nothing to lose.
        if folder.config.exists() and any(kept.exists() for kept in (folder.checkpoint, folder.model, folder.result)):
            advice = "go on with it by --resume, or name" if folder.checkpoint.is_dir() else "name"
            raise TrainingError(f"{folder.path} already holds a run; {advice} another folder")
        return
    if not folder.checkpoint.is_dir():
        raise TrainingError(
            f"{folder.path}: no checkpoint to resume from; the first is written after one epoch; "
            "leave --resume away to train anew"
        )
    _check_same(folder, config)


def _check_same(folder: RunFolder, config: RunConfig) -> None:
    """Refuse another configuration than the one that a run was started with."""
    record = _read_record(folder.config)
    try:
        before = RunConfig.from_dict(record["config"]).to_dict()
    except ConfigError as error:
        raise ConfigError(f"{folder.config}: is not the record of a run of this version: {error}") from error
    for section, values in config.to_dict().items():
        for key, value in values.items():
            was = before[section][key]
            if was != value and (section, key) not in _WITHOUT_CONSEQUENCE:
                raise ConfigError(
                    f"{folder.path} was started with {section}.{key} = {was!r}, now it is {value!r}; train anew"
                )


def _write_config(folder: RunFolder, config: RunConfig, prepared: Prepared, *, resume: bool) -> None:
    if not _is_first_process():
        return
    if resume:
        before = _read_record(folder.config)["digests"]
        for name, digest in prepared.digests.items():
            if before.get(name) != digest:
                raise TrainingError(f"{folder.path}: {name} has changed since the run was started; train anew")
        return
    content = {
        "config": config.to_dict(),
        "seed": config.training.seed,
        "digests": dict(prepared.digests),
        "versions": {"diptych": diptych.__version__, "python": platform.python_version()}
        | {package: metadata.version(package) for package in _PACKAGES},
    }
    with replacing(folder.config) as path:
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _is_first_process() -> bool:
    """Return whether this process, of those that train together, is the one that writes."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _read_record(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{path}: cannot be read: {reason_of(error)}; expected the record of the run to resume"
        ) from error
    parts = content if isinstance(content, Mapping) else {}
    missing = [name for name in ("config", "digests") if not isinstance(parts.get(name), Mapping)]
    if missing:
        raise TrainingError(f"{path}: has no {' and no '.join(missing)}; expected the record of the run to resume")
    return parts


@contextmanager
def _logged(path: Path, report: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Yield a function that reports a line and appends it to the log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.Logger("diptych.training")
    logger.addHandler(handler)

    def say(line: str) -> None:
        if _is_first_process():
            logger.info(line)
            report(line)

    try:
        yield say
    except BaseException as error:
        logger.error("stopped: %s: %s", type(error).__name__, error)
        raise
    finally:
        handler.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice about its own settings off the terminal."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _one_line_errors(trainer: lightning.Trainer, config: RunConfig) -> Iterator[None]:
    """Turn what Lightning and torch make of Ctrl-C and of full memory into errors that say what to do."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        signal.signal(signal.SIGINT, on_interrupt)
        if trainer.interrupted:
            raise KeyboardInterrupt from error
        raise
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise TrainingError(
                f"out of memory: lower training.batch_size (now {config.training.batch_size}) or "
                f"negatives.per_molecule (now {config.negatives.per_molecule})"
            ) from error
        raise
