"""What was measured: spectra, their ion species, how they are read, cleaned, judged and written. Needs no chemistry.

>>> from diptych.spectra import Adduct
>>> Adduct.parse("[M+H]+").charge
1
"""

from diptych.spectra.adduct import LIKELY_ADDUCTS, Adduct
from diptych.spectra.cleaning import CleaningSettings, clean
from diptych.spectra.quality import QualitySettings, Rejection, reject_reason
from diptych.spectra.readers import FORMATS, read_spectra
from diptych.spectra.spectrum import Polarity, Spectrum
from diptych.spectra.write import write_mgf

__all__ = [
    "FORMATS",
    "LIKELY_ADDUCTS",
    "Adduct",
    "CleaningSettings",
    "Polarity",
    "QualitySettings",
    "Rejection",
    "Spectrum",
    "clean",
    "read_spectra",
    "reject_reason",
    "write_mgf",
]
