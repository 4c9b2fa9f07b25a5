import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from diptych.molecules.fingerprints import MorganFeaturiser

MOLS = [Chem.MolFromSmiles(smiles) for smiles in ("CCO", "CC(=O)Nc1ccc(O)cc1", "C")]


def test_counts_are_those_of_rdkit_in_logarithms():
    features = MorganFeaturiser(radius=2, width=1024)(MOLS)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    for row, mol in enumerate(MOLS):
        dense = np.zeros(1024)
        entries = slice(features.indptr[row], features.indptr[row + 1])
        dense[features.indices[entries]] = features.values[entries]
        np.testing.assert_allclose(dense, np.log1p(generator.GetCountFingerprintAsNumPy(mol)), rtol=1e-6)


def test_without_counts_every_value_is_one():
    assert set(MorganFeaturiser(use_counts=False)(MOLS).values) == {1.0}


def test_settings_make_the_same_featuriser_again():
    featuriser = MorganFeaturiser(radius=3, width=512, use_counts=False)
    assert MorganFeaturiser.from_dict(featuriser.to_dict()) == featuriser
