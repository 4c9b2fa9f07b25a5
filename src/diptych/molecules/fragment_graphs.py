"""Fragments of molecules with the bonds that have to break for them: what a scorer of peaks by fragments is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from diptych.molecules.atom_environments import RADIUS, atom_environments
from diptych.molecules.cuts import WORDS, CutFragments, fragments_and_cuts
from diptych.molecules.fragmentation import CUT_COST, molecular_graph

# Atoms of a cut: kept and lost end of its first bond, kept and lost end of its second.
N_ENDS = 4
_MAX_ATOMS = 64 * WORDS
_SAME_MASS_DECIMALS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class FragmentGraphs:
    """Fragments of some molecules, laid end to end, by ascending mass within each molecule.

    Attributes
    ----------
    fragment_offsets
        int64, of shape (n + 1,): molecule i has the fragments ``fragment_offsets[i]:fragment_offsets[i + 1]``.
    mass
        Float32, of shape (n_fragments,), Da, neutral, with the hydrogens that the atoms carry in the molecule.
    kind
        int8, of shape (n_fragments,): no cut, one cut, two cuts, and of what bonds (`diptych.molecules.fragmentation`).
    n_ways
        int8, of shape (n_fragments,): how many fragments have this mass, 127 at most; the cheapest is described.
    first, second
        int32, of shape (n_fragments,): the cuts around the fragment, counted within the molecule; -1 for none.
    cut_offsets
        int64, of shape (n + 1,).
    cut_kind
        int8, of shape (n_cuts,).
    cut_share
        Float32, of shape (n_cuts,): share of the molecule's mass on the side that is kept.
    cut_ends
        int16, of shape (n_cuts, N_ENDS, RADIUS + 1): environments of the atoms on the kept and on the lost side of each
        bond; -1 for the second bond where only one is cut.
    """

    fragment_offsets: NDArray[np.int64]
    mass: NDArray[np.float32]
    kind: NDArray[np.int8]
    n_ways: NDArray[np.int8]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    cut_offsets: NDArray[np.int64]
    cut_kind: NDArray[np.int8]
    cut_share: NDArray[np.float32]
    cut_ends: NDArray[np.int16]

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.fragment_offsets) - 1

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given molecules, in the given order."""
        fragments, fragment_offsets = _taken(self.fragment_offsets, rows)
        cuts, cut_offsets = _taken(self.cut_offsets, rows)
        return type(self)(
            fragment_offsets=fragment_offsets,
            **{name: getattr(self, name)[fragments] for name in _PER_FRAGMENT},
            cut_offsets=cut_offsets,
            **{name: getattr(self, name)[cuts] for name in _PER_CUT},
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the molecules of all parts, one after the other."""
        return cls(
            fragment_offsets=_joined_offsets([part.fragment_offsets for part in parts]),
            cut_offsets=_joined_offsets([part.cut_offsets for part in parts]),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in (*_PER_FRAGMENT, *_PER_CUT)},
        )


_PER_FRAGMENT = ("mass", "kind", "n_ways", "first", "second")
_PER_CUT = ("cut_kind", "cut_share", "cut_ends")


@dataclass(frozen=True, kw_only=True)
class FragmentGraphFeaturiser:
    """The fragments of at most two cuts of each molecule, with what surrounds the cut bonds.

    Attributes
    ----------
    width
        Numbers that atom environments are hashed to.
    min_mass
        Da; smaller fragments are left out.
    max_fragments
        Of one molecule, the cheapest; a cage has very many.

    Notes
    -----
    Molecules of more than 256 heavy atoms have no fragments but themselves.
    """

    width: int = 4096
    min_mass: float = 25.0
    max_fragments: int = 4096

    def __call__(self, mols: Sequence[Chem.Mol]) -> FragmentGraphs:
        """Return one row per molecule."""
        return FragmentGraphs.concatenate([self._none(), *(self._row(mol) for mol in mols)])

    def to_dict(self) -> dict[str, Any]:
        """Return the settings."""
        return asdict(self)

    def _row(self, mol: Chem.Mol) -> FragmentGraphs:
        graph = molecular_graph(mol)
        if len(graph.atom_mass) > _MAX_ATOMS:
            return self._whole(graph.atom_mass.sum())
        found = fragments_and_cuts(*graph, CUT_COST)
        chosen, n_ways = self._chosen(found)
        cuts = np.unique(np.concatenate([found.first[chosen], found.second[chosen], [-1]]))
        position = {int(cut): number - 1 for number, cut in enumerate(cuts)}
        cuts = cuts[1:]
        across = cuts % 2 == 1
        total = graph.atom_mass.sum()
        ends = found.cut_ends[cuts // 2]
        ends[across] = ends[across][:, [1, 0, 3, 2]]
        environments = np.vstack([atom_environments(mol, width=self.width), np.full((1, RADIUS + 1), -1, np.int16)])
        kept = found.cut_mass[cuts // 2]
        return FragmentGraphs(
            fragment_offsets=np.array([0, len(chosen)]),
            mass=found.mass[chosen].astype(np.float32),
            kind=found.kind[chosen].astype(np.int8),
            n_ways=n_ways,
            first=np.array([position[cut] for cut in found.first[chosen].tolist()], dtype=np.int32),
            second=np.array([position[cut] for cut in found.second[chosen].tolist()], dtype=np.int32),
            cut_offsets=np.array([0, len(cuts)]),
            cut_kind=found.cut_kind[cuts // 2].astype(np.int8),
            cut_share=(np.where(across, total - kept, kept) / total).astype(np.float32),
            cut_ends=environments[ends],
        )

    def _chosen(self, found: CutFragments) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Return the cheapest fragment of each mass, by ascending mass, and how many there are of it."""
        heavy = np.flatnonzero(found.mass >= self.min_mass)
        key = np.rint(found.mass[heavy] * 10**_SAME_MASS_DECIMALS).astype(np.int64)
        order = np.lexsort((found.cost[heavy], key))
        _, start, count = np.unique(key[order], return_index=True, return_counts=True)
        chosen = heavy[order[start]]
        cheap = np.sort(np.argsort(found.cost[chosen], kind="stable")[: self.max_fragments])
        return chosen[cheap], np.minimum(count[cheap], 127).astype(np.int8)

    def _none(self) -> FragmentGraphs:
        """Return the features of no molecule."""
        return FragmentGraphs(
            fragment_offsets=np.zeros(1, np.int64),
            mass=np.empty(0, np.float32),
            kind=np.empty(0, np.int8),
            n_ways=np.empty(0, np.int8),
            first=np.empty(0, np.int32),
            second=np.empty(0, np.int32),
            cut_offsets=np.zeros(1, np.int64),
            cut_kind=np.empty(0, np.int8),
            cut_share=np.empty(0, np.float32),
            cut_ends=np.empty((0, N_ENDS, RADIUS + 1), np.int16),
        )

    def _whole(self, mass: float) -> FragmentGraphs:
        """Return the features of a molecule that is not taken apart."""
        return replace(
            self._none(),
            fragment_offsets=np.array([0, 1]),
            mass=np.array([mass], np.float32),
            kind=np.zeros(1, np.int8),
            n_ways=np.ones(1, np.int8),
            first=np.full(1, -1, np.int32),
            second=np.full(1, -1, np.int32),
            cut_offsets=np.zeros(2, np.int64),
        )


def _taken(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries of some rows, and where each row starts among them."""
    starts = offsets[rows]
    lengths = offsets[np.asarray(rows) + 1] - starts
    new = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return np.arange(new[-1]) + np.repeat(starts - new[:-1], lengths), new


def _joined_offsets(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    lengths = [np.diff(part) for part in parts]
    return np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
