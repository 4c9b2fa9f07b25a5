"""Names of the towers, as configurations write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from diptych.encoders.language_model.tower import LanguageModelEncoder
from diptych.encoders.options import built
from diptych.encoders.spectra.binned_cnn import ConvolutionalSpectrumEncoder
from diptych.encoders.spectra.binned_jestr import JestrSpectrumEncoder
from diptych.encoders.spectra.binned_spectrum import BinnedSpectrumEncoder
from diptych.encoders.spectra.formula_transformer import FormulaTransformerEncoder
from diptych.encoders.spectra.multi_scale import MultiScaleSpectrumEncoder
from diptych.encoders.spectra.peak_graph import PeakGraphEncoder
from diptych.encoders.spectra.peak_transformer import PeakTransformerEncoder
from diptych.encoders.structures.fingerprint_structure import FingerprintEncoder
from diptych.encoders.structures.graph_structure import (
    GraphAttentionEncoder,
    GraphIsomorphismEncoder,
    GraphSageEncoder,
    JestrStructureEncoder,
)
from diptych.encoders.structures.smiles_structure import SmilesTransformerEncoder
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
    *,
    section: str = "",
    **fixed: Any,  # noqa: ANN401 - the tower's own
) -> nn.Module:
    """Return the tower that ``config`` describes: its ``name`` and the tower's own options.

    Parameters
    ----------
    encoders
        The towers to choose from.
    config
        What the section of a configuration says; without a name, the first tower.
    section
        Where it stands, as ``model.spectrum``; empty where it is not known.
    fixed
        What the tower is given beside its options.

    Raises
    ------
    ConfigError
        The name or an option is unknown, or an option has a wrong type or an impossible value.
    """
    options = dict(config)
    name = options.pop("name", next(iter(encoders)))
    where = f"{section}: " if section else ""
    if not isinstance(name, str) or name not in encoders:
        raise ConfigError(f"{where}unknown tower {name!r}; expected one of {', '.join(encoders)}")
    place = f"{section}." if section else f"tower {name!r}: "
    return built(encoders[name], options, owner=f"{where}tower {name!r}", place=place, fixed=fixed)
