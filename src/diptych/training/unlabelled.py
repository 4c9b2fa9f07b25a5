"""The pool of spectra whose molecules are unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diptych.data.dataset import read_dataset
from diptych.errors import ConfigError, DatasetError, ReadError
from diptych.spectra.readers import read_spectra

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.config import RunConfig


def read_unlabelled(config: RunConfig, *, report: Callable[[str], None]) -> Sequence[Spectrum]:
    """Return the spectra of ``data.unlabelled`` that have peaks; none where ``sampling.unlabelled`` is 0.

    Parameters
    ----------
    config
        Sections ``data`` and ``sampling`` are used.
    report
        Called with a line about what was read and what was left out.

    Raises
    ------
    ConfigError
        Unlabelled spectra are to be drawn, but ``data.unlabelled`` is not given.
    DatasetError
        A dataset is missing or damaged, or there are fewer spectra than one batch takes.
    ReadError
        A file of spectra is missing, or of no known format.
    """
    wanted = config.sampling.unlabelled
    if not wanted:
        return []
    if not config.data.unlabelled:
        raise ConfigError(
            f"sampling.unlabelled is {wanted}, but data.unlabelled names no file; expected spectra or a dataset"
        )
    path = Path(config.data.unlabelled)
    problems: list[ReadError] = []
    spectra = list(_read(path, problems))
    usable = [spectrum for spectrum in spectra if spectrum.n_peaks]
    report(
        f"{len(usable):,} spectra without structures ({len(spectra) - len(usable):,} more have no peaks, "
        f"{len(problems):,} cannot be read)"
    )
    if len(usable) < wanted:
        raise DatasetError(
            f"{path}: {len(usable)} spectra with peaks; expected at least sampling.unlabelled = {wanted}"
        )
    return usable


def _read(path: Path, problems: list[ReadError]) -> Iterator[Spectrum]:
    if path.suffix == ".parquet":
        return (example.spectrum for example in read_dataset(path))
    return read_spectra(path, on_problem=problems.append)
