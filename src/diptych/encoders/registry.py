"""Names of the towers, as configurations write them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from diptych.encoders.binned_cnn import ConvolutionalSpectrumEncoder
from diptych.encoders.binned_jestr import JestrSpectrumEncoder
from diptych.encoders.binned_spectrum import BinnedSpectrumEncoder
from diptych.encoders.fingerprint_structure import FingerprintEncoder
from diptych.encoders.formula_transformer import FormulaTransformerEncoder
from diptych.encoders.graph_structure import (
    GraphAttentionEncoder,
    GraphIsomorphismEncoder,
    GraphSageEncoder,
    JestrStructureEncoder,
)
from diptych.encoders.language_model import LanguageModelEncoder
from diptych.encoders.multi_scale import MultiScaleSpectrumEncoder
from diptych.encoders.peak_graph import PeakGraphEncoder
from diptych.encoders.peak_transformer import PeakTransformerEncoder
from diptych.encoders.smiles_structure import SmilesTransformerEncoder
from diptych.errors import ConfigError

SPECTRUM_ENCODERS: dict[str, type[nn.Module]] = {
    "binned-mlp": BinnedSpectrumEncoder,
    "binned-jestr": JestrSpectrumEncoder,
    "binned-cnn": ConvolutionalSpectrumEncoder,
    "peak-transformer": PeakTransformerEncoder,
    "formula-transformer": FormulaTransformerEncoder,
    "peak-graph": PeakGraphEncoder,
    "multi-scale": MultiScaleSpectrumEncoder,
}
STRUCTURE_ENCODERS: dict[str, type[nn.Module]] = {
    "fingerprint-mlp": FingerprintEncoder,
    "gcn": JestrStructureEncoder,
    "gin": GraphIsomorphismEncoder,
    "gat": GraphAttentionEncoder,
    "graphsage": GraphSageEncoder,
    "smiles-transformer": SmilesTransformerEncoder,
    "language-model": LanguageModelEncoder,
}


def build_encoder(
    encoders: Mapping[str, type[nn.Module]],
    config: Mapping[str, Any],
    **fixed: Any,  # noqa: ANN401 - the tower's own
) -> nn.Module:
    """Return the tower that ``config`` describes: its ``name`` and the tower's own options.

    Raises
    ------
    ConfigError
        The name or an option is unknown, or an option has an impossible value.
    """
    options = dict(config)
    name = options.pop("name", next(iter(encoders)))
    if name not in encoders:
        raise ConfigError(f"unknown tower {name!r}; expected one of {', '.join(encoders)}")
    known = [key for key in inspect.signature(encoders[name]).parameters if key not in fixed]
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(known)}"
            raise ConfigError(f"tower {name!r} has no option {key!r}{hint}")
    try:
        return encoders[name](**options, **fixed)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise ConfigError(f"tower {name!r} cannot be built from {options}: {error}") from error
