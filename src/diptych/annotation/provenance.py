"""What answers were made with, so that they can be made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from diptych import __version__

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.retrieval import StructureLibrary
    from diptych.spectra import Adduct


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What answers were made with.

    Attributes
    ----------
    model, model_digest, library_digest
        Which model and library; the digests change with their content.
    ppm, top, adducts, merge_by, rerank, prior
        The settings of :func:`diptych.annotate`.
    spectra
        The files that were asked about.
    """

    diptych_version: str
    model: str
    model_digest: str
    library_digest: str
    n_structures: int
    ppm: float
    top: int
    adducts: tuple[str, ...] | None = None
    merge_by: str | None = None
    rerank: int = 0
    prior: float = 1.0
    spectra: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        model: JointEmbedding,
        library: StructureLibrary,
        *,
        ppm: float,
        top: int,
        adducts: Sequence[Adduct] | None = None,
        merge_by: str | None = None,
        rerank: int = 0,
        prior: float = 1.0,
        spectra: Sequence[Path] = (),
    ) -> Self:
        """Return the provenance of answers that a model gives from a library."""
        return cls(
            diptych_version=__version__,
            model=model.name,
            model_digest=model.digest,
            library_digest=library.description.digest,
            n_structures=len(library),
            ppm=ppm,
            top=top,
            adducts=None if adducts is None else tuple(adduct.name for adduct in adducts),
            merge_by=merge_by,
            rerank=rerank,
            prior=prior,
            spectra=tuple(str(path) for path in spectra),
        )
