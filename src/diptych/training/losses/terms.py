"""Names of the loss terms, as configurations write them, and how terms are built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from diptych.encoders.options import check_options, hint
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
        raise ConfigError(f"loss.terms: unknown term {name!r}{hint(name, list(LOSS_TERMS))}")
    term, owner = LOSS_TERMS[name], f"loss term {name!r}"
    check_options(options, term, owner=owner, place=f"{owner}: ", fixed=_GIVEN, beside=SCHEDULE_KEYS)
    given = {"model": model, "embedding_dim": model.loss_dim}
    parameters = inspect.signature(term).parameters
    return term(**options, **{key: value for key, value in given.items() if key in parameters})


SCHEDULE_KEYS = ("name", "weight", "from_epoch", "from_share", "until_epoch")
