"""Hard negatives: which structures resemble a molecule in formula, mass, fingerprint, spectrum, or to the model."""

from diptych.training.negatives.formula import negatives_by_formula
from diptych.training.negatives.gathering import gather_negatives
from diptych.training.negatives.mass import negatives_by_mass
from diptych.training.negatives.mixture import NegativeMixture, NegativeSource

__all__ = ["NegativeMixture", "NegativeSource", "gather_negatives", "negatives_by_formula", "negatives_by_mass"]
