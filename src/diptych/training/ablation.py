"""Runs of an ablation: a plan names changes of a recipe, each is trained with every seed, what is finished is kept."""

from __future__ import annotations

import copy
import json
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError, DiptychError, EvaluationError, reason_of
from diptych.evaluation.ablation import BASE, AblationTable, ablation_table
from diptych.evaluation.results.query_results import QueryResults
from diptych.files import replacing
from diptych.presets import read_preset
from diptych.training.config import RunConfig
from diptych.training.corpus import read_folded_dataset
from diptych.training.losses.requirements import check_requirements
from diptych.training.queries import validation_set
from diptych.training.recorder import RunFolder
from diptych.training.sections import apply_override, merged
from diptych.training.trainer import train

_KINDS = {"title": str, "preset": str, "config": str, "base": dict, "seeds": list, "k": int, "axes": dict}
_RESULTS = "results.ranks.tsv"
_CELL = "cell.json"
_WITHOUT = "without"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: a level of an axis, with one seed.

    Attributes
    ----------
    axis, level
        Both ``base`` for the recipe as it is.
    seed
        Of the training.
    values
        The whole configuration, as nested values.
    """

    axis: str
    level: str
    seed: int
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.axis} {self.level}, seed {self.seed}" if self.axis != BASE else f"base, seed {self.seed}"

    def folder(self, root: Path) -> Path:
        """Return where the run stands."""
        return root / "runs" / self.axis / self.level / f"seed-{self.seed}"


@dataclass(frozen=True, kw_only=True)
class AblationPlan:
    """What is changed, and how often each change is trained.

    Attributes
    ----------
    title
        Of the table.
    base
        The recipe, as nested values of a training configuration.
    axes
        Axis -> level -> what differs from the recipe, and under ``without`` the dotted keys that it lacks; an empty
        level is the recipe itself, and is not trained again.
    seeds
        Of the training.
    k
        Of the hit rate that is compared.
    """

    title: str
    base: Mapping[str, Any]
    axes: Mapping[str, Mapping[str, Mapping[str, Any]]]
    seeds: tuple[int, ...] = (0, 1)
    k: int = 1

    @classmethod
    def read(cls, path: Path) -> AblationPlan:
        """Return the plan in a TOML file: on its ``preset`` lie its ``config`` (a path beside it) and its ``base``.

        Raises
        ------
        ConfigError
            The file cannot be read or is no TOML, has an unknown key, a value of a wrong type, no axis, no seed or one
            twice, or an axis or level is no table or cannot be called so.
        """
        values = _read_toml(path)
        unknown = [key for key in values if key not in _KINDS]
        axes = values.get("axes", {})
        if unknown or not axes or not values.get("seeds", [0]):
            lacking = "it has no seed" if axes else "it has no axis"
            raise ConfigError(
                f"{path}: {f'unknown key {unknown[0]!r}' if unknown else lacking}; expected the keys "
                f"{', '.join(_KINDS)}, at least one axis and one seed"
            )
        _check_kinds(path, values)
        for axis, levels in axes.items():
            _check_axis(path, axis, levels)
        base: dict[str, Any] = dict(read_preset(values["preset"])) if "preset" in values else {}
        if "config" in values:
            base = merged(base, _read_toml(path.parent / values["config"]))
        return cls(
            title=values.get("title", path.stem),
            base=merged(base, values.get("base", {})),
            axes=axes,
            seeds=tuple(values.get("seeds", (0, 1))),
            k=values.get("k", 1),
        )

    def cells(self, overrides: Mapping[str, Any] | None = None) -> Iterator[Cell]:
        """Yield all runs: the base first, seed by seed, so that a table can be made early.

        Parameters
        ----------
        overrides
            Lie on top of every cell, as nested values: ``{"training": {"epochs": 1}}``.
        """
        if "seed" in (overrides or {}).get("training", {}):
            raise ConfigError("training.seed is set for every cell; expected it among the seeds of the plan")
        levels: list[tuple[str, str, Mapping[str, Any]]] = [(BASE, BASE, {})]
        levels += [(axis, name, level) for axis, named in self.axes.items() for name, level in named.items() if level]
        for seed in self.seeds:
            for axis, name, level in levels:
                changed = merged(_changed(self.base, level), overrides or {})
                yield Cell(axis=axis, level=name, seed=seed, values=merged(changed, {"training": {"seed": seed}}))


def _check_kinds(path: Path, values: Mapping[str, Any]) -> None:
    """Refuse values of a wrong type, seeds that are no distinct numbers, and a k below 1."""
    for key, value in values.items():
        if type(value) is not _KINDS[key]:
            raise ConfigError(f"{path}: {key} is {value!r}; expected a {_KINDS[key].__name__}")
    seeds = values.get("seeds", [])
    if any(type(seed) is not int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ConfigError(f"{path}: seeds are {seeds}; expected distinct whole numbers")
    if values.get("k", 1) < 1:
        raise ConfigError(f"{path}: k is {values['k']}; expected at least 1")


def _check_axis(path: Path, axis: str, levels: object) -> None:
    """Refuse an axis without levels, levels that are the same or no tables, and names that can be no folder's."""
    if not isinstance(levels, dict) or not levels or not all(isinstance(level, dict) for level in levels.values()):
        raise ConfigError(f"{path}: axis {axis!r}; expected a table of levels, each a table of what differs")
    if axis == BASE:
        raise ConfigError(f"{path}: an axis is called {BASE!r}, as the recipe is; expected another name")
    for name in (axis, *levels):
        if not name.strip(" .") or set(name) & set("/\\\0"):
            raise ConfigError(
                f"{path}: {name!r} of axis {axis!r} can be no folder's name; expected one without / and \\"
            )
    seen: list[tuple[str, Any]] = []
    for name, level in levels.items():
        if same := next((other for other, known in seen if known == level), None):
            raise ConfigError(
                f"{path}: levels {same!r} and {name!r} of axis {axis!r} are the same; expected one of them"
            )
        seen.append((name, level))
        _check_level(path, f"{axis} {name}", level)


def _check_level(path: Path, name: str, level: Mapping[str, Any]) -> None:
    """Refuse a level without what is no list of keys, or with a seed of its own."""
    without = level.get(_WITHOUT, [])
    if not isinstance(without, list) or not all(isinstance(key, str) for key in without):
        raise ConfigError(f"{path}: {_WITHOUT} of {name} is {without!r}; expected a list of keys")
    training = level.get("training")
    if isinstance(training, dict) and "seed" in training:
        raise ConfigError(f"{path}: {name} has a training.seed; expected it among the seeds of the plan")


def _changed(base: Mapping[str, Any], level: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe with what a level takes out of it and puts into it."""
    values: dict[str, Any] = copy.deepcopy(dict(base))
    for key in level.get(_WITHOUT, []):
        *sections, last = key.split(".")
        target: Any = values
        for section in sections:
            target = target.get(section) if isinstance(target, dict) else None
        if not isinstance(target, dict) or last not in target:
            raise ConfigError(f"a level is {_WITHOUT} {key}, which the recipe lacks; expected one of its keys")
        del target[last]
    return merged(values, {key: value for key, value in level.items() if key != _WITHOUT})


def run_ablation(
    plan: AblationPlan,
    root: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    n_bootstrap: int = 10_000,
    report: Callable[[str], None] = lambda _: None,
) -> AblationTable:
    """Return the table of a plan after training what is not yet trained; it is written anew after every run.

    Parameters
    ----------
    plan
        What to train.
    root
        Folder of runs and table. Finished runs in it are taken as they are, one that was interrupted goes on.
    overrides
        Lie on top of every cell.
    n_bootstrap
        Of intervals and p-values.
    report
        Called with a line about every run.

    Raises
    ------
    ConfigError
        A cell's configuration is wrong (before anything is trained), or a finished run had another one.
    EvaluationError
        No run of the base could be finished.
    """
    cells = list(plan.cells(overrides))
    configs = [_config(cell) for cell in cells]
    found: dict[tuple[str, str], list[QueryResults]] = {(cell.axis, cell.level): [] for cell in cells}
    failures: dict[str, str] = {}
    for number, (cell, config) in enumerate(zip(cells, configs, strict=True), start=1):
        report(f"{number} of {len(cells)}: {cell.name}")
        try:
            found[cell.axis, cell.level].append(_results(cell, config, root, report=report))
        except ConfigError:
            raise
        except DiptychError as error:
            failures[cell.name] = str(error)
            report(f"failed: {error}")
        if found[BASE, BASE]:
            made = ablation_table(found, title=plan.title, k=plan.k, n_bootstrap=n_bootstrap, unfinished=failures)
            made.save(root)
    if not found[BASE, BASE]:
        raise EvaluationError(f"no run of the base was finished: {'; '.join(dict.fromkeys(failures.values()))}")
    return made


def _config(cell: Cell) -> RunConfig:
    try:
        config = RunConfig.from_dict(cell.values)
        check_requirements(config)
    except ConfigError as error:
        raise ConfigError(f"{cell.name}: {error}") from error
    if not config.validation.fold:
        raise ConfigError(f"{cell.name}: validation.fold is empty; an ablation compares runs on a validation fold")
    return config


def _results(cell: Cell, config: RunConfig, root: Path, *, report: Callable[[str], None]) -> QueryResults:
    """Return what the trained model of a cell answers, trained now where it is not."""
    folder = cell.folder(root)
    table = folder / _RESULTS
    _check_same(folder / _CELL, config)
    if table.is_file():
        report("finished before")
        return QueryResults.read(table)
    run = RunFolder(folder)
    if not run.result.is_file():
        resume = run.checkpoint.is_dir()
        if run.config.exists() and not resume:
            shutil.rmtree(folder)  # stopped before its first epoch was over: there is nothing to go on with
        with replacing(folder / _CELL) as path:
            path.write_text(json.dumps(config.to_dict(), indent=2), encoding="utf-8")
        train(config, folder, resume=resume, report=report)
    results = _asked(config, run.model)
    results.write(table)
    return results


def _check_same(path: Path, config: RunConfig) -> None:
    if not path.is_file():
        return
    try:
        before = RunConfig.from_dict(json.loads(path.read_text(encoding="utf-8"))).to_dict()
    except (OSError, ValueError, AttributeError, ConfigError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {reason_of(error)}; expected the configuration of the run beside it"
        ) from error
    after = config.to_dict()
    changed = [
        f"{section}.{key}"
        for section, values in after.items()
        for key, value in values.items()
        if before[section][key] != value and (section, key) not in {("data", "cache"), ("data", "workers")}
    ]
    if changed:
        raise ConfigError(f"{path.parent}: was trained with another {', '.join(changed)}; name another folder")


def _asked(config: RunConfig, model: Path) -> QueryResults:
    embedding = JointEmbedding.load(model)
    validation = validation_set(config, read_folded_dataset(config.data), embedding.structure_encoder.featuriser)
    if validation is None:
        raise EvaluationError(f"{model}: there is no validation fold to ask")
    return validation.results(embedding)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}; expected a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error


def nested(overrides: Sequence[str]) -> dict[str, Any]:
    """Return ``section.key=value`` texts as nested values.

    Raises
    ------
    ConfigError
        A text has no ``=``, or a part of its key is a value.
    """
    values: dict[str, Any] = {}
    for override in overrides:
        apply_override(values, override)
    return values
