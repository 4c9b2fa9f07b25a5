"""The towers: what turns spectra and structures into vectors of one space. Here torch starts.

A tower is a plain class. It owns its featurisation and its cleaning, and says by ``settings()`` what it was built with;
`build_encoder` builds it again.
"""

from __future__ import annotations

from diptych.encoders.output import EncoderOutput
from diptych.encoders.registry import SPECTRUM_ENCODERS, STRUCTURE_ENCODERS, build_encoder

__all__ = ["SPECTRUM_ENCODERS", "STRUCTURE_ENCODERS", "EncoderOutput", "build_encoder"]
