from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from diptych.molecules.descriptors import DESCRIPTORS
from diptych.molecules.structure import Structure
from diptych.spectra.spectrum import Spectrum
from diptych.training.targets import StructureTargets, binned_spectra

STRUCTURES = [Structure.from_smiles(smiles) for smiles in ("CCO", "c1ccccc1O", "CCCCCC")]
ALL = frozenset({"fingerprint", "exact_mass", "descriptors", "second_view"})


def test_only_what_is_asked_for_is_there():
    rows = np.array([2, 0])
    assert StructureTargets.of(STRUCTURES, frozenset(), n_molecules=2).take(rows) == {}
    taken = StructureTargets.of(STRUCTURES, ALL, n_molecules=2).take(rows)
    assert {name: tuple(target.shape) for name, target in taken.items()} == {
        "fingerprint": (2, 2048),
        "exact_mass": (2,),
        "descriptors": (2, len(DESCRIPTORS)),
    }


def test_bits_are_those_of_the_morgan_fingerprint():
    taken = StructureTargets.of(STRUCTURES, ALL, n_molecules=3).take(np.array([1]))["fingerprint"]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    expected = list(generator.GetFingerprint(Chem.MolFromSmiles(STRUCTURES[1].smiles)).GetOnBits())
    assert np.flatnonzero(taken[0]).tolist() == expected


def test_masses_are_standardised_over_the_training_molecules():
    # ethanol 46.0419, phenol 94.0419, hexane 86.1096: mean 70.0419 and deviation 24 of the first two
    masses = StructureTargets.of(STRUCTURES, ALL, n_molecules=2).take(np.arange(3))["exact_mass"]
    assert masses.tolist() == pytest.approx([-1.0, 1.0, (86.10955 - 70.04187) / 24.0], abs=1e-4)


def test_descriptors_are_kept_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = StructureTargets.of(STRUCTURES, ALL, n_molecules=2, cache=tmp_path)
    real = Structure.mol
    monkeypatch.setattr(Structure, "mol", lambda self: pytest.fail("again") if self in STRUCTURES else real(self))
    second = StructureTargets.of(STRUCTURES, frozenset({"descriptors"}), n_molecules=2, cache=tmp_path)
    np.testing.assert_array_equal(first.descriptors, second.descriptors)


def test_a_binned_spectrum_holds_roots_of_summed_intensities():
    # 9 + 7 in bin 100, 4 in bin 101; beyond the last bin nothing
    spectrum = Spectrum.from_peaks([100.1, 100.9, 101.0, 1000.5], [9.0, 7.0, 4.0, 50.0], precursor_mz=1200.0, charge=1)
    binned = binned_spectra([spectrum, spectrum.with_changes(mz=np.empty(0), intensity=np.empty(0, np.float32))])
    assert binned.dtype == np.float32
    assert {b: binned[0, b] for b in np.flatnonzero(binned[0])} == pytest.approx({100: 1.0, 101: 0.5})
    assert not binned[1].any()
