"""One preset on the peer benchmark: trained on the training fold, then measured in every way.

    python benchmarks/towers/run.py --dataset massbank.parquet --preset NAME --seed 0 --epochs 40

`massbank.parquet` is what ``diptych dataset build`` makes of ../shared/data/massbank-2025.05.1.tar.xz. Written:
``<output>/<name>.seed<seed>.<fold>.json``, and the run under ``--runs``. What is there already is not made again, and
a run that was cut off goes on. The test fold is asked only with ``--fold test``. ``--set`` changes any setting,
``--name`` then says under what name; ``--model`` measures a trained model as it is. With ``--again measured`` and
``--again library_search`` these figures alone are measured anew and replaced in the file that is there.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diptych
from diptych.embedding import JointEmbedding
from diptych.files import replacing
from diptych.training import RunConfig, read_config, train

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measures import Measures
from questions import Material

LISTS = ("formula", "measured", "mass")
_TRAINS_STRUCTURES = {"late-interaction", "listwise", "candidate-regularisation", "moco"}


def overrides_of(arguments: argparse.Namespace) -> list[str]:
    """Return the settings that are the same for every preset: data, budget, what is withheld, validation."""
    candidates = arguments.benchmark / "candidates_formula.json.xz"
    return [
        f'data.dataset="{arguments.dataset}"',
        f'data.folds="{arguments.benchmark / "folds.tsv.xz"}"',
        f'data.structures="{arguments.structures}"',
        f'data.cache="{arguments.cache}"',
        f'negatives.withhold=["{candidates}"]',
        f'validation.candidates="{candidates}"',
        f"validation.every_epochs={max(1, arguments.epochs // 8)}",
        f"training.epochs={arguments.epochs}",
        f"training.seed={arguments.seed}",
        *arguments.set,
    ]


def trained(config: RunConfig, folder: Path) -> dict[str, Any]:
    """Return what training took; a finished run is left alone, one that was cut off goes on."""
    if not (folder / "result.json").is_file():
        train(config, folder, resume=(folder / "checkpoint").is_dir(), report=lambda line: print(line, flush=True))
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    seconds = sum(epoch["seconds"] for epoch in epochs)
    return {
        "epochs": len(epochs),
        "seconds": round(seconds, 1),
        "share_waiting_for_data": round(sum(epoch["data_seconds"] for epoch in epochs) / seconds, 4),
        "last_loss": epochs[-1]["train_loss"],
        "last_validation": {key: value for key, value in epochs[-1].items() if key.startswith("val_")},
        "result": json.loads((folder / "result.json").read_text(encoding="utf-8")),
        "config": config.to_dict(),
    }


def ranks_structures(config: dict[str, Any]) -> bool:
    """Return whether a loss of the configuration compares spectra with structures, for models that do not say."""
    loss = config["loss"]
    terms = {term["name"] for term in loss.get("terms", ())}
    return loss.get("weight", 1.0) > 0 or bool(terms & _TRAINS_STRUCTURES)


def measured(arguments: argparse.Namespace, model_folder: Path) -> dict[str, Any]:
    """Return the figures of a trained model."""
    model = JointEmbedding.load(model_folder)
    material = Material.read(
        arguments.dataset, benchmark=arguments.benchmark, structures=arguments.structures, fold=arguments.fold
    )
    config = model.metadata.get("training", {}).get("config", {"loss": {}})
    measures = Measures(model, material, cache=arguments.cache, n_bootstrap=arguments.bootstrap)
    figures = measures.all(ranks_structures=model.metadata.get("ranks_structures", ranks_structures(config)))
    return {"digest": model.digest, "towers": model.config, **figures}


def run(arguments: argparse.Namespace, output: Path) -> None:
    """Train and measure, and write what came of it."""
    name, started = label_of(arguments), time.perf_counter()
    result: dict[str, Any] = {"name": name, "preset": arguments.preset, "seed": arguments.seed, "fold": arguments.fold}
    model_folder = arguments.model
    if model_folder is None:
        config = read_config(arguments.config, preset=arguments.preset, overrides=overrides_of(arguments))
        folder = arguments.runs / f"{name}.seed{arguments.seed}"
        result["training"] = trained(config, folder)
        model_folder = folder / "model"
    result |= measured(arguments, model_folder)
    result["made"] = {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "processor": platform.processor() or platform.machine(),
        "version": diptych.__version__,
        "command": f"python {shlex.join(sys.argv)}",
    }
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure_again(arguments: argparse.Namespace, output: Path) -> None:
    """Replace some figures of a result."""
    result = json.loads(output.read_text(encoding="utf-8"))
    folder = arguments.model or arguments.runs / f"{label_of(arguments)}.seed{arguments.seed}" / "model"
    model = JointEmbedding.load(folder)
    if model.digest != result["digest"]:
        raise SystemExit(f"{folder}: is not the model of {output}")
    material = Material.read(
        arguments.dataset, benchmark=arguments.benchmark, structures=arguments.structures, fold=arguments.fold
    )
    measures = Measures(model, material, cache=arguments.cache, n_bootstrap=arguments.bootstrap)
    for name in arguments.again:
        if name == "library_search":
            result[name] = measures.library_search()
        else:
            result["ranking"][name] = measures.ranking(name)
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def label_of(arguments: argparse.Namespace) -> str:
    """Return the name under which figures are kept."""
    return str(arguments.name or arguments.preset or arguments.model.parent.name)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--benchmark", type=Path, default=Path("../shared/data/peer_benchmark"))
    parser.add_argument("--structures", type=Path, default=Path("../shared/data/structures.tsv.xz"))
    parser.add_argument("--preset", default="")
    parser.add_argument("--config", type=Path, help="TOML on top of the preset, or instead of it")
    parser.add_argument("--model", type=Path, help="measure this model; nothing is trained")
    parser.add_argument("--name", help="under which the figures are kept; the preset's by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--fold", choices=("val", "test"), default="val")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--bootstrap", type=int, default=2000)
    parser.add_argument("--cache", type=Path, default=Path(".cache/towers"))
    parser.add_argument("--runs", type=Path, default=Path("runs/towers"))
    parser.add_argument("--output", "-o", type=Path, default=Path("benchmarks/towers/results"))
    parser.add_argument("--again", action="append", default=[], choices=[*LISTS, "library_search"])
    arguments = parser.parse_args(argv)
    if not (arguments.preset or arguments.config or arguments.model):
        parser.error("give --preset, --config or --model")
    output = arguments.output / f"{label_of(arguments)}.seed{arguments.seed}.{arguments.fold}.json"
    if arguments.again:
        measure_again(arguments, output)
    elif output.is_file():
        print(f"{output}: there already")
        return
    else:
        run(arguments, output)
    print(output)


if __name__ == "__main__":
    main()
