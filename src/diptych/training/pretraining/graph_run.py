"""One run of atom masking: its epochs, its checkpoints, its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.precision import has_bfloat16
from diptych.encoders.structures.graph_batch import GraphBatch
from diptych.encoders.structures.graph_layers import graph_layers
from diptych.encoders.structures.graph_pretrained import save_pretrained
from diptych.errors import TrainingError
from diptych.molecules.graph_augmentation import draw_atoms, with_masked
from diptych.molecules.graphs import ATOM_COLUMNS, ELEMENTS, MoleculeGraphs
from diptych.training.checkpoint import SafetensorsCheckpointIO
from diptych.training.pretraining.checks import check_finite
from diptych.training.schedule import learning_rate_factor

if TYPE_CHECKING:
    from diptych.training.pretraining.graph import GraphPretraining

_ELEMENT = [column.name for column in ATOM_COLUMNS].index("element")
_N_CLASSES = ATOM_COLUMNS[_ELEMENT].n_classes
_DECAY, _LARGEST_GRADIENT, _WARM_UP_SHARE = 0.01, 1.0, 0.05
_EVALUATION_SEED = 7


class MaskedAtoms(NamedTuple):
    """Graphs with some atoms hidden, and what was hidden."""

    graphs: GraphBatch
    hidden: Tensor  # int64, of shape (n_hidden,): positions of the atoms
    elements: Tensor  # int64, of shape (n_hidden,): their class in ``ATOM_COLUMNS``


class MaskedAtomNetwork(nn.Module):
    """Graph layers, and a linear layer that tells elements."""

    def __init__(self, settings: GraphPretraining) -> None:
        super().__init__()
        self.layers = graph_layers(
            settings.tower,
            hidden_dim=settings.hidden_dim,
            n_layers=settings.n_layers,
            n_heads=settings.n_heads,
            dropout=settings.dropout,
        )
        self.elements = nn.Linear(self.layers.dim, _N_CLASSES)

    def forward(self, batch: MaskedAtoms) -> Tensor:
        """Return the logits of the hidden atoms' elements, float32 of shape (n_hidden, n_classes)."""
        logits: Tensor = self.elements(self.layers(batch.graphs)[batch.hidden])
        return logits.float()


class GraphRun:
    """Network, optimiser and progress of one run.

    Parameters
    ----------
    folder
        Where everything is written.
    settings
        How it is pretrained.
    train, held_out
        The graphs to learn from, and those to judge by.
    digest
        Of the structures.
    say
        Called with every line for the log.
    """

    def __init__(
        self,
        folder: Path,
        settings: GraphPretraining,
        *,
        train: MoleculeGraphs,
        held_out: MoleculeGraphs,
        digest: str,
        say: Callable[[str], None],
    ) -> None:
        self.folder, self.settings, self.train, self.held_out, self.say = folder, settings, train, held_out, say
        self.identity = {"settings": asdict(settings), "structures": digest}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(settings.seed)
        self.network = MaskedAtomNetwork(settings).to(self.device)
        parameters = list(self.network.parameters())
        self.optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=_DECAY)
        self.steps_per_epoch = -(-len(train) // settings.batch_size)
        self.epoch = 0
        say(f"{sum(parameter.numel() for parameter in parameters):,} weights on {self.device.type}")

    def learn(self, on_step: Callable[[int, int, float], None]) -> None:
        """Train to the last epoch, keeping a resume state after each."""
        n_steps = self.settings.epochs * self.steps_per_epoch
        while self.epoch < self.settings.epochs:
            rng = np.random.default_rng([self.settings.seed, self.epoch])
            # Of the epoch alone, so that a resumed run drops out what one never stopped would have.
            torch.manual_seed(int(rng.integers(2**31)))
            losses = []
            for number, rows in enumerate(_batches(rng.permutation(len(self.train)), self.settings.batch_size)):
                step = self.epoch * self.steps_per_epoch + number
                losses.append(self._step(self._masked(self.train.take(rows), rng), step=step, n_steps=n_steps))
                on_step(step + 1, n_steps, losses[-1])
            self.epoch += 1
            self._keep()
            accuracy = self.measured()["masked_atom_accuracy"]
            self.say(f"epoch {self.epoch}/{self.settings.epochs}: loss {np.mean(losses):.4f}, held out {accuracy:.2%}")

    def finish(self) -> dict[str, Any]:
        """Write the layers and return the figures."""
        figures = self.measured()
        report = {
            "held_out_scaffolds": figures,
            "training": {**self.identity, "n_structures": len(self.train), "epochs": self.epoch},
        }
        save_pretrained(self.network.layers, self.folder, tower=self.settings.tower, report=report)
        self.say(
            f"guessed right on held-out scaffolds: {figures['masked_atom_accuracy']:.2%} of "
            f"{figures['n_masked_atoms']:,} hidden atoms, always {figures['majority_element']}: "
            f"{figures['majority_accuracy']:.2%}"
        )
        return report

    def resume(self) -> None:
        """Go on from the resume state of the folder.

        Raises
        ------
        TrainingError
            It is damaged, or of another run.
        """
        io = SafetensorsCheckpointIO(expected=("run", "network", "optimiser", "epoch"))
        state = io.load_checkpoint(self.folder / "checkpoint")
        if state["run"] != json.loads(json.dumps(self.identity)):
            raise TrainingError(f"{self.folder}: the run has other settings or structures; resume it with its own")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch = state["epoch"]
        self.say(f"going on after epoch {self.epoch}")

    @torch.no_grad()
    def measured(self) -> dict[str, Any]:
        """Return how many hidden atoms of the held-out molecules are guessed right, always hiding the same ones."""
        rng = np.random.default_rng(_EVALUATION_SEED)
        guesses, answers = [], []
        self.network.eval()
        for rows in _batches(np.arange(len(self.held_out)), self.settings.batch_size):
            batch = self._masked(self.held_out.take(rows), rng)
            guesses.append(self.network(batch).argmax(dim=1).cpu().numpy())
            answers.append(batch.elements.cpu().numpy())
        self.network.train()
        elements = np.bincount(self.train.atoms[:, _ELEMENT], minlength=_N_CLASSES)
        return _figures(np.concatenate(guesses), np.concatenate(answers), majority=int(elements.argmax()))

    def _masked(self, graphs: MoleculeGraphs, rng: np.random.Generator) -> MaskedAtoms:
        hidden = draw_atoms(graphs, share=self.settings.mask_share, rng=rng, at_least=1)
        return MaskedAtoms(
            graphs=GraphBatch.of(with_masked(graphs, hidden)).to(self.device),
            hidden=torch.from_numpy(np.flatnonzero(hidden)).to(self.device),
            elements=torch.from_numpy(graphs.atoms[hidden, _ELEMENT].astype(np.int64)).to(self.device),
        )

    def _step(self, batch: MaskedAtoms, *, step: int, n_steps: int) -> float:
        factor = learning_rate_factor(step, n_steps=n_steps, n_warmup=int(_WARM_UP_SHARE * n_steps))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * factor
        self.network.train()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=has_bfloat16()):
            logits = self.network(batch)
        loss = functional.cross_entropy(logits, batch.elements)
        check_finite(loss, what="loss", step=step + 1, kept=self.epoch > 0)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        check_finite(norm, what="norm of the gradient", step=step + 1, kept=self.epoch > 0)
        self.optimiser.step()
        return float(loss.detach())

    def _keep(self) -> None:
        state = {
            "run": self.identity,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
        }
        SafetensorsCheckpointIO().save_checkpoint(state, self.folder / "checkpoint")


def _batches(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _figures(guesses: NDArray[np.int64], answers: NDArray[np.int64], *, majority: int) -> dict[str, Any]:
    """Return the share of right guesses, of all hidden atoms and of those of other elements than the commonest."""
    rare = answers != majority
    right = guesses == answers
    return {
        "masked_atom_accuracy": float(right.mean()),
        "majority_element": [*ELEMENTS, "another"][majority],
        "majority_accuracy": float((~rare).mean()),
        "accuracy_of_other_elements": float(right[rare].mean()) if rare.any() else None,
        "n_masked_atoms": len(answers),
    }
