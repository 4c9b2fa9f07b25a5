"""The dense part of both towers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ResidualMLP(nn.Module):
    """One residual layer between normalised, activated inputs and a linear output.

    Parameters
    ----------
    hidden_dim
        Length of the input.
    output_dim
        Length of the output.
    dropout
        Share of hidden units left out in training.

    Notes
    -----
    h = D(gelu(LN(x))), h' = h + D(gelu(LN(W_1 h + b_1))), y = W_2 h' + b_2, with D dropout. Residual
    layers: He et al., doi:10.48550/arXiv.1512.03385; LN: Ba et al., doi:10.48550/arXiv.1607.06450; gelu: Hendrycks and
    Gimpel, doi:10.48550/arXiv.1606.08415.
    """

    def __init__(self, *, hidden_dim: int, output_dim: int, dropout: float) -> None:
        super().__init__()
        self.input_norm = nn.LayerNorm(hidden_dim)
        self.hidden = nn.Linear(hidden_dim, hidden_dim)
        self.hidden_norm = nn.LayerNorm(hidden_dim)
        self.output = nn.Linear(hidden_dim, output_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, output_dim) of (n, hidden_dim)."""
        h = self.dropout(functional.gelu(self.input_norm(x)))
        h = h + self.dropout(functional.gelu(self.hidden_norm(self.hidden(h))))
        result: Tensor = self.output(h)
        return result
