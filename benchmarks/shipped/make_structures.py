"""Write src/diptych/shipped/structures.tsv.xz: the structures that Diptych asks when no other library is given.

    python benchmarks/shipped/make_structures.py ../shared/data

Kept are molecules that somebody measured or isolated and whose licence asks for nothing but a mention: all molecules of
MassSpecGym (MIT) and of MultiMS2 (CC0), the natural products of LOTUS and COCONUT (CC0), and the molecules of MassBank
records under CC0, CC BY or dl-de/by. The same input gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import io
import lzma
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from diptych.errors import StructureError
from diptych.files import replacing
from diptych.molecules import Structure
from diptych.spectra import Spectrum, read_spectra

SHIPPED = Path(__file__).parents[2] / "src" / "diptych" / "shipped"
MASSES_DA = (50.0, 1000.0)
# Fewest conditions first: a molecule found in several sources is listed under the first.
SOURCES = ("multims2", "lotus_coconut", "massspecgym", "massbank")
LICENCES = {
    "multims2": "CC0",
    "lotus_coconut": "CC0",
    "massspecgym": "MIT",
}
MASSBANK_LICENCES = ("CC0", "CC BY", "dl-de/by-2-0")
ISOTOPE = re.compile(r"\[\d+[A-Z]")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the shipped list; the fields are its columns."""

    smiles: str
    name: str
    inchikey_first_block: str
    source: str
    licence: str
    accession: str


def listed_smiles(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (source, SMILES) of the permissive rows of the given structure list."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if row["source"] in {"multims2", "lotus_coconut"}:
                yield row["source"], row["smiles"]
            elif row["massspecgym_fold"]:
                yield "massspecgym", row["smiles"]


def structure_or_none(smiles: str) -> Structure | None:
    """Return the structure within the mass range, None where there is none or it is labelled with isotopes."""
    if ISOTOPE.search(smiles):
        return None
    try:
        structure = Structure.from_smiles(smiles)
    except StructureError:
        return None
    return structure if MASSES_DA[0] <= structure.exact_mass <= MASSES_DA[1] else None


def rows_of_list(path: Path) -> dict[str, Row]:
    """Return the rows of the given structure list by first block."""
    rows: dict[str, Row] = {}
    for source, smiles in sorted(listed_smiles(path), key=lambda pair: (SOURCES.index(pair[0]), pair[1])):
        structure = structure_or_none(smiles)
        if structure is not None:
            row = _row(structure, source=source, licence=LICENCES[source])
            rows.setdefault(structure.inchikey_first_block, row)
    return rows


def _row(structure: Structure, *, source: str, licence: str, accession: str = "") -> Row:
    return Row(
        smiles=structure.smiles,
        name="",
        inchikey_first_block=structure.inchikey_first_block,
        source=source,
        licence=licence,
        accession=accession,
    )


class MassBankMolecules:
    """What the records say of each molecule: its names, and the least demanding record that draws it."""

    def __init__(self, spectra: Iterable[Spectrum]) -> None:
        self._structures: dict[str, Structure | None] = {}
        self._names: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._records: defaultdict[str, list[tuple[int, str, Structure]]] = defaultdict(list)
        for spectrum in spectra:
            self._add(spectrum)

    def _add(self, spectrum: Spectrum) -> None:
        smiles = spectrum.metadata.get("smiles", "")
        if smiles not in self._structures:
            self._structures[smiles] = structure_or_none(smiles)
        structure = self._structures[smiles]
        if structure is None:
            return
        block = structure.inchikey_first_block
        self._names[block][spectrum.metadata.get("compound_name", "")] += 1
        licence = spectrum.metadata.get("license", "")
        if licence in MASSBANK_LICENCES:
            self._records[block].append((MASSBANK_LICENCES.index(licence), spectrum.identifier, structure))

    def name(self, block: str) -> str:
        """Return the name that most records give, the shorter of two, or an empty text."""
        names = [(-count, len(name), name) for name, count in self._names[block].items() if _is_name(name)]
        return min(names)[2] if names else ""

    def rows(self) -> Iterator[Row]:
        """Yield one row for each molecule with a permissive record, with the record's accession."""
        for records in self._records.values():
            licence, accession, structure = min(records, key=lambda record: record[:2])
            yield _row(structure, source="massbank", licence=MASSBANK_LICENCES[licence], accession=accession)


def _is_name(text: str) -> bool:
    # Contributors number what they could not name, for instance "FLE_n_362.04655_19.2".
    return bool(text) and "_" not in text and "\t" not in text and len(text) <= 80


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write the rows sorted by SMILES: neighbours share their beginnings, which xz stores once."""
    text = io.StringIO()
    columns = list(Row.__dataclass_fields__)
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerow(columns)
    for row in sorted(rows, key=lambda row: row.smiles):
        writer.writerow([getattr(row, column) for column in columns])
    with replacing(path) as temporary:
        temporary.write_bytes(lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME))


def main() -> None:
    """Make the list and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with structures.tsv.xz and massbank-2025.05.1.tar.xz")
    parser.add_argument("-o", "--output", type=Path, default=SHIPPED / "structures.tsv.xz")
    arguments = parser.parse_args()
    archive = arguments.data / "massbank-2025.05.1.tar.xz"
    molecules = MassBankMolecules(read_spectra(archive, on_problem=lambda error: print(f"left out: {error}")))
    rows = rows_of_list(arguments.data / "structures.tsv.xz")
    for row in molecules.rows():
        rows.setdefault(row.inchikey_first_block, row)
    named = [Row(**{**vars(row), "name": molecules.name(row.inchikey_first_block)}) for row in rows.values()]
    write_rows(named, arguments.output)
    for (source, licence), count in sorted(Counter((row.source, row.licence) for row in named).items()):
        print(f"{count:7,}  {source}  {licence}")
    n_named = sum(bool(row.name) for row in named)
    print(f"{len(named):7,}  in all, {n_named:,} with a name, {arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
