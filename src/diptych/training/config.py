"""What a training run is told: one TOML file, read into frozen dataclasses in which every default stands once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from diptych.errors import ConfigError
from diptych.presets import read_preset
from diptych.training.data_config import AugmentationConfig, DataConfig, NegativesConfig, SamplingConfig
from diptych.training.schedule import Schedule
from diptych.training.sections import apply_override, merged, section_from, setting


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The two towers and their hinge.

    Attributes
    ----------
    spectrum, structure
        ``name`` of the tower (a key of ``SPECTRUM_ENCODERS``, ``STRUCTURE_ENCODERS``) and that tower's own options.
    ions
        Options of the ion table that both towers share; None, where the section is absent, leaves it out.
    embedding_dim
        Length of the joint vectors, those of the ion table included.
    projection
        ``hidden_dim`` and ``dim`` of a head on each tower, behind which the loss is taken; absent, there is none.
    retrieval
        Whether the model encodes vectors ``"before"`` or ``"after"`` the projection.
    interaction
        Options of the late interaction of peaks and fragments; None, where the section is absent, leaves it out. Its
        loss is the term ``fragments``.
    """

    spectrum: Mapping[str, Any] = field(default_factory=dict)
    structure: Mapping[str, Any] = field(default_factory=dict)
    ions: Mapping[str, Any] | None = None
    embedding_dim: int = setting(256, minimum=1)
    projection: Mapping[str, Any] | None = None
    retrieval: Literal["before", "after"] = "before"
    interaction: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What is minimised.

    Attributes
    ----------
    name
        A key of ``LOSSES``.
    temperature
        The temperature at the start, and throughout if it is not learned.
    learn_temperature
        Whether it is a parameter of the model.
    label_smoothing
        Share of the target probability spread over all candidates of the softmax.
    negatives
        Which hard negatives a spectrum sees: its molecule's ``"own"``, those of the whole ``"batch"``, or ``"none"``,
        where they are drawn for a term alone.
    structure_weight
        Weight of the structure-to-spectrum direction; the other has the rest.
    block_weight
        Weight of the same loss on each block of the vectors by itself, where the towers join several; 0 leaves it out.
    weight
        What all this is multiplied with; 0 leaves the terms alone.
    terms
        Further terms, added: tables of ``name`` (a key of ``LOSS_TERMS``), ``weight``, the epochs in which the term is
        on (``from_epoch``, ``from_share``, ``until_epoch``) and the term's own options.
    """

    name: str = "info-nce"
    temperature: float = setting(0.07, minimum=0.005, maximum=1.0)
    learn_temperature: bool = True
    label_smoothing: float = setting(0.0, minimum=0.0, maximum=0.5)
    negatives: Literal["own", "batch", "none"] = "own"
    structure_weight: float = setting(0.5, minimum=0.0, maximum=1.0)
    block_weight: float = setting(0.0, minimum=0.0)
    weight: float = setting(1.0, minimum=0.0)
    terms: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How it is minimised.

    Attributes
    ----------
    epochs
        Passes over the molecules, each with one spectrum drawn per molecule.
    batch_size
        Distinct molecules in a batch.
    learning_rate, weight_decay
        Of AdamW; biases, norms and the temperature do not decay.
    interaction_rate
        What the learning rate is multiplied with for the interaction of peaks and fragments.
    warmup_epochs
        Epochs over which the learning rate rises linearly.
    schedule
        Of the learning rate afterwards: ``"cosine"`` falls along half a cosine to zero, ``"constant"`` stays.
    gradient_clip
        Largest norm of the gradient; 0 leaves it as it is.
    ema_decay
        Decay per step of the exponential moving average of the weights, which is what is validated and saved; 0 takes
        the weights as they are.
    precision
        ``"auto"`` computes matrix products in bfloat16 where the processor has instructions for it.
    devices
        Number of processors of the accelerator to use; 0 means all there are.
    blind
        Train the spectrum-blind twin: no tower ever sees a peak.
    ion_start
        Where the ion table starts: at the leading singular vectors of the ``"structures"``' fragments, or ``"random"``.
    seed
        Every random draw follows from this and the number of the epoch.
    keep_every
        Keep the weights after every so many epochs in ``models/epoch-NNN/``, besides those of ``model/``; 0 keeps none.
    """

    epochs: int = setting(15, minimum=1)
    batch_size: int = setting(256, minimum=2)
    learning_rate: float = setting(1e-3, minimum=0.0)
    weight_decay: float = setting(0.01, minimum=0.0)
    interaction_rate: float = setting(3.0, minimum=0.0)
    warmup_epochs: float = setting(1.0, minimum=0.0)
    schedule: Schedule = "cosine"
    gradient_clip: float = setting(1.0, minimum=0.0)
    ema_decay: float = setting(0.0, minimum=0.0, maximum=0.99999)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    devices: int = setting(0, minimum=0)
    blind: bool = False
    ion_start: Literal["structures", "random"] = "structures"
    seed: int = setting(1, minimum=0)
    keep_every: int = setting(0, minimum=0)


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """How the weights to keep are chosen.

    Attributes
    ----------
    fold
        Fold of the queries; empty: no validation, the last weights are kept.
    candidates
        JSON file {first block: [SMILES, ...]}; empty: lists of one formula are drawn from ``data.structures``.
    list_length
        Longest list that is drawn.
    every_epochs
        Validate after every so many epochs, and after the last.
    monitor
        The metric whose best value decides, averaged over spectra.
    patience
        Stop after so many validations without a better value; 0 never stops early.
    rerank
        At every validation, which takes longer for it, the first so many candidates by cosine are re-ranked by peaks
        and fragments, or peaks and atoms, with the weight that ranks the validation queries best, and so by the saved
        model; 0 leaves the cosine alone. Needs ``model.interaction``, or towers with tokens.
    calibration_from
        A model folder whose calibration is taken over where there is no validation fold to fit one on.
    """

    fold: str = "val"
    candidates: str = ""
    list_length: int = setting(256, minimum=2)
    every_epochs: int = setting(1, minimum=1)
    monitor: Literal["mrr", "hit_rate@1", "hit_rate@5", "hit_rate@20"] = "mrr"
    patience: int = setting(0, minimum=0)
    rerank: int = setting(0, minimum=0)
    calibration_from: str = ""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything a training run is told."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    negatives: NegativesConfig = field(default_factory=NegativesConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """Return the configuration that nested mappings describe; what they leave out has its default.

        Raises
        ------
        ConfigError
            An unknown key (named with its section and the nearest known key), a value of a wrong type or out of range.

        Examples
        --------
        >>> RunConfig.from_dict({"training": {"epochs": 3}}).training.epochs
        3
        """
        return section_from(cls, values, section="")

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, as ``config.json`` holds them and ``from_dict`` takes them."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def read_config(path: Path | None, *, preset: str = "", overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration of a preset, with a TOML file and ``section.key=value`` overrides on top of it.

    Parameters
    ----------
    path
        The file; None for the preset alone.
    preset
        Name of a preset; empty for the file alone. A tower that the file names replaces the preset's, options and all.
    overrides
        Each changes one key.

    Raises
    ------
    ConfigError
        Neither file nor preset is given, the preset is unknown, the file is missing or no TOML, an override has no
        ``=``, or what ``RunConfig.from_dict`` raises.
    """
    if path is None and not preset:
        raise ConfigError("neither a configuration file nor a preset; expected one of them, or both")
    values = merged(read_preset(preset) if preset else {}, {} if path is None else _read_toml(path))
    for override in overrides:
        apply_override(values, override)
    try:
        return RunConfig.from_dict(values)
    except ConfigError as error:
        raise ConfigError(f"{path or f'preset {preset}'}: {error}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}; expected a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
