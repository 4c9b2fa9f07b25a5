"""Pretraining of graph towers: guess the elements of hidden atoms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diptych.encoders.structures.graph_layers import TOWERS
from diptych.encoders.structures.graph_pretrained import DESCRIPTION
from diptych.errors import ConfigError, TrainingError
from diptych.molecules.graphs import GraphFeaturiser, MoleculeGraphs
from diptych.molecules.parallel import standardise_rows
from diptych.molecules.tables import StructureRow
from diptych.training.pretraining.checks import check_learning_rate, naming_what_fills_memory
from diptych.training.pretraining.graph_run import GraphRun
from diptych.training.pretraining.log import logged
from diptych.training.pretraining.structure_rows import read_pretraining_rows


@dataclass(frozen=True, kw_only=True)
class GraphPretraining:
    """What the layers of a graph tower are pretrained with.

    Attributes
    ----------
    tower
        ``"gcn"``, ``"gin"``, ``"gat"`` or ``"graphsage"``.
    hidden_dim, n_layers, n_heads
        As the tower's options; ``gcn`` has JESTR's channels instead, and only ``gat`` has heads.
    dropout
        Of the layers.
    mask_share
        Share of each molecule's atoms hidden, one at least.
    epochs
        Passes over the structures.
    limit
        At most so many structures, drawn by the seed; 0 takes all.
    held_out
        Share of the scaffolds held out.
    batch_size
        Molecules in a batch.
    learning_rate
        Of AdamW, at its highest.
    seed
        Everything random follows from it.

    Notes
    -----
    Atom masking of Hu et al., doi:10.48550/arXiv.1905.12265: -log softmax(W h_i + b)[element of atom i], averaged over
    the atoms i hidden from the layers that make h.
    """

    tower: str = "gin"
    hidden_dim: int = 256
    n_layers: int = 4
    n_heads: int = 4
    dropout: float = 0.1
    mask_share: float = 0.15
    epochs: int = 5
    limit: int = 0
    held_out: float = 0.02
    batch_size: int = 256
    learning_rate: float = 1e-3
    seed: int = 1

    def __post_init__(self) -> None:
        if self.tower not in TOWERS:
            raise ConfigError(f"unknown graph tower {self.tower!r}; expected one of {', '.join(TOWERS)}")
        if not (0 < self.mask_share < 1 and 0 < self.held_out < 1):
            raise ConfigError(
                f"mask-share is {self.mask_share}, held-out {self.held_out}; expected numbers between 0 and 1"
            )
        check_learning_rate(self.learning_rate)
        if self.tower == "gat" and self.hidden_dim % self.n_heads:
            raise ConfigError(f"heads is {self.n_heads}; expected a divisor of hidden-dim, {self.hidden_dim}")


def pretrain_graph(
    structures: Path,
    folder: Path,
    settings: GraphPretraining,
    *,
    exclude: Collection[str] = (),
    resume: bool = False,
    workers: int | None = None,
    report: Callable[[str], None] = lambda _: None,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
) -> dict[str, Any]:
    """Return how well hidden atoms are guessed on held-out scaffolds; the trained layers lie in the folder.

    Parameters
    ----------
    structures
        TSV or CSV with the column ``smiles`` and, where something is excluded, ``inchikey_first_block``.
    folder
        Written: ``tower.json`` and ``weights.safetensors``, which the option ``pretrained`` of the tower takes,
        ``pretrain.log``, and ``checkpoint/`` after each epoch.
    settings
        How it is pretrained.
    exclude
        First blocks of molecules to leave out.
    resume
        Go on with the run in that folder from its last whole epoch.
    workers
        Processes that make graphs; None for one per processor.
    report
        Called with every line that is also written to the log.
    on_step
        Called after each step with its number, the number of all steps, and the loss.

    Raises
    ------
    ConfigError
        The package of the towers is not installed.
    DatasetError
        The structures cannot be read.
    TrainingError
        The folder holds another run, there is nothing to resume, the loss is not finite, or memory is used up.
    OutputError
        The folder cannot be written.
    """
    _check_folder(folder, resume=resume)
    memory = naming_what_fills_memory(batch_size=settings.batch_size, hidden_dim=settings.hidden_dim)
    with logged(folder, report) as say, memory:
        share, seed = settings.held_out, settings.seed
        rows = read_pretraining_rows(
            structures, exclude=exclude, limit=settings.limit, held_out=share, seed=seed, report=say
        )
        say(f"{len(rows.train):,} structures to learn from, {len(rows.held_out):,} of held-out scaffolds")
        train, held_out = (_graphs(part, workers=workers) for part in (rows.train, rows.held_out))
        run = GraphRun(folder, settings, train=train, held_out=held_out, digest=rows.digest, say=say)
        if resume:
            run.resume()
        run.learn(on_step)
        return run.finish()


def _check_folder(folder: Path, *, resume: bool) -> None:
    if resume and not (folder / "checkpoint").is_dir():
        raise TrainingError(f"{folder}: no checkpoint to go on from; the first is written after one epoch")
    if not resume and (folder / DESCRIPTION).exists():
        raise TrainingError(f"{folder}: holds pretrained layers already; expected another folder")


def _graphs(smiles: Sequence[str], *, workers: int | None) -> MoleculeGraphs:
    rows = (StructureRow(row_number=number, smiles=text) for number, text in enumerate(smiles))
    chunks = standardise_rows(rows, featuriser=GraphFeaturiser(), workers=workers)
    return MoleculeGraphs.concatenate([chunk.features for chunk in chunks if chunk.features is not None])
