"""What is asked: spectra, and the records of files that cannot be read, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from diptych.annotation.annotation import Annotation
from diptych.errors import ReadError
from diptych.spectra import Spectrum, read_spectra

Record = Spectrum | Annotation


def records_of(spectra: Iterable[Spectrum] | Path | str) -> Iterator[Record]:
    """Yield spectra; of a file also an annotation for each record that cannot be read."""
    if not isinstance(spectra, (str, Path)):
        yield from spectra
        return
    path = Path(spectra)
    problems: list[ReadError] = []
    for spectrum in read_spectra(path, on_problem=problems.append):
        yield from _unreadable(problems, source=path.name)
        yield spectrum
    yield from _unreadable(problems, source=path.name)


def _unreadable(problems: list[ReadError], *, source: str) -> Iterator[Annotation]:
    while problems:
        yield Annotation(source=source, reason=f"cannot be read: {problems.pop(0)}")


def batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Yield records in lists; those before a read error come before the error."""
    batch: list[Record] = []
    failure: ReadError | None = None
    try:
        for record in records:
            batch.append(record)
            if len(batch) == size:
                yield batch
                batch = []
    except ReadError as error:
        failure = error
    if batch:
        yield batch
    if failure is not None:
        raise failure
