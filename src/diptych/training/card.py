"""The model card: what a model was made of, how well it does, and under which licences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diptych.files import replacing

CARD = "card.md"
FIRST_BLOCKS = "training_first_blocks.txt"
_RANKS_STRUCTURES = (
    "Ranks the structures of the list that it is given; it cannot propose others. Probabilities presuppose that the "
    "answer is in the list. Part of any figure is a prior (molecules that somebody measured look different from "
    "others); the same model asked without peaks shows how much."
)
_RANKS_NO_STRUCTURES = (
    "Compares spectra with spectra (`diptych match`). No loss compared them with structures: ranks, scores and "
    "probabilities of structures mean little."
)
_PARTS = ("spectrum", "structure", "ions", "interaction")


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelCard:
    """What must be said about a model.

    Attributes
    ----------
    name
        Of the model.
    towers
        What the model can be built with again: ``spectrum``, ``structure``, ``ions``, ``embedding_dim``.
    fold
        Where the validation queries come from.
    first_blocks
        Of all training molecules.
    licences
        Licence of every training spectrum.
    n_parameters
        Number of weights.
    digests
        What was read -> digest of its content.
    ranks_structures
        Whether a loss compared spectra with structures.
    metrics
        Validation figures of the saved weights; empty where there was no validation.
    blind_metrics
        The same asked without peaks.
    """

    name: str
    towers: Mapping[str, Any]
    fold: str
    first_blocks: Iterable[str]
    licences: Iterable[str]
    n_parameters: int
    digests: Mapping[str, str]
    ranks_structures: bool
    metrics: Mapping[str, float]
    blind_metrics: Mapping[str, float]

    def write(self, folder: Path) -> None:
        """Write ``card.md`` and ``training_first_blocks.txt`` into a model folder."""
        blocks = sorted(set(self.first_blocks))
        with replacing(folder / FIRST_BLOCKS) as path:
            path.write_text("".join(f"{block}\n" for block in blocks), encoding="utf-8")
        with replacing(folder / CARD) as path:
            path.write_text(self._text(n_molecules=len(blocks)), encoding="utf-8")

    def _text(self, *, n_molecules: int) -> str:
        licences = Counter(licence or "not stated" for licence in self.licences)
        parts = [
            f"# {self.name}",
            "A joint embedding of MS/MS spectra and molecular structures, trained by `diptych train`.",
            "## Towers\n",
            _table(
                ("", "settings"), [(part, _settings(self.towers[part])) for part in _PARTS if self.towers.get(part)]
            ),
            f"{self.n_parameters:,} weights, vectors of length {self.towers['embedding_dim']}.",
            "## Training data\n",
            f"{licences.total():,} spectra of {n_molecules:,} molecules; their first blocks stand in `{FIRST_BLOCKS}`. "
            "Figures on any of these molecules say nothing about new ones.",
            _table(("licence", "spectra"), [(name, f"{count:,}") for name, count in licences.most_common()]),
            _table(("read", "SHA-256"), list(self.digests.items())),
            "## Validation\n",
            self._figures(),
            "## Limits\n",
            _RANKS_STRUCTURES if self.ranks_structures else _RANKS_NO_STRUCTURES,
        ]
        return "\n".join(part if part.endswith("\n") else part + "\n" for part in parts)

    def _figures(self) -> str:
        if not self.metrics:
            return "None: the weights of the last epoch were kept."
        rows = [
            (name, f"{100 * value:.1f}", f"{100 * self.blind_metrics[name]:.1f}" if name in self.blind_metrics else "")
            for name, value in self.metrics.items()
        ]
        title = f"Fold `{self.fold}`, candidates of one formula, in %, by spectrum, ties against the target:\n\n"
        return title + _table(("metric", "model", "the same, peaks withheld"), rows)


def _settings(options: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}` {value}" for key, value in options.items())


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
