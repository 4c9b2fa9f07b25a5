"""What losses presuppose of the rest of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diptych.errors import ConfigError

if TYPE_CHECKING:
    from diptych.training.config import LossConfig, RunConfig

_OF_CANDIDATES = ("listwise", "candidate-regularisation", "fragments")
_OF_STRUCTURES = (*_OF_CANDIDATES, "moco", "late-interaction", "adversarial")
_OF_REPLICATES = ("supcon", "supcon-tanimoto")


def check_requirements(config: RunConfig) -> None:
    """Refuse losses to which the data of this configuration give nothing to do.

    Raises
    ------
    ConfigError
        A loss over candidates without hard negatives, one over replicates with one spectrum a molecule, or one over
        unlabelled spectra without any.
    """
    terms = {table["name"]: table for table in config.loss.terms}
    names = [*terms, config.loss.name] if config.loss.weight else list(terms)
    of_candidates = [name for name in names if name in _OF_CANDIDATES]
    if of_candidates and not config.negatives.per_molecule:
        raise ConfigError(f"loss {of_candidates[0]!r} needs hard negatives; negatives.per_molecule is 0")
    for name in _OF_REPLICATES:
        if name in terms and config.sampling.spectra_per_molecule < 2 and not terms[name].get("augmented"):
            raise ConfigError(
                f"loss term {name!r} needs two spectra of a molecule; set sampling.spectra_per_molecule to 2 or more, "
                "or augmented = true in the term"
            )
    if "self-supervised" in terms and not (config.data.unlabelled and config.sampling.unlabelled):
        raise ConfigError("loss term 'self-supervised' needs spectra; give data.unlabelled and sampling.unlabelled")


def ranks_structures(loss: LossConfig) -> bool:
    """Return whether anything that is minimised compares spectra with structures, so that these can be ranked."""
    terms = [table for table in loss.terms if table.get("weight", 1.0) > 0 and table.get("kind") != "consistency"]
    return loss.weight > 0 or any(table["name"] in _OF_STRUCTURES for table in terms)
