"""Names of the loss terms, as configurations write them, and how terms are built."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from diptych.errors import ConfigError
from diptych.training.losses.adversarial import Adversarial
from diptych.training.losses.auxiliary import DescriptorHead, ExactMassHead, FingerprintHead
from diptych.training.losses.binned_spectrum import BinnedSpectrumHead
from diptych.training.losses.candidates import CandidateRegularisation, Listwise
from diptych.training.losses.context import LossTerm
from diptych.training.losses.fragments import FragmentContrast
from diptych.training.losses.late_interaction import LateInteraction
from diptych.training.losses.moco import MomentumContrast
from diptych.training.losses.self_supervised import SelfSupervised
from diptych.training.losses.supcon import SupervisedContrast, TanimotoContrast
from diptych.training.losses.vicreg import VarianceCovariance

LOSS_TERMS: dict[str, type[LossTerm]] = {
    "supcon": SupervisedContrast,
    "supcon-tanimoto": TanimotoContrast,
    "moco": MomentumContrast,
    "listwise": Listwise,
    "candidate-regularisation": CandidateRegularisation,
    "late-interaction": LateInteraction,
    "fragments": FragmentContrast,
    "fingerprint": FingerprintHead,
    "exact-mass": ExactMassHead,
    "descriptors": DescriptorHead,
    "binned-spectrum": BinnedSpectrumHead,
    "vicreg": VarianceCovariance,
    "adversarial": Adversarial,
    "self-supervised": SelfSupervised,
}
_GIVEN = ("model", "embedding_dim")


def build_term(name: str, options: Mapping[str, Any], *, model: Any) -> LossTerm:  # noqa: ANN401 - a joint embedding
    """Return the term of a name with its own options.

    Raises
    ------
    ConfigError
        The name or an option is unknown, or an option has a wrong type or an impossible value.
    """
    if name not in LOSS_TERMS:
        raise ConfigError(f"loss.terms: unknown term {name!r}{_hint(name, list(LOSS_TERMS))}")
    parameters = inspect.signature(LOSS_TERMS[name]).parameters
    known = [key for key in parameters if key not in _GIVEN]
    for key, value in options.items():
        if key not in known:
            raise ConfigError(f"loss term {name!r} has no option {key!r}{_hint(key, [*known, *SCHEDULE_KEYS])}")
        _check_type(value, parameters[key].default, where=f"loss term {name!r}: {key}")
    given = {"model": model, "embedding_dim": model.loss_dim}
    return LOSS_TERMS[name](**options, **{key: value for key, value in given.items() if key in parameters})


SCHEDULE_KEYS = ("name", "weight", "from_epoch", "from_share", "until_epoch")


def _hint(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(known)}"


def _check_type(value: Any, default: Any, *, where: str) -> None:  # noqa: ANN401 - that is what is found out
    """Refuse a value that is not of the kind of the default."""
    kind = type(default)
    wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
    right = type(value) in (int, float) if kind is float else type(value) is kind
    if not right:
        raise ConfigError(f"{where} must be {wanted}, got {value!r}")
    if kind is not str and value < 0:
        raise ConfigError(f"{where} must be at least 0, got {value!r}")
