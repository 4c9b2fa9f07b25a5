"""Spectrum tower: peaks as nodes of a graph whose edges are known neutral losses."""

from __future__ import annotations

from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.output import EncoderOutput
from diptych.encoders.spectra.conditions import AcquisitionConditions
from diptych.encoders.spectra.loss_edges import LOSSES, LossEdges, loss_edges, loss_masses
from diptych.encoders.spectra.mass_waves import mass_waves, wavelengths
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.encoders.spectra.peak_features import mean_of_peaks, peak_features
from diptych.encoders.spectra.spectrum_tower import SharedOptions, SpectrumTower
from diptych.errors import ConfigError


class PeakGraphEncoder(SpectrumTower):
    """Peaks and the precursor, joined where they are a known loss apart -> graph network.

    Parameters
    ----------
    hidden_dim, n_layers
        Of the network.
    n_waves, shortest_wave, longest_wave
        Wavelengths (Da) in which m/z and neutral losses are seen.
    tolerance_ppm
        Largest error of a loss, of the heavier m/z.
    dropout
        Share of what each layer adds that is left out in training.
    shared
        Of `SpectrumTower`.

    Raises
    ------
    ConfigError
        The tolerance is not above 0, or the wavelengths are impossible.

    Notes
    -----
    Nodes start as h_p = W_2 gelu(W_1 [waves(m_p), waves(M - m_p), sqrt(I_p), I_p] + b_1) + b_2, the precursor as
    V waves(M) + c with c the acquisition conditions; then layers of `LossGraphLayer` along the edges of `loss_edges`.
    With h the normalised output, x = W (h_precursor + mean_p h_p) + b is the learned block, and the unit vector of
    W h_p + b the vector of peak p.
    """

    peaks_are_tokens: ClassVar[bool] = True
    waves: Tensor
    loss_masses: Tensor

    def __init__(
        self,
        *,
        hidden_dim: int = 192,
        n_layers: int = 3,
        n_waves: int = 48,
        shortest_wave: float = 1e-3,
        longest_wave: float = 1e4,
        tolerance_ppm: float = 10.0,
        dropout: float = 0.1,
        **shared: Unpack[SharedOptions],
    ) -> None:
        if not tolerance_ppm > 0:
            raise ConfigError(f"peak-graph: tolerance_ppm is {tolerance_ppm}; expected a number above 0")
        super().__init__(**shared)
        self.hidden_dim, self.n_layers, self.dropout, self.tolerance_ppm = hidden_dim, n_layers, dropout, tolerance_ppm
        self.n_waves, self.shortest_wave, self.longest_wave = n_waves, shortest_wave, longest_wave
        self.register_buffer("waves", wavelengths(shortest_wave, longest_wave, count=n_waves), persistent=False)
        self.register_buffer("loss_masses", loss_masses(), persistent=False)
        self.precursor = nn.Linear(2 * n_waves, hidden_dim)
        self.conditions = AcquisitionConditions(dim=hidden_dim)
        self.peaks = nn.Sequential(nn.Linear(4 * n_waves + 2, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, hidden_dim))
        self.layers = nn.ModuleList(LossGraphLayer(dim=hidden_dim, dropout=dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(hidden_dim)
        self.output = nn.Linear(hidden_dim, self.learned_dim)

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim), and one of every peak, (n, n_slots, learned_dim)."""
        edges = loss_edges(batch, self.loss_masses, tolerance_ppm=self.tolerance_ppm)
        nodes = self._nodes(batch)
        x = nodes.flatten(0, 1)
        for layer in self.layers:
            x = layer(x, edges)
        hidden = self.norm(x).view(nodes.shape)
        peaks = hidden[:, 1:]
        learned = self.output(hidden[:, 0] + mean_of_peaks(peaks, batch.mask))
        return self.encoder_output(learned, batch, tokens=self.output(peaks), mask=batch.mask)

    def _nodes(self, batch: PeakBatch) -> Tensor:
        """Return (n, 1 + n_slots, hidden_dim)."""
        precursor = self.precursor(mass_waves(batch.precursor_mz, self.waves)) + self.conditions(batch)
        return torch.cat([precursor[:, None], self.peaks(peak_features(batch, self.waves))], dim=1)


class LossGraphLayer(nn.Module):
    """One layer: what the neighbours say along each kind of loss, both ways, then a feed-forward part.

    Parameters
    ----------
    dim
        Length of the vectors of nodes.
    dropout
        Share of what is added that is left out in training.

    Notes
    -----
    With u = LN(h), N_i the edges of node i, e of each kind and direction learned::

        h_i' = h_i + D(W_2 gelu(W_1 [u_i, a_i] + b_1) + b_2),   a_i = sum_(j in N_i) relu(V u_j + e_ij) / sqrt(|N_i|)

    which is the layer of Hu et al. for graphs with edge features (GINE, doi:10.48550/arXiv.1905.12265), its sum kept
    from growing with the number of neighbours.
    """

    def __init__(self, *, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.value = nn.Linear(dim, dim)
        self.kinds = nn.Embedding(2 * (len(LOSSES) + 1), dim)
        self.update = nn.Sequential(
            nn.Linear(2 * dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor, edges: LossEdges) -> Tensor:
        """Return (n_nodes, dim) of nodes (n_nodes, dim) and the edges between them."""
        normed = self.norm(x)
        value = self.value(normed)
        source = torch.cat([edges.light, edges.heavy])
        target = torch.cat([edges.heavy, edges.light])
        kind = torch.cat([edges.kind, edges.kind + len(LOSSES) + 1])
        messages = functional.relu(value[source] + self.kinds(kind).to(value.dtype))
        summed = torch.zeros_like(value).index_add(0, target, messages)
        degree = torch.zeros(len(x), dtype=value.dtype, device=x.device).index_add(
            0, target, torch.ones_like(target, dtype=value.dtype)
        )
        heard = summed / degree.clamp(min=1).sqrt()[:, None]
        result: Tensor = x + self.update(torch.cat([normed.to(heard.dtype), heard], dim=1))
        return result
