"""What a run is told of its data: where it comes from, how batches are drawn, how spectra are varied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diptych.errors import ConfigError
from diptych.training.sections import setting

_SPECTRUM_SWITCHES = (
    "replicate_merging_probability",
    "crop_probability",
    "resolution_probability",
    "precursor_removal_probability",
    "peak_dropout",
    "mz_jitter",
    "intensity_power",
    "intensity_noise",
    "noise_peaks",
)
NEGATIVE_KINDS = ("formula", "mass", "fingerprint", "spectral", "mined")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where spectra and structures come from; paths are relative to the working folder.

    Attributes
    ----------
    dataset
        Parquet file of ``diptych dataset build``.
    fold_column
        Column of the dataset that holds the fold of each spectrum, as ``diptych dataset split`` adds them.
    folds
        Instead of a column: a TSV file (may be .gz, .xz) with the columns ``accession`` and ``fold``; a spectrum that
        it does not name belongs to no fold.
    train_folds
        The folds to learn from.
    structures
        Table of structures (``inchikey_first_block``, ``smiles``, ``formula``): the source of same-formula negatives,
        and of validation lists where no file gives them. Empty: negatives are training molecules alone.
    licences
        Learn only from records whose licence is one of these; empty: from all.
    exclude
        Text file with one first block a line: molecules to leave out of training.
    cache
        Folder in which standardised, featurised structures are kept for the next run; may be deleted at any time.
        Empty: none are kept.
    workers
        Processes that prepare batches while the model computes; 0 prepares them in the training process.
    unlabelled
        File of spectra whose structures are unknown (or a dataset, whose structures are not looked at): the pool of
        the losses that compare spectra with themselves.
    """

    dataset: str = ""
    fold_column: str = ""
    folds: str = ""
    train_folds: tuple[str, ...] = ("train",)
    structures: str = ""
    licences: tuple[str, ...] = ()
    exclude: str = ""
    cache: str = ""
    workers: int = setting(0, minimum=0)
    unlabelled: str = ""

    @property
    def cache_folder(self) -> Path | None:
        """``cache`` as a path; None for none."""
        return Path(self.cache) if self.cache else None


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How training spectra and structures are varied each time they are drawn; validation never is.

    They are applied in this order. What is 0 is left out, and draws no random number.

    Attributes
    ----------
    replicate_merging_probability
        How often a spectrum is summed with another of the same molecule and adduct.
    crop_probability
        How often the m/z range is cropped.
    crop_low, crop_high
        Largest part of the precursor m/z that a crop takes away at the lower end and at the upper end.
    resolution_probability
        How often peaks are merged as an analyser of lower resolving power would.
    resolving_power
        The lowest, at m/z 200; one is drawn between this and ten times as much.
    precursor_removal_probability
        How often the precursor's peak and its isotopes are removed.
    peak_dropout
        Mean share of peaks left out; for each spectrum a share is drawn between 0 and twice this. The strongest stays.
    mz_jitter
        Mass errors added, in units of the usual error of the instrument class (`diptych.training.augmentation`).
    intensity_power
        Relative intensities are raised to a power drawn between 1 / (1 + this) and 1 + this.
    intensity_noise
        Standard deviation of the natural logarithm of a random factor on each intensity.
    noise_peaks
        Mean number of weak peaks added where none was measured.
    noise_intensity
        Largest intensity of these, relative to the strongest peak.
    random_smiles
        Whether a structure tower that reads SMILES is shown one of its ``n_random_smiles`` random ones.
    structure_atom_mask
        Share of the atoms hidden from a structure tower that reads graphs; formula and fragment masses stay.
    structure_subgraph_drop
        Share of the atoms dropped from such a graph, as one connected part.
    """

    replicate_merging_probability: float = setting(0.0, minimum=0.0, maximum=1.0)
    crop_probability: float = setting(0.0, minimum=0.0, maximum=1.0)
    crop_low: float = setting(0.28, minimum=0.0, maximum=0.9)
    crop_high: float = setting(0.1, minimum=0.0, maximum=0.9)
    resolution_probability: float = setting(0.0, minimum=0.0, maximum=1.0)
    resolving_power: float = setting(5000.0, minimum=100.0)
    precursor_removal_probability: float = setting(0.0, minimum=0.0, maximum=1.0)
    peak_dropout: float = setting(0.0, minimum=0.0, maximum=0.5)
    mz_jitter: float = setting(0.0, minimum=0.0, maximum=5.0)
    intensity_power: float = setting(0.0, minimum=0.0, maximum=4.0)
    intensity_noise: float = setting(0.0, minimum=0.0, maximum=2.0)
    noise_peaks: float = setting(0.0, minimum=0.0, maximum=100.0)
    noise_intensity: float = setting(0.02, minimum=0.001, maximum=0.5)
    random_smiles: bool = True
    structure_atom_mask: float = setting(0.0, minimum=0.0, maximum=0.9)
    structure_subgraph_drop: float = setting(0.0, minimum=0.0, maximum=0.9)

    @property
    def changes_spectra(self) -> bool:
        """Whether any spectrum is ever varied."""
        return any(getattr(self, name) for name in _SPECTRUM_SWITCHES)


@dataclass(frozen=True, kw_only=True)
class NegativesConfig:
    """Hard negatives: structures that resemble the target.

    Attributes
    ----------
    per_molecule
        How many are drawn for each molecule and epoch; 0 trains with the batch alone.
    kinds
        What resembling means, any of: ``"formula"``, other structures of the same formula; ``"mass"``, of nearly the
        same exact mass; ``"fingerprint"``, the most similar by Tanimoto among those two; ``"spectral"``, training
        molecules whose spectra are most similar; ``"mined"``, those that the model itself ranks highest among the
        structures of one formula or mass.
    shares
        One number per kind: its part of the negatives. Empty: the same for all.
    fill
        What is done where fewer structures have the formula: ``"mass"`` takes those nearest in exact mass, ``"none"``
        goes with fewer.
    pool
        At most so many structures are kept of one formula, drawn by the seed; also of one mass.
    nearest
        How many structures ``"fingerprint"``, ``"spectral"`` and ``"mined"`` keep for each molecule, and how many near
        its mass ``"mass"`` reads from ``data.structures``.
    window_ppm
        Largest difference of exact mass for ``"mass"``.
    precursor_window_da
        Spectra are compared for ``"spectral"`` if their precursors differ by at most this, Th.
    sharpness
        How much more often similar structures of a list are drawn, exp(sharpness * similarity); 0 draws all alike.
    start_share, end_share
        Share of ``per_molecule`` that is drawn in the first epoch and in the last; linear in between.
    from_share
        Share of the epochs that pass before any negative is drawn, for a loss term that starts late.
    easy
        What takes the places that are left: ``"random"`` structures of all, or ``"none"``.
    refresh_every
        Epochs after which ``"mined"`` negatives are mined anew.
    withhold
        Candidate files (JSON) none of whose structures, unless trained on, may be a negative, so that at test time
        neither targets nor decoys have been seen.
    """

    per_molecule: int = setting(8, minimum=0)
    kinds: tuple[str, ...] = ("formula",)
    shares: tuple[float, ...] = ()
    fill: Literal["mass", "none"] = "mass"
    pool: int = setting(256, minimum=1)
    nearest: int = setting(32, minimum=1)
    window_ppm: float = setting(10.0, minimum=0.0)
    precursor_window_da: float = setting(0.5, minimum=0.0)
    sharpness: float = setting(0.0, minimum=0.0)
    start_share: float = setting(1.0, minimum=0.0, maximum=1.0)
    end_share: float = setting(1.0, minimum=0.0, maximum=1.0)
    from_share: float = setting(0.0, minimum=0.0, maximum=1.0)
    easy: Literal["none", "random"] = "none"
    refresh_every: int = setting(5, minimum=1)
    withhold: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in NEGATIVE_KINDS]
        if unknown:
            raise ConfigError(
                f"negatives.kinds: unknown kind {unknown[0]!r}; expected any of {', '.join(NEGATIVE_KINDS)}"
            )
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ConfigError(f"negatives.kinds must name one or more kinds, each once, got {list(self.kinds)}")
        if self.shares and (len(self.shares) != len(self.kinds) or not min(self.shares) > 0):
            raise ConfigError(
                f"negatives.shares must be one number above 0 for each of the {len(self.kinds)} kinds, "
                f"got {list(self.shares)}"
            )


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """What an epoch is made of: every molecule once, with some of its spectra.

    Attributes
    ----------
    spectra_per_molecule
        Spectra drawn of each molecule and epoch; a molecule that has fewer gives some of them twice.
    batches
        Which molecules stand in one batch: ``"random"`` ones, those of one ``"formula"`` together, or neighbours in
        exact ``"mass"``.
    balance
        ``"instrument"`` draws a spectrum with a probability that falls with the number of training spectra of its
        instrument class; ``"none"`` draws all spectra of a molecule alike.
    unlabelled
        Spectra of ``data.unlabelled`` in each batch.
    """

    spectra_per_molecule: int = setting(1, minimum=1)
    batches: Literal["random", "formula", "mass"] = "random"
    balance: Literal["none", "instrument"] = "none"
    unlabelled: int = setting(0, minimum=0)
