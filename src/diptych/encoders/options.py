"""Whether the options that a configuration gives a part are options of it, of the right type and in their range."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from diptych.errors import ConfigError
from diptych.spectra.cleaning import CleaningSettings

_Part = TypeVar("_Part")

# One name means the same in every part. Whatever is not named is at least 0.
_AT_LEAST_ONE = frozenset(
    {
        *("hidden_dim", "bin_dim", "dim", "environment_dim", "channels", "width", "fine_width", "environments"),
        *("bins_per_da", "fine_bins_per_da", "kernel_size", "pooling", "segments", "max_peaks", "max_tokens", "k"),
        *("n_layers", "n_heads", "n_waves", "n_difference_waves", "n_last_layers", "lora_rank"),
    }
)
_ABOVE_ZERO = frozenset({"shortest_wave", "longest_wave", "ppm", "max_mz"})
_SHARES = frozenset(
    {
        *("dropout", "layer_dropout", "range_dropout", "annotation_dropout", "environment_dropout"),
        *("label_smoothing", "min_relative_intensity"),
    }
)
_WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Mapping: "a section"}
_LISTS = {int: "a list of whole numbers", float: "a list of numbers", str: "a list of texts"}


def check_options(
    options: Mapping[str, Any],
    part: Callable[..., Any],
    *,
    owner: str,
    place: str,
    fixed: Collection[str] = (),
    beside: Sequence[str] = (),
) -> None:
    """Refuse options that cannot be right, before anything is built from them.

    Parameters
    ----------
    options
        As a configuration has them.
    part
        What is to be built; the defaults in its signature, or the annotations where a default is None, tell the types.
    owner
        What has the options, as ``tower 'gin'``.
    place
        What stands before the name of an option in messages, as ``model.structure.``.
    fixed
        Parameters that no configuration sets.
    beside
        Further names to be told of, that are no options of the part.

    Raises
    ------
    ConfigError
        The options are no section, or an option is unknown, of a wrong type or out of its range.
    """
    if not isinstance(options, Mapping):
        raise ConfigError(f"{owner} must be a section of options, got {options!r}")
    parameters = {name: p for name, p in inspect.signature(part).parameters.items() if name not in fixed}
    for name, value in options.items():
        if name not in parameters:
            raise ConfigError(f"{owner} has no option {name!r}{hint(name, [*parameters, *beside])}")
        _check(name, value, parameters[name], place=place)


def built(
    part: Callable[..., _Part],
    options: Mapping[str, Any],
    *,
    owner: str,
    place: str,
    fixed: Mapping[str, Any] | None = None,
) -> _Part:
    """Return a part of a model, its options looked at first (`check_options`).

    Parameters
    ----------
    part, options, owner, place
        As there.
    fixed
        What the part is given beside its options.

    Raises
    ------
    ConfigError
        As there; or the part cannot be built from the options together.
    """
    given = dict(fixed or {})
    check_options(options, part, owner=owner, place=place, fixed=given)
    try:
        return part(**options, **given)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise ConfigError(f"{owner} cannot be built from {dict(options)}: {error}") from error


def hint(name: str, known: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(known)}"


def _check(name: str, value: Any, parameter: inspect.Parameter, *, place: str) -> None:  # noqa: ANN401 - found out here
    default = parameter.default
    if value is None and default is None:
        return
    if name == "cleaning" and isinstance(value, Mapping):
        check_options(value, CleaningSettings, owner=f"{place}cleaning", place=f"{place}cleaning.")
    elif isinstance(default, tuple | list):
        _check_list(name, value, type(default[0]), place=place)
    else:
        _check_value(name, value, _optional_kind(parameter) if default is None else type(default), place=place)


def _optional_kind(parameter: inspect.Parameter) -> type:
    """Return the type of an option that may be absent, from its annotation: a number, or a section."""
    return {"int": int, "float": float}.get(str(parameter.annotation).removesuffix(" | None"), Mapping)


def _check_list(name: str, value: Any, kind: type, *, place: str) -> None:  # noqa: ANN401 - found out here
    if not isinstance(value, list | tuple) or not value or not all(_is_a(item, kind) for item in value):
        raise ConfigError(f"{place}{name} must be {_LISTS[kind]}, got {value!r}")
    for item in value:
        _check_range(name, item, got=value, place=place)


def _check_value(name: str, value: Any, kind: type, *, place: str) -> None:  # noqa: ANN401 - found out here
    if kind not in _WANTED:  # a required option, or one of a type that only the part knows
        return
    if not _is_a(value, kind):
        raise ConfigError(f"{place}{name} must be {_WANTED[kind]}, got {value!r}")
    _check_range(name, value, got=value, place=place)


def _is_a(value: Any, kind: type) -> bool:  # noqa: ANN401 - found out here
    if kind is Mapping:
        return isinstance(value, Mapping)
    return type(value) in (int, float) if kind is float else type(value) is kind


def _check_range(name: str, value: Any, *, got: Any, place: str) -> None:  # noqa: ANN401 - any option
    if type(value) not in (int, float):
        return
    if name in _SHARES:
        accepted, wanted = 0 <= value < 1, "a share from 0 to below 1"
    elif name in _ABOVE_ZERO:
        accepted, wanted = value > 0, "above 0"
    else:
        least = 1 if name in _AT_LEAST_ONE else 0
        accepted, wanted = value >= least, f"at least {least}"
    if not accepted or value == math.inf:
        raise ConfigError(f"{place}{name} must be {wanted}, got {got!r}")
