"""``diptych pretrain``: teach a structure tower from structures alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    help="Teach a structure tower from structures alone, before it meets a spectrum.", no_args_is_help=True
)

_Descriptors = Annotated[
    float, typer.Option(min=0.0, help="Weight of fingerprint, descriptors and similarities; 0: tokens alone.")
]
# Options of both commands.
_Structures = Annotated[Path, typer.Argument(help="TSV or CSV with the column smiles; may be compressed.")]
_Epochs = Annotated[int, typer.Option(min=1, help="Passes over the structures.")]
_Limit = Annotated[int, typer.Option(min=0, help="Learn from so many structures, drawn by the seed; 0: all.")]
_Exclude = Annotated[Path | None, typer.Option(help="Text file with one first block a line: molecules to leave out.")]
_HeldOut = Annotated[float, typer.Option(help="Share of the scaffolds held out to measure on.")]
_Seed = Annotated[int, typer.Option(min=0, help="Everything random follows from it.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")]

_EXTRA = ("lightning", "tokenizers", "transformers")


@app.command("smiles")
def smiles_command(
    structures: _Structures,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write the language model to.")],
    epochs: _Epochs = 5,
    limit: _Limit = 0,
    exclude: _Exclude = None,
    held_out: _HeldOut = 0.02,
    hidden_dim: Annotated[int, typer.Option(min=1, help="Length of a token's vector.")] = 256,
    layers: Annotated[int, typer.Option(min=1, help="Layers.")] = 6,
    heads: Annotated[int, typer.Option(min=1, help="Heads of the attention.")] = 8,
    mask: Annotated[str, typer.Option(help="What is withheld: tokens or substructures.")] = "tokens",
    mask_share: Annotated[float, typer.Option(help="Share of the tokens withheld.")] = 0.15,
    descriptors: _Descriptors = 1.0,
    batch_size: Annotated[int, typer.Option(min=2, help="Molecules in a batch.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW, at its highest.")] = 5e-4,
    max_minutes: Annotated[float, typer.Option(min=0.0, help="Stop training after so many minutes; 0: never.")] = 0.0,
    checkpoint_steps: Annotated[int, typer.Option(min=1, help="Steps between resume states.")] = 500,
    seed: _Seed = 1,
    resume: _Resume = False,
) -> None:
    """Pretrain a masked language model of SMILES, for the tower language-model."""
    import json

    from diptych.errors import ConfigError

    if mask not in {"tokens", "substructures"}:
        raise ConfigError(f"mask is {mask!r}; expected 'tokens' or 'substructures'")
    try:
        from diptych.training.pretraining.smiles import pretrain_smiles
        from diptych.training.pretraining.smiles_settings import SmilesPretraining
    except ModuleNotFoundError as error:
        _refuse(error, extras="train,language-models")
    settings = SmilesPretraining(
        epochs=epochs,
        limit=limit,
        held_out=held_out,
        hidden_dim=hidden_dim,
        n_layers=layers,
        n_heads=heads,
        mask="tokens" if mask == "tokens" else "substructures",
        mask_share=mask_share,
        descriptors=descriptors,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_minutes=max_minutes,
        checkpoint_steps=checkpoint_steps,
        seed=seed,
    )
    from diptych.training.corpus import read_first_blocks

    excluded = frozenset(read_first_blocks(str(exclude or "")))
    with _StepBar() as bar:
        metrics = pretrain_smiles(
            structures, output, settings, exclude=excluded, resume=resume, report=bar.say, on_step=bar.step
        )
    typer.echo(json.dumps(metrics, indent=2))


@app.command("graph")
def graph_command(
    structures: _Structures,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write the layers to.")],
    tower: Annotated[str, typer.Option(help="Whose layers: gcn, gin, gat or graphsage.")] = "gin",
    epochs: _Epochs = 5,
    limit: _Limit = 0,
    exclude: _Exclude = None,
    held_out: _HeldOut = 0.02,
    hidden_dim: Annotated[int, typer.Option(min=1, help="Length of an atom's vector; not for gcn.")] = 256,
    layers: Annotated[int, typer.Option(min=1, help="Layers; not for gcn.")] = 4,
    heads: Annotated[int, typer.Option(min=1, help="Heads of the attention of gat.")] = 4,
    mask_share: Annotated[float, typer.Option(help="Share of the atoms hidden.")] = 0.15,
    batch_size: Annotated[int, typer.Option(min=2, help="Molecules in a batch.")] = 256,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW, at its highest.")] = 1e-3,
    seed: _Seed = 1,
    resume: _Resume = False,
) -> None:
    """Pretrain the layers of a graph tower on the elements of hidden atoms."""
    import json

    try:
        from diptych.training.pretraining.graph import GraphPretraining, pretrain_graph
    except ModuleNotFoundError as error:
        _refuse(error, extras="train")
    from diptych.training.corpus import read_first_blocks

    settings = GraphPretraining(
        tower=tower,
        hidden_dim=hidden_dim,
        n_layers=layers,
        n_heads=heads,
        mask_share=mask_share,
        epochs=epochs,
        limit=limit,
        held_out=held_out,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    excluded = frozenset(read_first_blocks(str(exclude or "")))
    with _StepBar() as bar:
        metrics = pretrain_graph(
            structures, output, settings, exclude=excluded, resume=resume, report=bar.say, on_step=bar.step
        )
    typer.echo(json.dumps(metrics["held_out_scaffolds"], indent=2))


def _refuse(error: ModuleNotFoundError, *, extras: str) -> NoReturn:
    from diptych.errors import TrainingError

    package = (error.name or "").partition(".")[0]
    if package not in _EXTRA:
        raise error
    raise TrainingError(f"pretraining needs the package {package}: pip install 'diptych[{extras}]'") from error


class _StepBar:
    """A progress bar for people; nothing where no terminal is."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, loss="")

    def __enter__(self) -> _StepBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def step(self, step: int, n_steps: int, loss: float) -> None:
        self._bar.update(self._task, completed=step, total=n_steps, loss=f"{loss:.3f}")
