"""Instruments sorted by the kind of their last mass analyser, which decides the accuracy of the peaks."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache


class InstrumentClass(StrEnum):
    """Kind of the analyser that recorded the fragments."""

    FOURIER_TRANSFORM = "FT"
    TIME_OF_FLIGHT = "TOF"
    ION_TRAP = "ion trap"
    QUADRUPOLE = "quadrupole"
    OTHER = "other"

    @property
    def is_high_resolution(self) -> bool:
        """Whether fragment masses are good to some parts per million."""
        return self in {InstrumentClass.FOURIER_TRANSFORM, InstrumentClass.TIME_OF_FLIGHT}


# In this order: an ion trap in front of a TOF (ITTOF) or of an Orbitrap (ITFT) is named after what follows it.
_WORDS = (
    (InstrumentClass.TIME_OF_FLIGHT, r"TOF\b|TIME.OF.FLIGHT|MAXIS|\bIMPACT\b|TRIPLE ?TOF|\bQ-?TOF|SYNAPT|TIMSTOF"),
    (InstrumentClass.FOURIER_TRANSFORM, r"FT\b|FTMS|ORBITRAP|EXACTIVE|FOURIER|FT-?ICR"),
    (InstrumentClass.ION_TRAP, r"\b(?:LC-|ESI-|APCI-)*Q?L?IT\b|ION.TRAP|\bTRAP\b|\bLTQ\b"),
    (InstrumentClass.QUADRUPOLE, r"\bQ{1,3}\b|QQQ|TRIPLE.QUAD|QUADRUPOLE|\bTQ"),
)


@lru_cache(maxsize=4096)
def instrument_class(instrument_type: str | None, instrument: str | None = None) -> InstrumentClass:
    """Return the class of an instrument from what a record says of it.

    Parameters
    ----------
    instrument_type
        MassBank's short form ("LC-ESI-QTOF"), or free text.
    instrument
        The model; looked at only where the type says nothing.

    Examples
    --------
    >>> instrument_class("LC-ESI-ITFT").value, instrument_class("LC-ESI-ITTOF").value
    ('FT', 'TOF')
    >>> instrument_class("N/A", "Q Exactive Plus Orbitrap").value
    'FT'
    """
    for text in (instrument_type or "", instrument or ""):
        for kind, pattern in _WORDS:
            if re.search(pattern, text.upper()):
                return kind
    return InstrumentClass.OTHER
