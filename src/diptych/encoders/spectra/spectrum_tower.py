"""What all spectrum towers share: options, how spectra are collated, and the ion block beside the learned one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Required, TypedDict

from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.ion_block import joined_with_ions, learned_dim
from diptych.encoders.ion_table import IonTable
from diptych.encoders.output import EncoderOutput
from diptych.encoders.spectra.peak_batch import DEFAULT_CLEANING, PeakBatch
from diptych.spectra.cleaning import CleaningSettings
from diptych.spectra.spectrum import Spectrum


class SharedOptions(TypedDict, total=False):
    """The options of `SpectrumTower`, as towers hand them on."""

    embedding_dim: Required[int]
    ion_table: IonTable | None
    ion_weight: float
    cleaning: Mapping[str, Any] | None


class SpectrumTower(nn.Module):
    """A spectrum tower; each keeps every option of its own as an attribute of that name.

    Parameters
    ----------
    embedding_dim
        Length of the vectors, those of the ion table included.
    ion_table
        Shared with the structure tower; None leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    cleaning
        What is removed from a spectrum first; None is what the tower is meant for.

    Attributes
    ----------
    learned_dim
        Length of the learned block.
    default_cleaning
        What None stands for.
    peaks_are_tokens
        Whether the work grows with the number of peaks of the longest spectrum of a batch, so that spectra had better
        be encoded beside others of their length.
    """

    default_cleaning: ClassVar[CleaningSettings] = DEFAULT_CLEANING
    peaks_are_tokens: ClassVar[bool] = False
    __signature__: ClassVar[inspect.Signature]

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        cleaning: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.learned_dim = learned_dim(embedding_dim, ion_table)
        self.ion_table, self.ion_weight = ion_table, ion_weight
        self.cleaning = self.default_cleaning if cleaning is None else CleaningSettings.from_dict(cleaning)

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - object's own
        """Let `inspect.signature` tell all options of the tower, those that it hands on too."""
        super().__init_subclass__(**options)
        own = list(inspect.signature(cls.__init__).parameters.values())[1:]
        kept = [parameter for parameter in own if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
        handed_on = inspect.signature(cls.__base__ or nn.Module).parameters if len(kept) < len(own) else {}
        names = {parameter.name for parameter in kept}
        cls.__signature__ = inspect.Signature([*kept, *(p for name, p in handed_on.items() if name not in names)])

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with."""
        own = [name for name in self.__signature__.parameters if name not in SharedOptions.__annotations__]
        return {name: _as_json(getattr(self, name)) for name in ("ion_weight", *own, "cleaning")}

    def collate(self, spectra: Sequence[Spectrum]) -> Any:  # noqa: ANN401 - the tower's own kind of batch
        """Return cleaned spectra as one batch."""
        return PeakBatch.cleaned(spectra, self.cleaning)

    def encoder_output(
        self, learned: Tensor, batch: PeakBatch, *, tokens: Tensor | None = None, mask: Tensor | None = None
    ) -> EncoderOutput:
        """Return unit vectors of the learned block with the ion block, and unit vectors of the tokens if there are any.

        Parameters
        ----------
        learned
            Of shape (n, learned_dim).
        batch
            The n spectra.
        tokens, mask
            Of shape (n, n_slots, learned_dim), and bool (n, n_slots): where there is one.
        """
        output = joined_with_ions(learned, batch, self.ion_table, ion_weight=self.ion_weight)
        if tokens is None or mask is None:
            return output
        vectors = functional.normalize(tokens.float(), dim=-1) * mask[..., None]
        return output._replace(token_vectors=vectors, token_mask=mask)


def _as_json(value: Any) -> Any:  # noqa: ANN401 - any option
    if isinstance(value, CleaningSettings):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value
