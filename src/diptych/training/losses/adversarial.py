"""Spectra whose intensities are perturbed in the direction that hurts most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered
from diptych.errors import ConfigError
from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.contrastive import LossSettings, symmetric_info_nce


class Adversarial(LossTerm):
    """Consistency, or contrast, of vectors under an adversarial change of the peaks' intensities.

    Parameters
    ----------
    epsilon
        Change of the logarithm of each intensity.
    kind
        ``"contrast"``: the perturbed spectra must still find their structures. ``"consistency"``: their vectors must
        stay where the unperturbed ones are.

    Notes
    -----
    With L_c the symmetric InfoNCE of the batch without hard negatives, and i_p the intensities,

        i'_p = i_p exp(epsilon sign(i_p dL_c / di_p)),  scaled to a maximum of 1
        L = L_c(x(i'), y)   or   L = mean_i (1 - <x_i, x_i(i')>)

    the fast gradient sign method, Goodfellow et al., doi:10.48550/arXiv.1412.6572, section 4, on log intensities: weak
    and strong peaks change alike, and none appears. No gradient flows through the perturbation itself.
    """

    def __init__(self, *, epsilon: float = 0.2, kind: Literal["contrast", "consistency"] = "contrast") -> None:
        super().__init__()
        if kind not in ("contrast", "consistency"):
            raise ConfigError(f"loss term 'adversarial': kind {kind!r}; expected 'contrast' or 'consistency'")
        self.epsilon, self.kind = epsilon, kind

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        perturbed = context.encoded_spectra(self.perturbed(context)).global_vector.float()
        if self.kind == "contrast":
            return _contrast(context, perturbed)
        cosine = functional.cosine_similarity(perturbed, context.spectra.global_vector.float(), dim=1)
        return gathered(1 - cosine).mean()

    def perturbed(self, context: LossContext) -> Any:  # noqa: ANN401 - what the tower collates
        """Return the spectra of the batch with perturbed intensities."""
        given = context.batch.spectra
        intensity = _peaks(given).intensity.detach().clone().requires_grad_()
        vectors = context.encoded_spectra(_with_intensity(given, lambda _: intensity)).global_vector.float()
        (gradient,) = torch.autograd.grad(_contrast(context, vectors), intensity, allow_unused=True)
        if gradient is None:
            raise ConfigError("loss term 'adversarial': the spectrum tower has no gradient with respect to intensities")
        # Square roots of empty slots have an infinite slope, of which nothing may be left.
        step = torch.exp(self.epsilon * gradient.nan_to_num(nan=0.0).sign())
        changed = intensity.detach() * step
        return _with_intensity(given, lambda _: changed / changed.amax(dim=1, keepdim=True).clamp(min=1e-12))


def _contrast(context: LossContext, spectra: Tensor) -> Tensor:
    batch = context.contrast_with(spectra)
    none = replace(batch, negatives=batch.negatives[:0], owner=batch.owner[:0])
    return symmetric_info_nce(none, context.temperature.detach(), settings=LossSettings())


def _peaks(collated: Any) -> Any:  # noqa: ANN401 - what the tower collates
    """Return the part of a collated batch that holds intensities: itself, or one of its fields."""
    if hasattr(collated, "intensity"):
        return collated
    parts = [getattr(collated, field.name) for field in fields(collated)] if is_dataclass(collated) else []
    found = [part for part in parts if hasattr(part, "intensity")]
    if not found:
        raise ConfigError("loss term 'adversarial': the spectrum tower is not given intensities; choose another tower")
    return found[0]


def _with_intensity(collated: Any, change: Callable[[Tensor], Tensor]) -> Any:  # noqa: ANN401
    peaks = _peaks(collated)
    changed = replace(peaks, intensity=change(peaks.intensity))
    if peaks is collated:
        return changed
    name = next(field.name for field in fields(collated) if getattr(collated, field.name) is peaks)
    return replace(collated, **{name: changed})
