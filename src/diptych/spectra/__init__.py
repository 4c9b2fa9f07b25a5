"""What was measured: spectra, their ion species, how they are read, cleaned, judged and written. Needs numpy only.

>>> from diptych.spectra import Adduct
>>> Adduct.parse("[M+H]+").charge
1
"""

from diptych.spectra.adduct import LIKELY_ADDUCTS, Adduct
from diptych.spectra.spectrum import Polarity, Spectrum

__all__ = ["LIKELY_ADDUCTS", "Adduct", "Polarity", "Spectrum"]
