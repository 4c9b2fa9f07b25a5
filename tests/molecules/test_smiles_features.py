import itertools
import json

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from diptych.molecules import Structure
from diptych.molecules.smiles_features import SmilesFeaturiser, TokenizerFeaturiser
from diptych.molecules.smiles_tokens import PATTERN, TOKENS, UNKNOWN, VOCABULARY, token_ids

SMILES = ["CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CC(=O)[O-]", "C[Sn](C)(C)Sc1cc[se]c1"]
MOLS = [Structure.from_smiles(smiles).mol() for smiles in SMILES]


@pytest.fixture(scope="module")
def tokenizer() -> str:
    """Return our tokens as a tokenizer of the tokenizers library, in JSON."""
    made = Tokenizer(models.WordLevel(dict(VOCABULARY), unk_token=UNKNOWN))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    made.post_processor = processors.BertProcessing(("[SEP]", VOCABULARY["[SEP]"]), ("[CLS]", VOCABULARY["[CLS]"]))
    return made.to_str()


def texts(sequences) -> list[str]:
    starts = sequences.offsets
    return ["".join(TOKENS[i] for i in sequences.ids[a + 1 : b - 1]) for a, b in itertools.pairwise(starts)]


def test_the_canonical_smiles_comes_first_and_random_ones_are_the_same_molecule():
    sequences = SmilesFeaturiser(n_random_smiles=3)(MOLS)
    written = texts(sequences)
    assert sequences.n_variants == 4
    assert written[::4] == [Structure.from_smiles(smiles).smiles for smiles in SMILES]
    keys = [Structure.from_smiles(text).inchikey for text in written]
    assert keys == [Structure.from_smiles(smiles).inchikey for smiles in SMILES for _ in range(4)]
    assert len(set(written)) > 9


def test_a_row_does_not_depend_on_its_neighbours():
    featuriser = SmilesFeaturiser(n_random_smiles=2)
    together, alone = featuriser(MOLS), [featuriser([mol]) for mol in MOLS]
    np.testing.assert_array_equal(together.ids, np.concatenate([one.ids for one in alone]))


def test_long_sequences_are_cut_and_still_end(tokenizer: str):
    for featuriser in (SmilesFeaturiser(max_tokens=6), TokenizerFeaturiser(tokenizer=tokenizer, max_tokens=6)):
        assert [TOKENS[i] for i in featuriser(MOLS[:1]).ids] == ["[CLS]", "C", "C", "(", "=", "[SEP]"]


def test_a_tokenizer_with_our_pattern_gives_our_ids(tokenizer: str):
    sequences = TokenizerFeaturiser(tokenizer=tokenizer, n_random_smiles=1)(MOLS)
    np.testing.assert_array_equal(sequences.ids, SmilesFeaturiser(n_random_smiles=1)(MOLS).ids)
    assert sequences.ids[: sequences.offsets[1]].tolist() == token_ids("CC(=O)Nc1ccc(O)cc1")
    assert json.loads(tokenizer)["model"]["vocab"]["[MASK]"] == VOCABULARY["[MASK]"]


def test_no_molecules_give_no_rows(tokenizer: str):
    assert len(SmilesFeaturiser()([])) == 0
    assert len(TokenizerFeaturiser(tokenizer=tokenizer)([])) == 0
