"""The log of a pretraining run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def logged(folder: Path, report: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Yield a function that reports a line and appends it, with the time, to ``pretrain.log`` in the folder.

    Parameters
    ----------
    folder
        Made if need be.
    report
        Called with every line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pretrain.log").open("a", encoding="utf-8") as log:

        def say(line: str) -> None:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
            log.flush()
            report(line)

        yield say
