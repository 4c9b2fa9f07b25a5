"""The spectra of a fold and their molecules, read from a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.data.dataset import read_dataset
from diptych.data.folds import read_fold_table
from diptych.errors import DatasetError, reason_of
from diptych.spectra.peak_formulas import with_formula
from diptych.training.ragged import Ragged

if TYPE_CHECKING:
    from diptych.data.dataset import Dataset
    from diptych.molecules.structure import Structure
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.data_config import DataConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """Spectra of known molecules.

    Attributes
    ----------
    dataset
        The spectra; peaks in flat arrays.
    """

    dataset: Dataset

    @cached_property
    def first_blocks(self) -> list[str]:
        """First block of every molecule, in alphabetical order."""
        return sorted({str(block) for block in self.dataset.column("inchikey_first_block")})

    @cached_property
    def spectra_of(self) -> Ragged:
        """For each molecule the rows of its spectra."""
        return Ragged.from_owners(self.dataset.molecules, n_owners=len(self.first_blocks))

    @cached_property
    def spectra(self) -> Sequence[Spectrum]:
        """The spectra, made when first asked for and then kept; their peaks are views of the flat arrays."""
        return _Spectra(self.dataset)

    def without_peaks(self) -> Sequence[Spectrum]:
        """Return the same spectra with their peaks withheld, for the blind twin."""
        none = np.empty(0)
        return [spectrum.with_changes(mz=none, intensity=none.astype(np.float32)) for spectrum in self.spectra]

    def structures(self) -> list[Structure]:
        """Return the structure of each molecule, as its first spectrum has it."""
        return [self.dataset[int(self.spectra_of[molecule][0])].structure for molecule in range(len(self.first_blocks))]

    @property
    def instrument_classes(self) -> NDArray[np.str_]:
        """Instrument class of every spectrum, texts of shape (n,)."""
        return self.dataset.column("instrument_class").astype(str)

    @property
    def licences(self) -> list[str]:
        """Licence of every spectrum, empty where it states none."""
        return [str(licence or "") for licence in self.dataset.column("licence")]


class _Spectra(Sequence["Spectrum"]):
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._made: list[Spectrum | None] = [None] * len(dataset)

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, row: Any) -> Any:  # noqa: ANN401 - a number gives a spectrum; slices are not asked for
        spectrum = self._made[row]
        if spectrum is None:
            example = self._dataset[int(row)]
            spectrum = self._made[row] = with_formula(example.spectrum, example.structure.formula)
        return spectrum


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedDataset:
    """A dataset and the fold of each of its spectra.

    Attributes
    ----------
    dataset
        All spectra of the file.
    folds
        Of shape (n,), texts; empty for a spectrum of no fold.
    source
        Where the folds come from, for messages.
    """

    dataset: Dataset
    folds: NDArray[np.str_]
    source: str

    def fold(self, *names: str, licences: Sequence[str] = (), exclude: Sequence[str] = ()) -> Corpus:
        """Return the spectra of some folds.

        Parameters
        ----------
        names
            Of the folds.
        licences
            The only licences wanted; empty for all.
        exclude
            First blocks to leave out.

        Raises
        ------
        DatasetError
            A fold does not exist, or nothing is left of them.
        """
        known = sorted(set(self.folds.tolist()) - {""})
        for name in names:
            if name not in known:
                raise DatasetError(
                    f"{self.source}: no spectrum in fold {name!r}; the folds are {', '.join(known) or 'none'}"
                )
        keep = np.isin(self.folds, names)
        if licences:
            keep &= np.isin(self.dataset.column("licence").astype(str), list(licences))
        keep &= ~np.isin(self.dataset.column("inchikey_first_block").astype(str), list(exclude))
        if not keep.any():
            raise DatasetError(
                f"{self.source}: no spectrum of fold {', '.join(names)} is left after data.licences and data.exclude"
            )
        return Corpus(dataset=self.dataset.take(keep))


def read_folded_dataset(config: DataConfig) -> FoldedDataset:
    """Return the dataset of a configuration with the fold of each spectrum.

    Raises
    ------
    DatasetError
        The dataset, the column or the fold table is missing, or both or neither source of folds are given.
    """
    if not config.dataset:
        raise DatasetError("data.dataset is not given; expected a Parquet file of 'diptych dataset build'")
    if bool(config.folds) == bool(config.fold_column):
        raise DatasetError("give one of data.folds (a table) and data.fold_column (a column of the dataset)")
    dataset = read_dataset(Path(config.dataset))
    if config.fold_column:
        folds = np.array([str(fold or "") for fold in dataset.column(config.fold_column)])
        return FoldedDataset(dataset=dataset, folds=folds, source=f"{config.dataset}, column {config.fold_column}")
    folds = np.array(read_fold_table(Path(config.folds), dataset.column("identifier")))
    return FoldedDataset(dataset=dataset, folds=folds, source=config.folds)


def read_first_blocks(path: str) -> list[str]:
    """Return the first blocks of a text file, one a line; an empty path gives none.

    Raises
    ------
    DatasetError
        The file cannot be read.
    """
    if not path:
        return []
    try:
        return Path(path).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason_of(error)}; expected one first block a line") from error
