"""One run of pretraining: its steps, its resume states, its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diptych.encoders.precision import has_bfloat16
from diptych.errors import TrainingError
from diptych.files import replacing
from diptych.molecules.pretraining_views import ViewMaker
from diptych.molecules.smiles_tokens import TOKENS
from diptych.training.checkpoint import SafetensorsCheckpointIO
from diptych.training.pretraining.checks import check_finite
from diptych.training.pretraining.smiles_batches import SmilesBatch, SmilesBatchMaker, planned_batches
from diptych.training.pretraining.smiles_metrics import measured
from diptych.training.pretraining.smiles_network import PretrainingLosses, SmilesNetwork, write_hugging_face_files
from diptych.training.pretraining.smiles_settings import SmilesPretraining
from diptych.training.pretraining.structure_rows import PretrainingRows
from diptych.training.schedule import learning_rate_factor

_DECAY, _LARGEST_GRADIENT, _WARM_UP_SHARE, _LOWEST_RATE = 0.01, 1.0, 0.05, 1e-3
_MEASURED_BATCH, _N_SAMPLED = 64, 1024
_EVALUATION_SEED = 7


@dataclass(kw_only=True)
class _Progress:
    """How far a run has come; a resumed run goes on from here."""

    step: int = 0
    seconds: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * len(TOKENS))


class SmilesRun:
    """Network, optimiser and progress of one run.

    Parameters
    ----------
    folder
        Where everything is written.
    settings
        How it is pretrained.
    rows
        The structures.
    say
        Called with every line for the log.
    """

    def __init__(
        self, folder: Path, settings: SmilesPretraining, rows: PretrainingRows, *, say: Callable[[str], None]
    ) -> None:
        self.folder, self.settings, self.rows, self.say = folder, settings, rows, say
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        views = ViewMaker(describe=True, find_pieces=settings.mask == "substructures")
        self.make = SmilesBatchMaker(views=views, mask_share=settings.mask_share, max_tokens=settings.max_tokens)
        self.lengths = np.array([len(smiles) for smiles in rows.train], dtype=np.int64)
        self.steps_per_epoch = -(-len(rows.train) // settings.batch_size)
        self.n_steps = settings.epochs * self.steps_per_epoch
        self.progress = _Progress()
        torch.manual_seed(settings.seed)
        self.network = SmilesNetwork(
            hidden_dim=settings.hidden_dim,
            n_layers=settings.n_layers,
            n_heads=settings.n_heads,
            max_tokens=settings.max_tokens,
            describe=settings.descriptors > 0,
        )
        self.network.fit_descriptors(self.make(rows.train[:_N_SAMPLED], seed=[settings.seed]).descriptors)
        self.network.to(self.device)
        parameters = self.network.parameters()
        self.optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=_DECAY, fused=True)
        self.untrained = measured(self.network, self._held_out(), majority_token=self._majority())
        n_weights = sum(parameter.numel() for parameter in self.network.language_model.parameters())
        say(f"{n_weights:,} weights, {'bfloat16' if has_bfloat16() else 'float32'} on {self.device.type}")

    def learn(self, on_step: Callable[[int, int, float], None]) -> None:
        """Train to the last step, or until the time is over."""
        self.network.train()
        started, limit = time.monotonic() - self.progress.seconds, self.settings.max_minutes * 60
        while self.progress.step < self.n_steps and not (limit and self.progress.seconds >= limit):
            for rows in self._rest_of_epoch():
                loss, losses = self._step(rows, time_share=self.progress.seconds / limit if limit else 0.0)
                self.progress.step += 1
                self.progress.seconds = time.monotonic() - started
                on_step(self.progress.step, self.n_steps, loss)
                if self.progress.step % self.settings.checkpoint_steps == 0:
                    self._keep(loss, losses)
                if limit and self.progress.seconds >= limit:
                    break

    def finish(self) -> dict[str, Any]:
        """Write the model, measure it, and return the figures."""
        write_hugging_face_files(self.network, self.folder, max_tokens=self.settings.max_tokens)
        figures = measured(self.network, self._held_out(), majority_token=self._majority())
        space = [key for key in figures if key.startswith(("spearman", "tanimoto"))]
        metrics = {
            "held_out_scaffolds": figures,
            "untrained": {key: self.untrained[key] for key in ("masked_token_accuracy", *space)},
            "training": {
                "structures": len(self.rows.train),
                "unreadable": self.rows.n_failed,
                "steps": self.progress.step,
                "steps_planned": self.n_steps,
                "molecules_seen": self.progress.step * self.settings.batch_size,
                "seconds": round(self.progress.seconds, 1),
            },
        }
        self._write_json("metrics.json", metrics)
        self.say(
            f"guessed right on held-out scaffolds: {figures['masked_token_accuracy']:.1%} of "
            f"{figures['masked_tokens']:,} withheld tokens, always {figures['majority_token']!r}: "
            f"{figures['majority_token_accuracy']:.1%}"
        )
        return metrics

    def resume(self) -> None:
        """Go on from the resume state of the folder.

        Raises
        ------
        TrainingError
            It is damaged, or of another run.
        """
        io = SafetensorsCheckpointIO(expected=("run", "network", "optimiser", "progress"))
        state = io.load_checkpoint(self.folder / "checkpoint")
        if state["run"] != self._identity():
            raise TrainingError(f"{self.folder}: the run has other settings or structures; resume it with its own")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = _Progress(**state["progress"])
        self.say(f"going on from step {self.progress.step:,}")

    def _rest_of_epoch(self) -> Iterator[NDArray[np.int64]]:
        epoch, done = divmod(self.progress.step, self.steps_per_epoch)
        seed = [self.settings.seed, epoch]
        yield from planned_batches(self.lengths, batch_size=self.settings.batch_size, seed=seed)[done:]

    def _step(self, rows: NDArray[np.int64], *, time_share: float) -> tuple[float, PretrainingLosses]:
        seed = [self.settings.seed, self.progress.step, 1]
        # Of the step alone, so that a resumed run drops out what one never stopped would have.
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        batch = self.make([self.rows.train[row] for row in rows], seed=seed).to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._learning_rate_factor(time_share)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=has_bfloat16()):
            losses = self.network(batch)
        loss = losses.tokens + self.settings.descriptors * (losses.fingerprint + losses.descriptors + losses.similarity)
        kept = self.progress.step >= self.settings.checkpoint_steps
        check_finite(loss, what="loss", step=self.progress.step + 1, kept=kept)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        check_finite(norm, what="norm of the gradient", step=self.progress.step + 1, kept=kept)
        self.optimiser.step()
        labels = batch.labels[batch.labels >= 0].cpu().numpy()
        self.progress.counts = (np.array(self.progress.counts) + np.bincount(labels, minlength=len(TOKENS))).tolist()
        return float(loss.detach()), losses

    def _learning_rate_factor(self, time_share: float) -> float:
        """Return the factor by the steps done or by the time used, whichever has come further."""
        step = max(self.progress.step, int(time_share * self.n_steps))
        factor = learning_rate_factor(step, n_steps=self.n_steps, n_warmup=int(_WARM_UP_SHARE * self.n_steps))
        return max(factor, _LOWEST_RATE)

    def _held_out(self) -> list[SmilesBatch]:
        held = sorted(self.rows.held_out, key=len)
        held = held[:: max(len(held) // self.settings.n_measured, 1)][: self.settings.n_measured]
        return [
            self.make(held[start : start + _MEASURED_BATCH], seed=[_EVALUATION_SEED, start]).to(self.device)
            for start in range(0, len(held), _MEASURED_BATCH)
        ]

    def _majority(self) -> int:
        return int(np.argmax(self.progress.counts))

    def _identity(self) -> dict[str, Any]:
        plain = {key: value for key, value in asdict(self.settings).items() if key != "max_minutes"}
        return {"settings": plain, "structures": self.rows.digest}

    def _keep(self, loss: float, losses: PretrainingLosses) -> None:
        state = {
            "run": self._identity(),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        SafetensorsCheckpointIO().save_checkpoint(state, self.folder / "checkpoint")
        self._write_json("settings.json", self._identity())
        parts = ", ".join(f"{name} {float(value.detach()):.3f}" for name, value in losses._asdict().items())
        rate = self.progress.step * self.settings.batch_size / self.progress.seconds
        self.say(f"step {self.progress.step:,}/{self.n_steps:,}: loss {loss:.3f} ({parts}), {rate:.0f} molecules/s")

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        with replacing(self.folder / name) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
