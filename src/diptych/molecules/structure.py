"""One molecular structure, standardised so that the same molecule is always written the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Self

import rdkit
from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors, rdqueries
from rdkit.Chem.MolStandardize import rdMolStandardize

from diptych.errors import FormulaError, StructureError
from diptych.molecules.formula import Formula
from diptych.spectra.masses import ELECTRON_MASS

TOOLKIT = f"rdkit {rdkit.__version__}"
"""What standardises, since another version may write the same molecule in another way."""

MAX_CHARACTERS = 10_000
MAX_HEAVY_ATOMS = 1_000
_SHOWN_CHARACTERS = 60
_MASS_DECIMALS = 9  # beyond them the order of the atoms would show
_IS_HILL = re.compile(r"C(?![a-z])[^\[DT]*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """A standardised molecule; two structures are one molecule when their ``inchikey_first_block`` is the same.

    Attributes
    ----------
    smiles
        Canonical SMILES of the standardised molecule, without stereo.
    inchikey
        27 characters, of the standardised molecule.
    formula
        Hill order, with the charge as suffix (``C5H14NO+``) and isotope labels apart from their element
        (``C2H4D2O``, ``C[13C]H6O``).
    exact_mass
        Da, monoisotopic (of the labelled isotopes where there are any). Of a molecule that stays charged it is the mass
        of the ion: the electron that is missing is not counted.
    name
        As the source calls it; may be empty.
    inchi
        InChI of the standardised molecule; empty where it was read from a table that does not keep it. Not compared.

    Examples
    --------
    >>> caffeine = Structure.from_smiles("CN1C=NC2=C1C(=O)N(C(=O)N2C)C", name="caffeine")
    >>> caffeine.smiles, caffeine.formula, round(caffeine.exact_mass, 4)
    ('Cn1c(=O)c2c(ncn2C)n(C)c1=O', 'C8H10N4O2', 194.0804)
    >>> caffeine.inchikey_first_block
    'RYYVLZVUVIJVGH'
    """

    smiles: str
    inchikey: str
    formula: str
    exact_mass: float
    name: str = ""
    inchi: str = field(default="", compare=False)

    @classmethod
    def from_smiles(cls, text: str, *, name: str = "") -> Self:
        """Return the standardised structure of a SMILES; what follows it after a space is ignored.

        Raises
        ------
        StructureError
            The text is empty, too long, no SMILES, or not one definite molecule (see `standardise`).
        """
        return cls.from_standardised(standardise(mol_from_smiles(text)), name=name)

    @classmethod
    def from_inchi(cls, text: str, *, name: str = "") -> Self:
        """Return the standardised structure of an InChI, with or without the ``InChI=`` in front.

        Raises
        ------
        StructureError
            The text is empty, too long, no InChI, or not one definite molecule (see `standardise`).
        """
        return cls.from_standardised(standardise(mol_from_inchi(text)), name=name)

    @classmethod
    def from_standardised(cls, mol: Chem.Mol, *, name: str = "") -> Self:
        """Return the structure of a molecule that has been through `standardise`; it is described as it is."""
        smiles = Chem.MolToSmiles(mol)
        with rdBase.BlockLogs():
            inchi = Chem.MolToInchi(mol)  # type: ignore[no-untyped-call]  # RDKit's Python
            inchikey = Chem.InchiToInchiKey(inchi) if inchi else ""  # type: ignore[no-untyped-call]
        if not inchikey:
            raise StructureError(
                f"{_shown(smiles)}: no InChIKey can be made of it; expected a molecule that InChI knows"
            )
        return cls(
            smiles=smiles,
            inchikey=inchikey,
            formula=_hill(rdMolDescriptors.CalcMolFormula(mol, separateIsotopes=True)),
            exact_mass=round(rdMolDescriptors.CalcExactMolWt(mol), _MASS_DECIMALS),
            name=name,
            inchi=inchi,
        )

    @property
    def inchikey_first_block(self) -> str:
        """The 14 characters that identify the molecule for matching and splitting."""
        return self.inchikey[:14]

    @property
    def charge(self) -> int:
        """Formal charge that could not be neutralised, for instance 1 for a quaternary ammonium.

        Examples
        --------
        >>> Structure.from_smiles("C[N+](C)(C)CCO").charge
        1
        """
        return charge_of_formula(self.formula)

    @property
    def neutral_mass(self) -> float:
        """Da: `exact_mass` with the electrons of the formal charge put back, the mass that adducts are counted from.

        For a neutral molecule it is `exact_mass`. A quaternary ammonium is measured as [M]+, and
        ``Adduct.parse("[M]+").neutral_mass(precursor_mz)`` gives this mass.
        """
        return float(self.exact_mass + self.charge * ELECTRON_MASS)

    def mol(self) -> Chem.Mol:
        """Return a new RDKit molecule of the SMILES."""
        return Chem.MolFromSmiles(self.smiles)


def charge_of_formula(formula: str) -> int:
    """Return the charge that a Hill formula ends with: ``+`` is 1, ``-2`` is -2, none is 0."""
    digits = formula[max(formula.rfind("+"), formula.rfind("-")) :]
    if digits[:1] not in {"+", "-"}:
        return 0
    return int(digits + "1") if len(digits) == 1 else int(digits)


def _hill(formula: str) -> str:
    """Return RDKit's formula in Hill order, from which it departs where there is no carbon or an isotope."""
    if _IS_HILL.match(formula):
        return formula
    try:
        return Formula.parse(formula).hill
    except FormulaError:  # an element so rare that it has no mass, such as technetium
        return formula


def mol_from_smiles(text: str) -> Chem.Mol:
    """Return the RDKit molecule of a SMILES as it is drawn.

    Raises
    ------
    StructureError
        The text is empty, longer than `MAX_CHARACTERS`, or RDKit cannot parse it.
    """
    words = text.split(None, 1)
    if not words:
        raise StructureError("empty SMILES; expected a molecule")
    _check_length(words[0], "SMILES")
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(words[0])
    if mol is None:
        raise StructureError(f"{_shown(words[0])}: cannot be parsed; expected a SMILES with valid valences and rings")
    return mol


def mol_from_inchi(text: str) -> Chem.Mol:
    """Return the RDKit molecule of an InChI, with or without the ``InChI=`` in front.

    Raises
    ------
    StructureError
        The text is empty, longer than `MAX_CHARACTERS`, or RDKit cannot parse it.
    """
    inchi = text.strip().strip('"')
    if not inchi:
        raise StructureError("empty InChI; expected a molecule")
    _check_length(inchi, "InChI")
    if not inchi.startswith("InChI="):
        inchi = f"InChI={inchi}"
    with rdBase.BlockLogs():
        mol: Chem.Mol | None = Chem.MolFromInchi(inchi)  # type: ignore[no-untyped-call]  # RDKit's Python
    if mol is None:
        raise StructureError(f"{_shown(inchi)}: cannot be parsed; expected an InChI such as InChI=1S/CH4/h1H4")
    return mol


def standardise(mol: Chem.Mol) -> Chem.Mol:
    """Return the one definite molecule that stands for a drawn one; the argument is not changed.

    The largest organic fragment is kept (most heavy atoms, then the heaviest, then the first SMILES in the alphabet);
    charges are neutralised where adding or removing protons can do it (a quaternary ammonium stays charged); stereo and
    atom-map numbers are removed. Isotope labels are kept: they change the mass, though not the InChIKey's first block.

    Raises
    ------
    StructureError
        There is no heavy atom, there are more than `MAX_HEAVY_ATOMS`, or an atom or bond is a placeholder or query.
    """
    n_heavy_atoms = mol.GetNumHeavyAtoms()
    if n_heavy_atoms > MAX_HEAVY_ATOMS:
        raise StructureError(f"a molecule of {n_heavy_atoms} heavy atoms; expected at most {MAX_HEAVY_ATOMS}")
    with rdBase.BlockLogs():
        try:
            standard = _neutralised(_largest_fragment(mol))
            Chem.RemoveStereochemistry(standard)
        except (ValueError, RuntimeError) as error:
            raise StructureError(f"a molecule that RDKit cannot standardise: {error}") from error
    if standard.GetNumHeavyAtoms() == 0:
        raise StructureError("a molecule without heavy atoms; expected at least one atom that is not hydrogen")
    return standard


def _largest_fragment(mol: Chem.Mol) -> Chem.Mol:
    """Return a copy of the largest fragment, fragments with carbon before those without."""
    if len(Chem.GetMolFrags(mol)) <= 1:
        return Chem.Mol(mol)
    fragments = Chem.GetMolFrags(mol, asMols=True, sanitizeFrags=True)
    largest: Chem.Mol = min(fragments, key=_fragment_order)
    return largest


def _fragment_order(fragment: Chem.Mol) -> tuple[bool, int, float, str]:
    has_carbon = any(atom.GetAtomicNum() == 6 for atom in fragment.GetAtoms())
    mass = rdMolDescriptors.CalcExactMolWt(fragment)
    return not has_carbon, -fragment.GetNumHeavyAtoms(), -mass, Chem.MolToSmiles(fragment)


def _neutralised(mol: Chem.Mol) -> Chem.Mol:
    """Return the molecule with protons added or removed where charged, after refusing placeholders and queries."""
    has_charge = False
    for atom in mol.GetAtomsMatchingQuery(_unusual_atom()):
        if atom.GetAtomicNum() == 0:
            raise StructureError(f"atom {atom.GetIdx() + 1} is a placeholder; expected an element")
        if atom.GetFormalCharge():
            has_charge = True
        atom.SetAtomMapNum(0)
    if mol.HasQuery():
        raise StructureError("an atom or bond is a query; expected definite ones")
    return _uncharged(mol) if has_charge else mol


def _uncharged(mol: Chem.Mol) -> Chem.Mol:
    """Return the molecule with protons added or removed where charged.

    Raises
    ------
    StructureError
        RDKit cannot read again what it makes of it.
    """
    aromatic_anion = any(
        a.GetFormalCharge() < 0 and a.GetIsAromatic() and a.GetAtomicNum() == 6 for a in mol.GetAtoms()
    )
    if aromatic_anion:
        # With its proton a cyclopentadienide is no longer aromatic, which RDKit overlooks.
        mol = Chem.Mol(mol)
        Chem.Kekulize(mol, clearAromaticFlags=True)
    neutral: Chem.Mol = _uncharger().uncharge(mol)
    if aromatic_anion:
        Chem.SanitizeMol(neutral)
    smiles = Chem.MolToSmiles(neutral)
    if Chem.MolFromSmiles(smiles) is None:
        raise StructureError(f"{_shown(smiles)}: RDKit neutralises to this, and cannot read it again")
    return neutral


@cache
def _unusual_atom() -> Chem.QueryAtom:
    """Return what finds charged, placeholder and mapped atoms, ten times faster than a loop in Python does."""
    query = rdqueries.FormalChargeEqualsQueryAtom(0, negate=True)
    for other in (rdqueries.AtomNumEqualsQueryAtom(0), rdqueries.HasPropQueryAtom("molAtomMapNumber")):
        query.ExpandQuery(other, how=Chem.CompositeQueryType.COMPOSITE_OR)
    return query


@cache
def _uncharger() -> rdMolStandardize.Uncharger:
    # Without protonationOnly, RDKit turns carbocations into hydrocarbons by adding hydride.
    return rdMolStandardize.Uncharger(canonicalOrder=True, force=False, protonationOnly=True)


def _check_length(text: str, kind: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise StructureError(f"{_shown(text)}: {kind} of {len(text)} characters; expected at most {MAX_CHARACTERS}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")
