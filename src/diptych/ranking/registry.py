"""The rankers that have a name on the command line, and what they need to be made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from diptych.errors import EvaluationError

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.ranking.neighbours import NearestNeighbourRanker
    from diptych.ranking.predicted_fingerprints import FingerprintPredictor, Similarity
    from diptych.ranking.ranking import Ranker
    from diptych.ranking.spectrum_scorers import SpectrumScorer
    from diptych.spectra.spectrum import Spectrum

_MANY = 20  # neighbours, of which fewer may vote


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What rankers may learn from.

    Attributes
    ----------
    spectra, structures
        The training fold: one structure per spectrum.
    others
        Structures of a library that were not measured; needed by the molecule prior alone.
    seed
        Of whatever is drawn.
    """

    spectra: Sequence[Spectrum] = ()
    structures: Sequence[Structure] = ()
    others: Sequence[Structure] = ()
    seed: int = 0

    @cached_property
    def fingerprints(self) -> FingerprintPredictor:
        """The fingerprint predictor, trained once for all rankers that ask it."""
        from diptych.ranking.peak_network import NetworkSettings
        from diptych.ranking.predicted_fingerprints import FingerprintPredictor

        return FingerprintPredictor(self.spectra, self.structures, settings=NetworkSettings(seed=self.seed))

    def neighbours(self, scorer: Callable[[], SpectrumScorer] | None) -> NearestNeighbourRanker:
        """Return the search for the twenty nearest molecules by a measure of likeness; one for all rankers that ask."""
        if scorer not in self._searches:
            self._searches[scorer] = self.neighbours_by(scorer() if scorer else None)
        return self._searches[scorer]

    def neighbours_by(self, scorer: SpectrumScorer | None) -> NearestNeighbourRanker:
        """Return a search for the twenty nearest molecules by any measure of likeness; None for binned spectra.

        Raises
        ------
        EvaluationError
            There is no training fold.
        """
        from diptych.ranking.neighbours import NearestNeighbourRanker

        if not self.structures:
            name = "nearest" if scorer is None else scorer.name
            raise EvaluationError(
                f"neighbours of {name!r} are of a training fold; expected its spectra: --dataset FILE"
            )
        return NearestNeighbourRanker(self.spectra, self.structures, n_neighbours=_MANY, scorer=scorer)

    @cached_property
    def _searches(self) -> dict[Callable[[], SpectrumScorer] | None, NearestNeighbourRanker]:
        return {}


def _random(training: Training) -> Ranker:
    from diptych.ranking.controls import RandomRanker

    return RandomRanker(training.seed)


def _precursor(_: Training) -> Ranker:
    from diptych.ranking.controls import PrecursorRanker

    return PrecursorRanker()


def _formula(_: Training) -> Ranker:
    from diptych.ranking.controls import FormulaRanker

    return FormulaRanker()


def _prior(training: Training) -> Ranker:
    from diptych.ranking.molecule_prior import MoleculePriorRanker

    return MoleculePriorRanker(training.structures, training.others)


def _nearest_molecule(training: Training) -> Ranker:
    from diptych.ranking.molecule_prior import NearestMoleculeRanker

    return NearestMoleculeRanker(training.structures)


def _neighbours(n_neighbours: int, scorer: Callable[[], SpectrumScorer] | None = None) -> Callable[[Training], Ranker]:
    def build(training: Training) -> Ranker:
        return training.neighbours(scorer).of_fewer(n_neighbours)

    return build


def _modified_cosine() -> SpectrumScorer:
    from diptych.ranking.modified_cosine import ModifiedCosineScorer

    return ModifiedCosineScorer()


def _spectral_entropy() -> SpectrumScorer:
    from diptych.ranking.peak_matching import SpectralEntropyScorer

    return SpectralEntropyScorer()


def _fingerprint(similarity: Similarity) -> Callable[[Training], Ranker]:
    def build(training: Training) -> Ranker:
        from diptych.ranking.predicted_fingerprints import FingerprintRanker

        return FingerprintRanker(training.fingerprints, similarity=similarity)

    return build


def _classifier(training: Training) -> Ranker:
    from diptych.ranking.peak_network import NetworkSettings
    from diptych.ranking.predicted_fingerprints import ClassifierRanker

    settings = NetworkSettings(n_hidden=256, seed=training.seed)
    return ClassifierRanker(training.spectra, training.structures, settings=settings)


def _bond_disconnection(_: Training) -> Ranker:
    from diptych.ranking.bond_disconnection import BondDisconnectionRanker

    return BondDisconnectionRanker()


RANKERS: dict[str, Callable[[Training], Ranker]] = {
    "random": _random,
    "precursor_mass": _precursor,
    "formula_only": _formula,
    "molecule_prior": _prior,
    "nearest_molecule": _nearest_molecule,
    "nearest_neighbour": _neighbours(1),
    "nearest_neighbours_20": _neighbours(_MANY),
    "modified_cosine_neighbour": _neighbours(1, _modified_cosine),
    "modified_cosine_neighbours_20": _neighbours(_MANY, _modified_cosine),
    "spectral_entropy_neighbour": _neighbours(1, _spectral_entropy),
    "spectral_entropy_neighbours_20": _neighbours(_MANY, _spectral_entropy),
    "fingerprint_cosine": _fingerprint("cosine"),
    "fingerprint_tanimoto": _fingerprint("tanimoto"),
    "fingerprint_likelihood": _fingerprint("likelihood"),
    "spectrum_classifier": _classifier,
    "bond_disconnection": _bond_disconnection,
}
"""Name -> how to make the ranker from a training fold."""

UNTRAINED = frozenset({"random", "precursor_mass", "formula_only", "bond_disconnection"})
"""Those that need no training fold."""


_FUSION, _RANK_FUSION = "+", "rank:"


def make_ranker(name: str, training: Training) -> Ranker:
    """Return a ranker by name, or the fusion of several (see `make_rankers`).

    Raises
    ------
    EvaluationError
        There is no such ranker, or it needs a training fold and there is none.
    """
    return make_rankers([name], training)[0]


def make_rankers(
    names: Sequence[str], training: Training, *, beside: Mapping[str, Ranker] | None = None
) -> list[Ranker]:
    """Return rankers by name; what several of them are made of is asked once.

    Parameters
    ----------
    names
        Of `RANKERS`, or several of them joined by "+" for the mean of their z-scores (`FusionRanker`), with "rank:"
        before it for the sum of their reciprocal ranks (`RankFusionRanker`), as "rank:nearest_neighbour+random".
    training
        What they may learn from.
    beside
        Name -> ranker that is asked in any case, and may be fused with those of `RANKERS`: a model, a table of scores.
        What is costly to ask should be a `RememberedRanker`.

    Raises
    ------
    EvaluationError
        There is no such ranker, it needs a training fold and there is none, or a name is of two rankers or, without a
        fusion, of one that stands beside.
    """
    from diptych.ranking.fusion import RememberedRanker

    others = beside or {}
    for name in names:
        if name in others and name not in RANKERS:
            raise EvaluationError(f"ranker {name!r} is asked already; expected it in a fusion, as {name}+random")
    parts_of = {name: parts_of_fusion(name) for name in names}
    n_uses = Counter(part for parts in parts_of.values() for part in parts if part not in others)
    _check_names(parts_of.values(), others)
    made = {part: _made(part, training) for part in n_uses}
    shared = {part: ranker if n_uses[part] == 1 else RememberedRanker(ranker) for part, ranker in made.items()}
    found = {**others, **shared}
    return [_fused(name, [found[part] for part in parts_of[name]]) for name in names]


def parts_of_fusion(name: str) -> list[str]:
    """Return the names of the rankers that a name fuses; itself where it names one.

    Examples
    --------
    >>> parts_of_fusion("rank:model+random"), parts_of_fusion("random")
    (['model', 'random'], ['random'])
    """
    return name.removeprefix(_RANK_FUSION).split(_FUSION)


def _check_names(asked: Iterable[Sequence[str]], others: Mapping[str, Ranker]) -> None:
    for part in (part for parts in asked for part in parts):
        if part in RANKERS and part in others:
            raise EvaluationError(f"two rankers are called {part!r}; expected distinct names")
        if part not in RANKERS and part not in others:
            beside = f", or in a fusion {', '.join(others)}" if others else ""
            raise EvaluationError(f"no ranker {part!r}; expected one of {', '.join(RANKERS)}{beside}")


def _fused(name: str, members: Sequence[Ranker]) -> Ranker:
    from diptych.ranking.fusion import FusionRanker, RankFusionRanker

    if name.startswith(_RANK_FUSION):
        return RankFusionRanker(rankers=tuple(members), name=name)
    return FusionRanker(tuple(members), name=name) if _FUSION in name else members[0]


def _made(name: str, training: Training) -> Ranker:
    if name not in UNTRAINED and not training.structures:
        raise EvaluationError(f"ranker {name!r} learns from a training fold; expected its spectra: --dataset FILE")
    return RANKERS[name](training)
