"""What settings presuppose of each other: the losses of the data, validation of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from diptych.errors import ConfigError
from diptych.training.losses.objective import schedule_of
from diptych.training.sampling import HardShare

if TYPE_CHECKING:
    from diptych.training.config import LossConfig, RunConfig

_OF_CANDIDATES = ("listwise", "candidate-regularisation", "fragments")
_OF_STRUCTURES = (*_OF_CANDIDATES, "moco", "late-interaction", "adversarial")
_OF_REPLICATES = ("supcon", "supcon-tanimoto")


def check_requirements(config: RunConfig) -> None:
    """Refuse settings that can have no effect, or losses to which the data of this configuration give nothing to do.

    Raises
    ------
    ConfigError
        A loss over candidates without hard negatives in its epochs, one over replicates with one spectrum a molecule,
        or one over unlabelled spectra without any; a weight of blocks that there are not; vectors behind a projection
        that there is not; a second look, or the calibration of another model, that validation has no use for.
    """
    _check_candidates(config)
    _check_spectra(config)
    _check_blocks(config)
    _check_validation(config)


def _check_candidates(config: RunConfig) -> None:
    if not config.negatives.per_molecule:
        for name, _ in _list_losses(config):
            raise ConfigError(f"loss {name!r} needs hard negatives; negatives.per_molecule is 0")
    for name, epochs in _list_losses(config):
        if not any(_draws_negatives(config, epoch) for epoch in epochs):
            of = config.negatives
            raise ConfigError(
                f"loss {name!r} needs hard negatives; none are drawn in its epochs with negatives.from_share "
                f"{of.from_share:g}, start_share {of.start_share:g} and end_share {of.end_share:g}"
            )


def _list_losses(config: RunConfig) -> Iterator[tuple[str, Iterable[int]]]:
    """Yield each loss over candidates with the epochs, from 0, in which it is on."""
    epochs = config.training.epochs
    for table in config.loss.terms:
        if table["name"] in _OF_CANDIDATES:
            schedule = schedule_of(table, epochs=epochs)
            yield table["name"], range(schedule.start, min(schedule.stop, epochs))
    if config.loss.weight and config.loss.name in _OF_CANDIDATES:
        yield config.loss.name, range(epochs)


def _draws_negatives(config: RunConfig, epoch: int) -> bool:
    of = config.negatives
    share = HardShare(start=of.start_share, end=of.end_share, n_epochs=config.training.epochs, from_share=of.from_share)
    return of.easy == "random" or share.at(epoch) > 0


def _check_spectra(config: RunConfig) -> None:
    terms = {table["name"]: table for table in config.loss.terms}
    n_spectra = config.sampling.spectra_per_molecule
    for name in _OF_REPLICATES:
        if name in terms and n_spectra < 2 and not terms[name].get("augmented"):
            raise ConfigError(
                f"loss term {name!r} needs two spectra of a molecule; set sampling.spectra_per_molecule to 2 or more, "
                "or augmented = true in the term"
            )
    if config.loss.weight and config.loss.name == "consensus" and n_spectra < 2:
        raise ConfigError(
            "loss.name 'consensus' needs several spectra of a molecule; set sampling.spectra_per_molecule to 2 or "
            "more, or take 'info-nce', which is the same for one"
        )
    if "self-supervised" in terms and not (config.data.unlabelled and config.sampling.unlabelled):
        raise ConfigError("loss term 'self-supervised' needs spectra; give data.unlabelled and sampling.unlabelled")


def _check_blocks(config: RunConfig) -> None:
    """Without an ion table vectors are one block, and so they are behind a projection."""
    model = config.model
    if config.loss.block_weight and (model.ions is None or model.projection is not None):
        why = "there is no section model.ions" if model.ions is None else "model.projection makes one block of them"
        raise ConfigError(
            f"loss.block_weight is {config.loss.block_weight:g}, but the vectors have no blocks: {why}; expected 0"
        )
    if model.retrieval == "after" and model.projection is None:
        raise ConfigError("model.retrieval is 'after', but there is no section model.projection; expected 'before'")


def _check_validation(config: RunConfig) -> None:
    validation = config.validation
    if validation.fold and validation.calibration_from:
        raise ConfigError(
            f"validation.calibration_from is {validation.calibration_from!r}, but a calibration is fitted on "
            f"validation.fold {validation.fold!r}; expected one of them to be empty"
        )
    if validation.rerank and not (validation.fold or validation.calibration_from):
        raise ConfigError(
            f"validation.rerank is {validation.rerank}, but its weight has nothing to be fitted on; expected "
            "validation.fold, or validation.calibration_from to take it over, or 0"
        )


def ranks_structures(loss: LossConfig) -> bool:
    """Return whether anything that is minimised compares spectra with structures, so that these can be ranked."""
    terms = [table for table in loss.terms if table.get("weight", 1.0) > 0 and table.get("kind") != "consistency"]
    return loss.weight > 0 or any(table["name"] in _OF_STRUCTURES for table in terms)
