"""Spectrum tower: every peak a token, attended to by all others of the spectrum."""

from __future__ import annotations

from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.output import EncoderOutput
from diptych.encoders.spectra.conditions import stated_energy
from diptych.encoders.spectra.mass_attention import MassTransformerLayer
from diptych.encoders.spectra.mass_waves import mass_waves, wavelengths
from diptych.encoders.spectra.peak_batch import ADDUCTS, INSTRUMENT_CLASSES, PeakBatch
from diptych.encoders.spectra.peak_features import mean_of_peaks, peak_features
from diptych.encoders.spectra.spectrum_tower import SharedOptions, SpectrumTower

# From the difference of two mass defects to that of the ends of a spectrum.
_SHORTEST_DIFFERENCE, _LONGEST_DIFFERENCE = 0.02, 500.0
_N_CONDITION_TOKENS = 4


class PeakTransformerEncoder(SpectrumTower):
    """Peaks as tokens -> transformer, with a vector of the whole spectrum and one of every peak.

    Parameters
    ----------
    hidden_dim, n_layers, n_heads
        Of the transformer.
    n_waves, shortest_wave, longest_wave
        Wavelengths (Da) in which m/z and neutral losses are seen.
    n_difference_waves
        Wavelengths in which the attention sees m/z differences, from 0.02 to 500 Da.
    dropout
        Share of what each layer adds that is left out in training.
    shared
        Of `SpectrumTower`.

    Notes
    -----
    Tokens: the whole spectrum (with the waves of its precursor m/z), adduct, polarity, collision energy, instrument
    class, and each peak, t_p = W_2 gelu(W_1 [waves(m_p), waves(M - m_p), sqrt(I_p), I_p] + b_1) + b_2 with M the
    precursor m/z (`diptych.encoders.spectra.mass_waves`); then layers of `diptych.encoders.spectra.mass_attention`.
    With h the normalised output, x = W (h_spectrum + mean_p h_p) + b is the learned block, and the unit vector of
    W h_p + b the vector of peak p: they lie in one space. Attention: Vaswani et al., doi:10.48550/arXiv.1706.03762;
    peaks as waves of their m/z: Voronov et al., doi:10.48550/arXiv.2207.02980.
    """

    peaks_are_tokens: ClassVar[bool] = True
    waves: Tensor
    difference_waves: Tensor

    def __init__(
        self,
        *,
        hidden_dim: int = 192,
        n_layers: int = 3,
        n_heads: int = 6,
        n_waves: int = 48,
        shortest_wave: float = 1e-3,
        longest_wave: float = 1e4,
        n_difference_waves: int = 16,
        dropout: float = 0.1,
        **shared: Unpack[SharedOptions],
    ) -> None:
        super().__init__(**shared)
        self.hidden_dim, self.n_layers, self.n_heads, self.dropout = hidden_dim, n_layers, n_heads, dropout
        self.n_waves, self.shortest_wave, self.longest_wave = n_waves, shortest_wave, longest_wave
        self.n_difference_waves = n_difference_waves
        self.register_buffer("waves", wavelengths(shortest_wave, longest_wave, count=n_waves), persistent=False)
        differences = wavelengths(_SHORTEST_DIFFERENCE, _LONGEST_DIFFERENCE, count=n_difference_waves)
        self.register_buffer("difference_waves", differences, persistent=False)
        self.spectrum = nn.Linear(2 * n_waves, hidden_dim)
        self.adducts = nn.Embedding(len(ADDUCTS), hidden_dim)
        self.polarities = nn.Embedding(3, hidden_dim)
        self.energy = nn.Linear(3, hidden_dim)
        self.instruments = nn.Embedding(len(INSTRUMENT_CLASSES), hidden_dim)
        self.peaks = nn.Sequential(nn.Linear(4 * n_waves + 2, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, hidden_dim))
        layer = {"dim": hidden_dim, "n_heads": n_heads, "n_waves": n_difference_waves}
        self.layers = nn.ModuleList(MassTransformerLayer(**layer, dropout=dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(hidden_dim)
        self.output = nn.Linear(hidden_dim, self.learned_dim)

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim), and one of every peak, (n, n_slots, learned_dim)."""
        x = torch.cat([self._condition_tokens(batch), self._peak_tokens(batch)], dim=1)
        waves, mask = self._token_differences(batch), _token_mask(batch)
        for layer in self.layers:
            x = layer(x, waves, mask)
        hidden = self.norm(x)
        peaks = hidden[:, -batch.mz.shape[1] :]
        learned = self.output(hidden[:, 0] + mean_of_peaks(peaks, batch.mask))
        return self.encoder_output(learned, batch, tokens=self.output(peaks), mask=batch.mask)

    def _condition_tokens(self, batch: PeakBatch) -> Tensor:
        known, energy = stated_energy(batch)
        numbers = torch.stack([known.float(), energy / 50, torch.log1p(energy) / 4], dim=1)
        tokens = [
            self.spectrum(mass_waves(batch.precursor_mz, self.waves)),
            self.adducts(batch.adduct),
            self.polarities(batch.polarity.long() + 1),
            self.energy(numbers),
            self.instruments(batch.instrument),
        ]
        return torch.stack(tokens, dim=1)

    def _peak_tokens(self, batch: PeakBatch) -> Tensor:
        tokens: Tensor = self.peaks(peak_features(batch, self.waves))
        return tokens

    def _token_differences(self, batch: PeakBatch) -> Tensor:
        """Return the waves of each token's m/z for the attention; conditions have none."""
        none = torch.full((len(batch), _N_CONDITION_TOKENS), torch.nan, dtype=batch.mz.dtype, device=batch.mz.device)
        return mass_waves(torch.cat([batch.precursor_mz[:, None], none, batch.mz], dim=1), self.difference_waves)


def _token_mask(batch: PeakBatch) -> Tensor:
    return functional.pad(batch.mask, (1 + _N_CONDITION_TOKENS, 0), value=True)
