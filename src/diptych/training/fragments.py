"""The fragments of a run's structures, and the pairs of spectra and structures that a batch scores by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diptych.training.structures import describe_structures

if TYPE_CHECKING:
    from diptych.encoders.pairs.fragment_interaction import FragmentInteraction
    from diptych.encoders.pairs.fragment_matches import FragmentPairs
    from diptych.molecules.fragment_graphs import FragmentGraphs
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.preparation import Prepared
    from diptych.training.sampling import BatchPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class FragmentSource:
    """Makes the pairs of a batch: each spectrum with its own molecule, then with each of that molecule's negatives.

    Attributes
    ----------
    graphs
        Fragments of all structures of the run's table.
    interaction
        What scores the pairs.
    """

    graphs: FragmentGraphs
    interaction: FragmentInteraction

    def pairs(self, spectra: Sequence[Spectrum], plan: BatchPlan) -> FragmentPairs:
        """Return the pairs of a planned batch; the first len(spectra) of them are the right ones."""
        of_negative, negative = np.nonzero(plan.molecule[:, None] == plan.owner[None, :])
        rows = np.concatenate([plan.molecules[plan.molecule], plan.negatives[negative]])
        spectrum = np.concatenate([np.arange(len(spectra)), of_negative])
        return self.interaction.collate(spectra, self.graphs.take(rows), spectrum=spectrum)


def fragment_source(graphs: FragmentGraphs | None, interaction: FragmentInteraction | None) -> FragmentSource | None:
    """Return what makes the pairs of a batch; None where the model does not score by fragments."""
    if graphs is None or interaction is None:
        return None
    return FragmentSource(graphs=graphs, interaction=interaction)


def with_fragments(
    prepared: Prepared,
    interaction: FragmentInteraction | None,
    *,
    cache: Path | None,
    report: Callable[[str], None],
) -> Prepared:
    """Return the data of a run with the fragments of all its structures, where the model scores by them.

    Parameters
    ----------
    prepared
        The data.
    interaction
        Of the model; None leaves the data as they are.
    cache
        Folder in which fragments are looked for, and kept; None for none.
    report
        Called with a line about what is done.

    Raises
    ------
    OutputError
        The cache cannot be written.
    """
    if interaction is None:
        return prepared
    report(f"breaking {len(prepared.table.structures):,} structures into fragments")
    graphs = describe_structures(prepared.table.structures, interaction.featuriser, cache=cache).features
    validation = prepared.validation
    if validation is not None:
        candidates = {s.inchikey_first_block: s for query in validation.queries for s in query.candidates.structures}
        table = describe_structures(list(candidates.values()), interaction.featuriser, cache=cache)
        validation = replace(validation, fragments=table)
    return replace(prepared, graphs=graphs, validation=validation)
