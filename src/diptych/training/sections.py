"""Nested mappings, as TOML gives them, read into frozen dataclasses; every mistake is named with its place."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from diptych.errors import ConfigError

_Section = TypeVar("_Section")


def setting(default: Any, *, minimum: float | None = None, maximum: float | None = None) -> Any:  # noqa: ANN401 - a field
    """Return a dataclass field with bounds, which are included."""
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum})


def unknown_key(key: str, *, section: str, known: Sequence[str]) -> ConfigError:
    """Return the error for a key that is not known, naming the section and the nearest known key."""
    place = f"section [{section}]" if section else "the configuration"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return ConfigError(f"unknown key {key!r} in {place}; {advice}")


def merged(base: Mapping[str, Any], on_top: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings with others laid on top; a section that names another part (``name``) replaces the whole.

    Examples
    --------
    >>> merged({"tower": {"name": "gcn", "dim": 3}, "epochs": 2}, {"tower": {"name": "gin"}})
    {'tower': {'name': 'gin'}, 'epochs': 2}
    """
    result = dict(base)
    for key, value in on_top.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping) and not _other_part(before, value):
            result[key] = merged(before, value)
        else:
            result[key] = value
    return result


def _other_part(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return "name" in after and "name" in before and after["name"] != before["name"]


def apply_override(values: dict[str, Any], override: str) -> None:
    """Put the value of ``section.key=value`` into nested mappings; it is read as TOML, or else as text.

    Raises
    ------
    ConfigError
        There is no ``=``, or a part of the key is a value.
    """
    key, equals, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise ConfigError(f"override {override!r} must look like section.key=value, such as training.epochs=20")
    target = values
    for part in parts[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise ConfigError(f"override {override!r}: {part!r} is a value, not a section")
    target[parts[-1]] = _toml_value(text.strip())


def _toml_value(text: str) -> Any:  # noqa: ANN401 - any TOML value
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def section_from(cls: type[_Section], values: Any, *, section: str) -> _Section:  # noqa: ANN401 - checked here
    """Return a dataclass from nested mappings; a field that is a dataclass is a section of its own.

    Raises
    ------
    ConfigError
        An unknown key, or a value of a wrong type, out of range or not finite.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"[{section}] must be a section, got {values!r}")
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    arguments = {}
    for key, value in values.items():
        if key not in known:
            raise unknown_key(key, section=section, known=list(known))
        where = f"{section}.{key}" if section else key
        if is_dataclass(hints[key]):
            arguments[key] = section_from(hints[key], value, section=where)
        else:
            _check_finite(value, where=where)
            arguments[key] = _in_range(_typed(value, hints[key], where=where), known[key].metadata, where=where)
    return cls(**arguments)


def _check_finite(value: Any, *, where: str) -> None:  # noqa: ANN401 - any TOML value
    """Refuse nan and inf, which TOML has too, however deep in a table or a list they stand."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_finite(item, where=f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_finite(item, where=f"{where}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where} must be a finite number, got {value}")


def _typed(value: Any, kind: Any, *, where: str) -> Any:  # noqa: ANN401 - that is what is found out
    if isinstance(kind, UnionType):
        return None if value is None else _typed(value, get_args(kind)[0], where=where)
    origin = get_origin(kind)
    if origin is Literal:
        accepted, wanted = value in get_args(kind), "one of " + ", ".join(map(repr, get_args(kind)))
    elif origin is tuple:
        item = get_args(kind)[0]
        return _tables(value, where=where) if get_origin(item) is Mapping else _typed_list(value, item, where=where)
    elif origin is Mapping:
        accepted, wanted = isinstance(value, Mapping), "a section"
    elif kind is float:
        accepted, wanted = isinstance(value, int | float) and not isinstance(value, bool), "a number"
        value = float(value) if accepted else value
    else:
        accepted = type(value) is kind
        wanted = {int: "a whole number", bool: "true or false", str: "a text"}[kind]
    if not accepted:
        raise ConfigError(f"{where} must be {wanted}, got {value!r}")
    return value


def _tables(value: Any, *, where: str) -> tuple[Mapping[str, Any], ...]:  # noqa: ANN401 - that is what is found out
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        raise ConfigError(f"{where} must be a list of tables ([[{where}]]), got {value!r}")
    return tuple(value)


def _typed_list(value: Any, kind: type, *, where: str) -> tuple[Any, ...]:  # noqa: ANN401 - that is what is found out
    types, wanted = {str: (str, "texts"), float: (int | float, "numbers")}[kind]
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, types) and not isinstance(item, bool) for item in value
    ):
        raise ConfigError(f"{where} must be a list of {wanted}, got {value!r}")
    return tuple(kind(item) for item in value)


def _in_range(value: Any, metadata: Mapping[str, Any], *, where: str) -> Any:  # noqa: ANN401 - handed through
    minimum, maximum = metadata.get("minimum"), metadata.get("maximum")
    if minimum is not None and not value >= minimum:
        raise ConfigError(f"{where} must be at least {minimum}, got {value}")
    if maximum is not None and not value <= maximum:
        raise ConfigError(f"{where} must be at most {maximum}, got {value}")
    return value
