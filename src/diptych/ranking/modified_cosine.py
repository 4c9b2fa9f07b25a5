"""The modified cosine, by matchms."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.ranking.spectrum_scorers import query_blocks

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True, kw_only=True)
class ModifiedCosineScorer:
    """Scores by the cosine of square-rooted intensities of peaks that match by m/z, or by neutral loss.

    Attributes
    ----------
    tolerance_da
        Largest distance of two peaks, or of two losses, that match.

    Notes
    -----
    Watrous et al. 2012, doi:10.1073/pnas.1203689109, in matchms' indexed form: a peak that matches by m/z does not
    match by loss, too. Peaks weaker than 0.01 % of the most intense one are left out: matchms' cutoff of 1 % is applied
    to the square roots.
    """

    tolerance_da: float = 0.02
    name: str = "modified_cosine"

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield scores in [0, 1], float64; 0 where a spectrum has no peaks. Without a precursor no loss matches."""
        from matchms.similarity import FlashSimilarity

        similarity = FlashSimilarity(score_type="cosine", matching_mode="hybrid", tolerance=self.tolerance_da)
        known = [_for_matchms(spectrum) for spectrum in references]
        for block in query_blocks(len(queries), len(references)):
            asked = [_for_matchms(spectrum) for spectrum in queries[block]]
            # It draws a progress bar that cannot be turned off.
            with redirect_stderr(io.StringIO()):
                yield similarity.matrix(asked, known, n_jobs=1)


def _for_matchms(spectrum: Spectrum) -> Any:  # noqa: ANN401 - a Spectrum of matchms
    from matchms import Spectrum as MatchmsSpectrum

    metadata = {} if spectrum.precursor_mz is None else {"precursor_mz": spectrum.precursor_mz}
    intensity = np.sqrt(spectrum.intensity.astype(np.float64))
    return MatchmsSpectrum(spectrum.mz, intensity, metadata=metadata, metadata_harmonization=False)
