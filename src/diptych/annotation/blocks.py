"""A text file that stays valid when the disk fills up while it is written."""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType
from typing import Self

_BLOCK_BYTES = 1 << 16


class BlockFile:
    """A UTF-8 text file written in blocks of whole records, which falls back to its last whole block on an error.

    Parameters
    ----------
    path
        Written anew.
    block_bytes
        Records are gathered until there are as many bytes.

    Notes
    -----
    A record is what one call of :meth:`write` gets. The first record is a block of its own and never given up.
    """

    def __init__(self, path: Path, *, block_bytes: int = _BLOCK_BYTES) -> None:
        self._raw: io.RawIOBase = path.open("wb", buffering=0)
        self._block_bytes = block_bytes
        self._pending: list[str] = []
        self._n_pending = 0
        self._ends: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._raw.close()

    def write(self, record: str) -> None:
        """Add one record.

        Raises
        ------
        OSError
            A block could not be written; the records of that block are given up, those before are kept.
        """
        self._pending.append(record)
        self._n_pending += len(record)
        if self._n_pending >= self._block_bytes or not self._ends:
            self._flush()

    def write_last(self, record: str, *, if_cut: str) -> None:
        """Write what is pending and a last record; where the disk is full, give up a block for ``if_cut`` instead.

        Raises
        ------
        OSError
            Not even the shorter file could be written.
        """
        try:
            self._pending.append(record)
            self._flush()
        except OSError:
            self._ends = self._ends[:1] if len(self._ends) < 3 else self._ends[:-1]
            self._fall_back_to(self._ends[-1])
            self._pending = [if_cut]
            self._flush()

    def _flush(self) -> None:
        data = memoryview("".join(self._pending).encode("utf-8", errors="replace"))
        self._pending, self._n_pending = [], 0
        end = (self._ends[-1] if self._ends else 0) + len(data)
        try:
            while data:
                data = data[self._raw.write(data) :]
        except OSError:
            self._fall_back_to(self._ends[-1] if self._ends else 0)
            raise
        self._ends = [*self._ends[:1], *self._ends[1:][-1:], end]

    def _fall_back_to(self, end: int) -> None:
        self._raw.truncate(end)
        self._raw.seek(end)
