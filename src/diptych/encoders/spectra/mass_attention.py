"""Self-attention of peaks that knows how far apart they lie."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.errors import ConfigError


class MassDifferenceAttention(nn.Module):
    """Multi-head self-attention with a learned bias for each m/z difference.

    Parameters
    ----------
    dim
        Length of the token vectors.
    n_heads
        Of ``dim / n_heads`` each.
    n_waves
        Wavelengths in which a difference is seen.

    Raises
    ------
    ConfigError
        ``dim`` is no multiple of ``n_heads``.

    Notes
    -----
    For each head (scaled dot products as Vaswani et al., doi:10.48550/arXiv.1706.03762; a bias from pairwise
    differences of m/z as in DreaMS, doi:10.1038/s41587-025-02663-3)::

        A_ij = softmax_j(q_i . k_j / sqrt(d) + B(m_i - m_j))
        B(x) = sum_k a_k cos(2 pi x / lambda_k) + b_k sin(2 pi x / lambda_k)

    with a and b learned, zero at the start. By the addition theorems B is itself a dot product, of vectors made of the
    waves of m_i and of m_j. They are appended to q_i and k_j, so no table of all pairs is ever held.
    """

    def __init__(self, *, dim: int, n_heads: int, n_waves: int) -> None:
        super().__init__()
        if n_heads < 1 or dim % n_heads:
            raise ConfigError(f"the hidden dimension is {dim}; expected a multiple of the number of heads, {n_heads}")
        self.n_heads = n_heads
        self.inputs = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        self.even = nn.Parameter(torch.zeros(n_heads, 1, n_waves))
        self.odd = nn.Parameter(torch.zeros(n_heads, 1, n_waves))

    def forward(self, x: Tensor, waves: Tensor, mask: Tensor) -> Tensor:
        """Return (n, n_tokens, dim).

        Parameters
        ----------
        x
            Of shape (n, n_tokens, dim).
        waves
            Float32, of shape (n, n_tokens, 2 * n_waves), of `mass_waves`; zero for tokens without a mass.
        mask
            Bool, of shape (n, n_tokens); tokens that are False are not attended to.
        """
        shape = (*x.shape[:2], 3, self.n_heads, -1)
        query, key, value = self.inputs(x).view(shape).permute(2, 0, 3, 1, 4)
        left, right = self.difference_factors(waves)
        query = torch.cat([query * query.shape[-1] ** -0.5, left.to(query.dtype)], dim=-1)
        key = torch.cat([key, right.to(key.dtype)], dim=-1)
        # The kernels that hold no table of all pairs want values as long as keys.
        padded = functional.pad(value, (0, key.shape[-1] - value.shape[-1]))
        attended = functional.scaled_dot_product_attention(
            query, key, padded, attn_mask=mask[:, None, None, :], scale=1.0
        )
        result: Tensor = self.output(attended[..., : value.shape[-1]].transpose(1, 2).flatten(2))
        return result

    def difference_factors(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two factors, each (n, n_heads, n_tokens, 2 * n_waves), whose dot products are the biases B."""
        sine, cosine = waves[:, None].chunk(2, dim=-1)
        left = torch.cat([self.even * cosine + self.odd * sine, self.even * sine - self.odd * cosine], dim=-1)
        right = torch.cat([cosine, sine], dim=-1).expand_as(left)
        return left, right


class MassTransformerLayer(nn.Module):
    """One layer: attention, then a feed-forward part, each on normalised input and added to it.

    Parameters
    ----------
    dim, n_heads, n_waves
        Of the attention.
    dropout
        Share of what each part adds that is left out in training.

    Notes
    -----
    y = x + D(attention(LN(x))), z = y + D(W_2 gelu(W_1 LN(y) + b_1) + b_2), the inner layer four times as long
    (pre-norm: Xiong et al., doi:10.48550/arXiv.2002.04745).
    """

    def __init__(self, *, dim: int, n_heads: int, n_waves: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = MassDifferenceAttention(dim=dim, n_heads=n_heads, n_waves=n_waves)
        self.forward_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, waves: Tensor, mask: Tensor) -> Tensor:
        """Return (n, n_tokens, dim) of the arguments of `MassDifferenceAttention`."""
        x = x + self.dropout(self.attention(self.attention_norm(x), waves, mask))
        result: Tensor = x + self.dropout(self.feed_forward(self.forward_norm(x)))
        return result
