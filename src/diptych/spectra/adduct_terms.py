"""The grammar of adducts: from text to groups of atoms, their charge, and their canonical order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from diptych.errors import AdductError, FormulaError
from diptych.spectra.masses import parse_formula

# Abbreviations, in lower case; what can be read as a formula never gets here. "NA" and "CL" are misspelt elements.
_ABBREVIATIONS = {
    "ac": "C2H3O2",
    "oac": "C2H3O2",
    "aco": "C2H3O2",
    "acetate": "C2H3O2",
    "hac": "C2H4O2",
    "hoac": "C2H4O2",
    "acoh": "C2H4O2",
    "aa": "C2H4O2",
    "fa": "CH2O2",
    "hfa": "CH2O2",
    "formate": "CHO2",
    "tfa": "C2HF3O2",
    "acn": "C2H3N",
    "mecn": "C2H3N",
    "meoh": "CH4O",
    "etoh": "C2H6O",
    "isoprop": "C3H8O",
    "iproh": "C3H8O",
    "ipa": "C3H8O",
    "dmso": "C2H6OS",
    "dmf": "C3H7NO",
    "tea": "C6H15N",
    "na": "Na",
    "cl": "Cl",
    "br": "Br",
    "li": "Li",
}

# Charge of the groups that give an ion its charge, by Hill formula.
_CARRIERS = {
    **dict.fromkeys(("H", "D", "Li", "Na", "K", "Rb", "Cs", "Ag", "H4N"), 1),
    **dict.fromkeys(("Mg", "Ca", "Sr", "Ba", "Zn"), 2),
    "Al": 3,
    **dict.fromkeys(("F", "Cl", "Br", "I", "HO", "NO3", "HO4S", "H2O4P", "CHO3"), -1),
    **dict.fromkeys(("CHO2", "C2H3O2", "C2F3O2", "C3H5O3"), -1),
    "e": -1,
}

# An acid that has lost its proton is written as its anion, by Hill formula.
_ANIONS = {"CH2O2": "CHO2", "C2H4O2": "C2H3O2", "C2HF3O2": "C2F3O2", "ClH": "Cl", "BrH": "Br", "HI": "I"}

# How chemists write a group, where it is not the Hill formula.
_CUSTOMARY = {
    "BrH": "HBr",
    "C2F3O2": "CF3COO",
    "C2H3N": "ACN",
    "C2H3O2": "CH3COO",
    "C2H4O2": "CH3COOH",
    "C2H6OS": "DMSO",
    "C2HF3O2": "TFA",
    "C3H8O": "IsoProp",
    "CH2O2": "HCOOH",
    "CH4O": "CH3OH",
    "CHO2": "HCOO",
    "CHO3": "HCO3",
    "ClH": "HCl",
    "FH": "HF",
    "H2O4P": "H2PO4",
    "H2O4S": "H2SO4",
    "H3N": "NH3",
    "H3O4P": "H3PO4",
    "H4N": "NH4",
    "HO": "OH",
    "HO3P": "HPO3",
    "HO4S": "HSO4",
    "O2S": "SO2",
    "O3S": "SO3",
}

_EVEN_VALENCE = frozenset({"C", "O", "S", "Si", "Se"})
_ODD_VALENCE = frozenset({"H", "D", "F", "Cl", "Br", "I", "N", "P", "B"})

_BODY = re.compile(r"(\d{0,2})(?:M|Cat)((?:[+-]\d{0,2}+[^+-]+)*)([+-]*)")
_TERM = re.compile(r"([+-])(\d{0,2}+)([^+-]+)")
_ISOTOPES = frozenset({"13C", "15N", "18O", "34S", "37Cl", "81Br"})
_CHARGE = re.compile(r"(\d{0,2})([+-])|([+-])(\d{1,2})|(\++|-+)|")
_RADICAL_MARKS = re.compile(r"[.*•·˙]")
_MINUS_SIGNS = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_MAX_LENGTH = 120


@dataclass(frozen=True, kw_only=True)
class WrittenAdduct:
    """An adduct as it is written: terms are (sign and multiplicity, group)."""

    n_molecules: int
    terms: tuple[tuple[int, str], ...]
    charge: int | None
    is_radical: bool


def split(text: str) -> WrittenAdduct:
    """Return the parts of an adduct's text.

    Raises
    ------
    AdductError
        The text does not have the shape of an adduct.
    """
    if len(text) > _MAX_LENGTH:
        raise _no_adduct(text)
    plain = unicodedata.normalize("NFKC", text).translate(_MINUS_SIGNS)
    plain = "".join(plain.split()).split("/")[0]
    unmarked = _RADICAL_MARKS.sub("", plain)
    body, tail = _brackets_removed(unmarked)
    match = _BODY.fullmatch(body)
    if match is None:
        raise _no_adduct(text)
    number, term_text, inner_signs = match.groups()
    if number and int(number) == 0:
        raise AdductError(f"adduct {text!r}: no molecule in it; expected such as '[M+H]+' or '[2M+H]+'")
    return WrittenAdduct(
        n_molecules=int(number or 1),
        terms=tuple(_term(*parts, text=text) for parts in _TERM.findall(term_text)),
        charge=_charge(tail or inner_signs, text),
        is_radical=unmarked != plain,
    )


def _brackets_removed(text: str) -> tuple[str, str]:
    for opening, closing in ("[]", "()"):
        if text.startswith(opening) and closing in text:
            body, _, tail = text[1:].rpartition(closing)
            if opening == "[" and body.count("]"):
                body, _, tail = text[1:].partition(closing)
            return body, tail.strip("()")
    return text, ""


def _term(sign: str, multiplicity: str, group: str, *, text: str) -> tuple[int, str]:
    if multiplicity + group in _ISOTOPES:
        raise AdductError(f"adduct {text!r}: {multiplicity}{group} names an isotope; expected a monoisotopic ion")
    return int(f"{sign}{multiplicity or 1}"), group


def _charge(text: str, original: str) -> int | None:
    match = _CHARGE.fullmatch(text)
    if match is None:
        raise AdductError(f"adduct {original!r}: {text!r} is no charge; expected such as '+', '2+' or '-'")
    size_first, sign_after, sign_before, size_after, signs = match.groups()
    if signs:
        return len(signs) if signs[0] == "+" else -len(signs)
    sign = sign_after or sign_before
    if not sign:
        return None
    size = int(size_first or size_after or 1)
    if size == 0:
        raise AdductError(f"adduct {original!r}: charge 0 is no ion; expected such as '+', '2+' or '-'")
    return size if sign == "+" else -size


def _no_adduct(text: str) -> AdductError:
    return AdductError(f"{text[:_MAX_LENGTH]!r} is no adduct; expected such as '[M+H]+', '[M-H2O+H]+' or '[2M+Na-2H]-'")


def count_groups(written: WrittenAdduct) -> dict[str, int]:
    """Return how often each group (by Hill formula) was added, less how often it was removed; no zeros.

    Raises
    ------
    AdductError
        A group is neither a formula nor a known abbreviation.
    """
    counts: dict[str, int] = {}
    for number, group in written.terms:
        key = _hill(_atoms_of(group))
        counts[key] = counts.get(key, 0) + number
    return {key: number for key, number in counts.items() if number}


@cache
def _hill_atoms(hill: str) -> Mapping[str, int]:
    return {} if hill == "e" else parse_formula(hill)


def _atoms_of(group: str) -> Mapping[str, int]:
    if group == "e":
        return {}
    try:
        return parse_formula(group)
    except FormulaError:
        if group.lower() in _ABBREVIATIONS:
            return parse_formula(_ABBREVIATIONS[group.lower()])
    raise AdductError(f"adduct group {group!r} is unknown; expected a formula such as H2O or one of ACN, FA, HAc, ...")


def _hill(atoms: Mapping[str, int]) -> str:
    first = ("C", "H") if "C" in atoms else ()
    elements = [*(e for e in first if e in atoms), *sorted(e for e in atoms if e not in first)]
    return "".join(f"{e}{atoms[e] if atoms[e] > 1 else ''}" for e in elements) or "e"


def merge_acids(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the groups with deprotonated acids as anions and protonated ammonia as ammonium.

    >>> merge_acids({"CH2O2": 1, "H": -1})
    {'CHO2': 1}
    """
    merged = dict(counts)
    for acid, anion in _ANIONS.items():
        pairs = min(max(merged.get(acid, 0), 0), max(-merged.get("H", 0), 0))
        _move(merged, {acid: -pairs, "H": pairs, anion: pairs})
    pairs = min(max(merged.get("H3N", 0), 0), max(merged.get("H", 0), 0))
    _move(merged, {"H3N": -pairs, "H": -pairs, "H4N": pairs})
    return {key: number for key, number in merged.items() if number}


def _move(counts: dict[str, int], changes: Mapping[str, int]) -> None:
    for key, change in changes.items():
        counts[key] = counts.get(key, 0) + change


def derived_charge(counts: Mapping[str, int]) -> int | None:
    """Return the sum of the groups' charges; None where that of a group cannot be known.

    A metal of several oxidation states, an odd group (``CH3``), and a removed anion, which may have left as a radical,
    cannot be known.

    >>> derived_charge({"Na": 1, "H": -2}), derived_charge({"H2O": -1, "H": 1}), derived_charge({"CH3": -1})
    (-1, 1, None)
    """
    total = 0
    for key, number in counts.items():
        charge = _CARRIERS.get(key, 0 if _is_closed_shell(key) else None)
        if charge is None or (charge < 0 and number < 0 and key != "e"):
            return None
        total += charge * number
    return total


def _is_closed_shell(hill: str) -> bool:
    atoms = _hill_atoms(hill)
    if not _EVEN_VALENCE.union(_ODD_VALENCE).issuperset(atoms):
        return False
    return sum(number for element, number in atoms.items() if element in _ODD_VALENCE) % 2 == 0


def canonical_text(counts: Mapping[str, int]) -> str:
    """Return the groups in canonical order.

    >>> canonical_text({"H": 1, "H2O": -1})
    '-H2O+H'
    """

    def order(item: tuple[str, int]) -> tuple[int, bool, str]:
        key, number = item
        section = (2 if number > 0 else 3) if key in _CARRIERS else int(number > 0)
        return section, key != "H", _CUSTOMARY.get(key, key)

    return "".join(
        f"{'+' if number > 0 else '-'}{abs(number) if abs(number) > 1 else ''}{_CUSTOMARY.get(key, key)}"
        for key, number in sorted(counts.items(), key=order)
        if key != "e"
    )


def composition(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the atoms added less the atoms removed, by element in alphabetical order."""
    total: dict[str, int] = {}
    for key, number in counts.items():
        for element, atoms in _hill_atoms(key).items():
            total[element] = total.get(element, 0) + number * atoms
    return dict(sorted(total.items()))
