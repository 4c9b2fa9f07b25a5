"""What is answered for one spectrum or feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.molecules import Structure
    from diptych.spectra import Adduct


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One structure proposed for a spectrum.

    Attributes
    ----------
    rank
        1-based; by score, and where the adduct is only supposed, also by how common it is (`adduct_weight`); equal ones
        stand in the order of the library.
    structure
        As the library holds it.
    adduct
        The ion under which its mass fits the precursor.
    score
        Cosine between spectrum and structure, in [-1, 1].
    probability
        In [0, 1]: how this candidate compares with the others in the mass window under the adducts tried. It says
        nothing if the right structure is not among them; a single candidate has 1.0 whatever its score, which is no
        evidence. None where the model was not calibrated.
    mass_error_ppm
        (measured - theoretical) / theoretical precursor m/z, times 1e6.
    """

    rank: int
    structure: Structure
    adduct: Adduct
    score: float
    probability: float | None
    mass_error_ppm: float


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """The answer to one spectrum, or to the spectra of one feature.

    Attributes
    ----------
    identifiers
        Of the spectra that were answered together; one unless spectra were merged; empty for a record that could not
        be read.
    source
        Name of the file that the spectra came from, its path within a folder; empty where they came from elsewhere.
    feature_id, scans, retention_time
        As the file writes them, empty where it does not.
    precursor_mz
        Th.
    adduct
        As the file states it; None where it does not (then each candidate states its own).
    n_candidates
        Number of structures in the mass window, of which ``candidates`` holds the best. Where it is 1, the
        probability of that one says nothing.
    candidates
        Best first.
    reason
        Why there are no candidates, or what to mind about those that there are, parted by semicolons; a category, then
        after a colon the particulars. Empty for a plain answer.
    """

    identifiers: tuple[str, ...] = ()
    source: str = ""
    feature_id: str = ""
    scans: str = ""
    retention_time: str = ""
    precursor_mz: float | None = None
    adduct: Adduct | None = None
    n_candidates: int = 0
    candidates: tuple[Candidate, ...] = ()
    reason: str = ""

    @property
    def is_annotated(self) -> bool:
        """Whether there is at least one candidate."""
        return bool(self.candidates)

    @property
    def is_unreadable(self) -> bool:
        """Whether it stands for a record of a file that could not be read as a spectrum."""
        return not self.identifiers
