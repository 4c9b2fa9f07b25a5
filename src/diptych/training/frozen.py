"""What a frozen structure tower makes of the structures of a run, computed once before training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from diptych.training.preparation import Prepared


def with_frozen_features(
    prepared: Prepared,
    encoder: Any,  # noqa: ANN401 - any structure tower
    *,
    cache: Path | None,
    report: Callable[[str], None],
) -> Prepared:
    """Return the data of a run with features replaced by what the frozen part of the structure tower makes of them.

    Parameters
    ----------
    prepared
        The data; returned as it is where the tower has no method ``frozen_features``.
    encoder
        The structure tower.
    cache
        Folder in which the result is looked for, and kept; None for none.
    report
        Called with a line about each thing that is done.

    Raises
    ------
    OutputError
        The cache cannot be written.
    """
    freeze = getattr(encoder, "frozen_features", None)
    if freeze is None:
        return prepared
    table, validation = prepared.table, prepared.validation
    # The training structures come first: a tower may measure its space by the first that it sees.
    table = replace(table, features=freeze(table.features, cache=cache, report=report))
    if validation is not None:
        validation = replace(validation, features=freeze(validation.features, cache=cache, report=report))
    return replace(prepared, table=table, validation=validation)
