"""What a loss term sees of one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.structures.gathering import counts_everywhere, gathered, process_index
from diptych.training.losses.contrastive import ContrastiveBatch

if TYPE_CHECKING:
    from diptych.encoders.output import EncoderOutput
    from diptych.training.batches import TrainingBatch


class LossTerm(nn.Module, ABC):
    """A term that is added to the main loss; what it learns is part of the training, not of the saved model.

    Attributes
    ----------
    needs
        Optional parts and targets of `TrainingBatch` without which the term cannot be computed.
    main_weight
        What the main loss is multiplied with while this term is on.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    main_weight: float = 1.0

    @abstractmethod
    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar, the same in all processes that train together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LossContext:
    """One batch and its vectors, made when first asked for.

    Attributes
    ----------
    batch
        Of this process.
    model
        The joint embedding that is trained.
    temperature
        Scalar, positive.
    epoch
        From 0.
    autocast
        The type in which the towers compute matrix products; None for that of their weights. Losses never use it.
    """

    batch: TrainingBatch
    model: Any
    temperature: Tensor
    epoch: int
    autocast: torch.dtype | None = None

    @cached_property
    def spectra(self) -> EncoderOutput:
        """Vectors of this process' spectra, as the losses see them: behind the projection where there is one."""
        return self.encoded_spectra(self.batch.spectra)

    @cached_property
    def structures(self) -> EncoderOutput:
        """Vectors of this process' structures: the molecules, then the hard negatives."""
        return self._encoded(self.model.structure_encoder, self.batch.structures, side="structure")

    @cached_property
    def vectors(self) -> ContrastiveBatch:
        """Unit vectors of all processes together; molecules are counted through."""
        return _unit(self._everywhere)

    def blocks(self) -> list[ContrastiveBatch]:
        """Return the same for each block of the vectors by itself."""
        whole, sizes = self._everywhere, list(self.spectra.block_sizes)
        parts = zip(
            torch.split(whole.spectra, sizes, dim=1),
            torch.split(whole.structures, sizes, dim=1),
            torch.split(whole.negatives, sizes, dim=1),
            strict=True,
        )
        return [_unit(replace(whole, spectra=x, structures=y, negatives=h)) for x, y, h in parts]

    def encoded_spectra(self, collated: Any) -> EncoderOutput:  # noqa: ANN401 - the tower's own
        """Return the vectors of other spectra: another view, unlabelled ones, perturbed ones."""
        return self._encoded(self.model.spectrum_encoder, collated, side="spectrum")

    def contrast_with(self, spectra: Tensor) -> ContrastiveBatch:
        """Return ``vectors`` with other unit vectors of the same spectra of this process."""
        return replace(self.vectors, spectra=gathered(functional.normalize(spectra.float(), dim=1)))

    def numbered(self, molecule: Tensor) -> Tensor:
        """Return positions among this process' molecules as positions among those of all processes."""
        counts = counts_everywhere(self.batch.n_molecules, device=molecule.device)
        return molecule + sum(counts[: process_index()])

    @cached_property
    def unit_spectra(self) -> Tensor:
        """Unit vectors of the spectra of all processes, without a look at any structure."""
        return functional.normalize(self._all_spectra, dim=1)

    @cached_property
    def _all_spectra(self) -> Tensor:
        return gathered(self.spectra.global_vector.float())

    @cached_property
    def _everywhere(self) -> ContrastiveBatch:
        batch, n = self.batch, self.batch.n_molecules
        structures = self.structures.global_vector.float()
        return ContrastiveBatch(
            spectra=self._all_spectra,
            structures=gathered(structures[:n]),
            negatives=gathered(structures[n:]),
            owner=gathered(self.numbered(batch.owner)),
            molecule=gathered(self.numbered(batch.molecule)),
            rows=gathered(batch.rows[:n]),
        )

    def tower_precision(self) -> torch.autocast:
        """Return a context in which towers compute; losses are computed outside, in full precision."""
        return torch.autocast(self.temperature.device.type, dtype=self.autocast, enabled=self.autocast is not None)

    def _encoded(self, encoder: nn.Module, collated: Any, *, side: str) -> EncoderOutput:  # noqa: ANN401
        with self.tower_precision():
            projected: EncoderOutput = self.model.projected(encoder(collated), side=side)
        return projected


def _unit(batch: ContrastiveBatch) -> ContrastiveBatch:
    return replace(
        batch,
        spectra=functional.normalize(batch.spectra, dim=1),
        structures=functional.normalize(batch.structures, dim=1),
        negatives=functional.normalize(batch.negatives, dim=1),
    )
