"""From the parts of a build to a library: one row per molecule, sorted by mass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from diptych.molecules.parallel import RowFailure
from diptych.molecules.structure import charge_of_formula
from diptych.retrieval.description import (
    EMBEDDINGS,
    FAILURES,
    MASSES,
    STRUCTURES,
    LibraryDescription,
    sizes_and_digest,
)
from diptych.retrieval.library import NamedModel
from diptych.retrieval.parts import PartStore
from diptych.retrieval.structure_table import write_structure_table
from diptych.spectra.masses import ELECTRON_MASS

_ROWS_PER_WRITE = 32_768
_MASS_DECIMALS = 9
SEPARATOR = "; "
"""Between the sources, or licences, of a structure that came from several."""


@dataclass(frozen=True, kw_only=True)
class _Merged:
    """One row per molecule, sorted by mass, and where in the parts each one comes from."""

    table: pa.Table
    masses: NDArray[np.float64]
    part_rows: NDArray[np.int64]


def write_library(store: PartStore, folder: Path, *, model: NamedModel) -> LibraryDescription:
    """Write the library of all parts into an empty folder and return its description."""
    failures = store.failures()
    parts_table = store.table()
    merged = _merged(parts_table)
    write_structure_table(merged.table, folder / STRUCTURES)
    np.save(folder / MASSES, merged.masses)
    _write_embeddings(store, merged.part_rows, folder / EMBEDDINGS)
    _write_failures(failures, folder / FAILURES)
    sizes, digest = sizes_and_digest(folder)
    description = LibraryDescription(
        model_name=model.name,
        model_digest=model.digest,
        embedding_dim=store.dim,
        n_rows=store.n_rows,
        n_structures=merged.table.num_rows,
        n_duplicates=parts_table.num_rows - merged.table.num_rows,
        n_failures=len(failures),
        n_formulas=pc.count_distinct(merged.table.column("formula")).as_py(),
        lightest=float(merged.masses[0]),
        heaviest=float(merged.masses[-1]),
        sources=_counts(merged.table.column("source")),
        licences=_counts(merged.table.column("licence")),
        sizes=sizes,
        digest=digest,
    )
    description.write(folder)
    return description


def _merged(table: pa.Table) -> _Merged:
    """Return one row per first block, sorted by neutral mass and InChIKey.

    Of the rows that share a first block the one stays that is least charged, then the one without isotope labels, then
    the first SMILES in the alphabet, whatever their order in the source; it takes over the sources and licences of all.
    """
    formulas = table.column("formula").dictionary_encode().unify_dictionaries().combine_chunks()
    charges_of_dictionary = np.array([charge_of_formula(formula) for formula in formulas.dictionary.to_pylist()])
    charges = charges_of_dictionary[formulas.indices.to_numpy()]
    blocks = pc.utf8_slice_codeunits(table.column("inchikey"), 0, 14)
    keys = pa.table(
        {
            "block": blocks,
            "charge": np.abs(charges),
            "labelled": pc.match_substring_regex(table.column("smiles"), r"\[\d"),
            "smiles": table.column("smiles"),
            "row": np.arange(table.num_rows),
        }
    )
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names]).to_numpy()
    sorted_blocks = blocks.take(pa.array(order)).combine_chunks()
    is_first = np.ones(order.size, dtype=bool)
    is_first[1:] = pc.not_equal(sorted_blocks[1:], sorted_blocks[:-1]).to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(is_first)
    winners = order[starts]
    masses = np.round(table.column("exact_mass").to_numpy()[winners] + charges[winners] * ELECTRON_MASS, _MASS_DECIMALS)
    by_mass = pc.sort_indices(
        pa.table({"mass": masses, "inchikey": table.column("inchikey").take(pa.array(winners))}),
        sort_keys=[("mass", "ascending"), ("inchikey", "ascending")],
    ).to_numpy()
    chosen = table.take(pa.array(winners[by_mass]))
    stops = np.append(starts[1:], order.size)
    shared = np.flatnonzero((stops - starts)[by_mass] > 1).tolist()
    merged = {at: order[starts[by_mass[at]] : stops[by_mass[at]]] for at in shared}
    return _Merged(
        table=_with_merged_columns(chosen, table, merged),
        masses=masses[by_mass],
        part_rows=winners[by_mass].astype(np.int64),
    )


def _with_merged_columns(chosen: pa.Table, table: pa.Table, merged: dict[int, NDArray[np.int64]]) -> pa.Table:
    """Return the table with the sources and licences of all rows of each group, and a name where one row has one."""
    if not merged:
        return chosen
    members = pa.array(np.concatenate(list(merged.values())))
    bounds = np.cumsum([0, *(group.size for group in merged.values())])
    for name, join in (("source", _joined), ("licence", _joined), ("name", _first)):
        of_members = table.column(name).take(members).to_pylist()
        values = chosen.column(name).to_pylist()
        for at, start, stop in zip(merged, bounds[:-1], bounds[1:], strict=True):
            values[at] = join(of_members[start:stop])
        chosen = chosen.set_column(chosen.column_names.index(name), name, pa.array(values, type=pa.string()))
    return chosen


def _joined(texts: Iterable[str]) -> str:
    return SEPARATOR.join(sorted({text for text in texts if text}))


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


def _write_embeddings(store: PartStore, part_rows: NDArray[np.int64], path: Path) -> None:
    """Write the vectors in the order of the library, a block at a time."""
    # Not through a memory map, since writing to one on a full disk kills the process.
    parts = store.embeddings()
    firsts = np.cumsum([0, *(part.shape[0] for part in parts)])
    header = {"descr": "<f2", "fortran_order": False, "shape": (part_rows.size, store.dim)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for block in _blocks(part_rows):
            vectors = np.empty((block.size, store.dim), dtype="<f2")
            part_of = np.searchsorted(firsts, block, side="right") - 1
            for index in np.unique(part_of):
                here = part_of == index
                vectors[here] = parts[index][block[here] - firsts[index]]
            stream.write(vectors.tobytes())


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, rows.size, _ROWS_PER_WRITE):
        yield rows[start : start + _ROWS_PER_WRITE]


def _write_failures(failures: Iterable[RowFailure], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("row_number\ttext\treason\n")
        for failure in failures:
            text, reason = (" ".join(cell.split()) for cell in (failure.text, failure.reason))
            stream.write(f"{failure.row_number}\t{text}\t{reason}\n")


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Return how many structures each source, or licence, stands for; the most frequent first."""
    counts: Counter[str] = Counter()
    for entry in pc.value_counts(column).to_pylist():
        for name in entry["values"].split(SEPARATOR):
            counts[name] += entry["counts"]
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
