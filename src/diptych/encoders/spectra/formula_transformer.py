"""Spectrum tower: the peak transformer, told the formula of every peak and of what it lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diptych.encoders.spectra.formula_batch import N_FORMULA_NUMBERS, N_PARENT_NUMBERS, FormulaBatch
from diptych.encoders.spectra.peak_transformer import PeakTransformerEncoder
from diptych.errors import ConfigError
from diptych.spectra.cleaning import clean
from diptych.spectra.spectrum import Spectrum

_KINDS = ("peaks", "given")


class FormulaTransformerEncoder(PeakTransformerEncoder):
    """Peaks with their formulas as tokens -> transformer, with a vector of the whole spectrum and one of every peak.

    Parameters
    ----------
    formula
        ``"peaks"``: fragments and losses are decomposed by themselves, and nothing is known of the molecule but its
        precursor. ``"given"``: they are parts of ``metadata["parent_formula"]`` where a spectrum has it; where it has
        none, as with ``"peaks"``. In training a spectrum has that of its molecule. When it is asked about, it has that
        of its candidates if all have the same, which who holds the list knows; otherwise none, unless its file says so.
    tolerance_ppm
        Largest error of the m/z of a peak.
    formula_width
        Rows to which whole formulas are hashed, of fragments and of losses each; one of them is that of the unknown.
    annotation_dropout
        Share of peaks that are treated as if they had no formula, in training.
    transformer
        Of `PeakTransformerEncoder`.

    Raises
    ------
    ConfigError
        An option has an impossible value.

    Notes
    -----
    To the token of each peak, and to that of the whole spectrum, is added what its formulas say::

        t_p + V_2 gelu(V_1 f_p + c_1) + E[hash(F_p)] + L[hash(M - F_p)],    t_spectrum + U u

    with F_p the fragment's formula (`diptych.spectra.subformulas`), M - F_p the loss, f_p the numbers of
    `FormulaBatch`: the logarithms of their counts of each element and what is known of them, and u the logarithms of
    the counts of the molecule. Counts of elements of fragment and loss as features of a peak are those of MIST (Goldman
    et al., doi:10.1038/s42256-023-00708-3).
    """

    def __init__(
        self,
        *,
        formula: Literal["peaks", "given"] = "peaks",
        tolerance_ppm: float = 10.0,
        formula_width: int = 8192,
        annotation_dropout: float = 0.1,
        **transformer: Any,  # noqa: ANN401 - the options of the peak transformer
    ) -> None:
        _check(formula, tolerance_ppm=tolerance_ppm, formula_width=formula_width, dropout=annotation_dropout)
        super().__init__(**transformer)
        self.formula, self.tolerance_ppm = formula, tolerance_ppm
        self.formula_width, self.annotation_dropout = formula_width, annotation_dropout
        dim = self.hidden_dim
        self.formula_numbers = nn.Sequential(nn.Linear(N_FORMULA_NUMBERS, dim), nn.GELU(), nn.Linear(dim, dim))
        self.parents = nn.Linear(N_PARENT_NUMBERS, dim)
        self.fragments, self.losses = (nn.Embedding(formula_width, dim) for _ in range(2))
        for table in (self.fragments, self.losses):
            nn.init.normal_(table.weight, std=0.05)

    def collate(self, spectra: Sequence[Spectrum]) -> FormulaBatch:
        """Return cleaned spectra and the formulas of their peaks as one batch."""
        cleaned = [clean(spectrum, self.cleaning) for spectrum in spectra]
        return FormulaBatch.annotated(
            cleaned, given=self.formula == "given", tolerance_ppm=self.tolerance_ppm, width=self.formula_width
        )

    def _condition_tokens(self, batch: Any) -> Tensor:  # noqa: ANN401 - a FormulaBatch
        tokens = super()._condition_tokens(batch)
        molecule = self.parents(batch.parent_numbers)
        return torch.cat([tokens[:, :1] + molecule[:, None], tokens[:, 1:]], dim=1)

    def _peak_tokens(self, batch: Any) -> Tensor:  # noqa: ANN401 - a FormulaBatch
        seen = self._with_withheld(batch) if self.training and self.annotation_dropout else batch
        tokens: Tensor = (
            super()._peak_tokens(batch)
            + self.formula_numbers(seen.formula_numbers)
            + self.fragments(seen.fragment_column)
            + self.losses(seen.loss_column)
        )
        return tokens

    def _with_withheld(self, batch: FormulaBatch) -> FormulaBatch:
        kept = torch.rand(batch.mask.shape, device=batch.mask.device) >= self.annotation_dropout
        return replace(
            batch,
            formula_numbers=batch.formula_numbers * kept[..., None],
            fragment_column=batch.fragment_column * kept,
            loss_column=batch.loss_column * kept,
        )


def _check(formula: str, *, tolerance_ppm: float, formula_width: int, dropout: float) -> None:
    if formula not in _KINDS:
        raise ConfigError(f"formula-transformer: formula is {formula!r}; expected one of {', '.join(_KINDS)}")
    if not 0 < tolerance_ppm <= 1000:
        raise ConfigError(f"formula-transformer: tolerance_ppm is {tolerance_ppm}; expected above 0, at most 1000")
    if formula_width < 2:
        raise ConfigError(f"formula-transformer: formula_width is {formula_width}; expected at least 2")
    if not 0 <= dropout < 1:
        raise ConfigError(f"formula-transformer: annotation_dropout is {dropout}; expected a share from 0 to below 1")
