"""Amides with computed spectra: acylium and ammonium fragments, so that structure can be read off the peaks."""

import itertools
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import rows_to_batch
from diptych.molecules.structure import Structure
from diptych.spectra.adduct import Adduct
from diptych.spectra.masses import ELECTRON_MASS, MONOISOTOPIC_MASS, PROTON_MASS
from diptych.spectra.spectrum import Spectrum

ALKYLS = ["C", "CC", "CCC", "CCCC", "CCCCC", "C(C)C", "C1CCCC1", "CCOC", "CCOCC"]
ACYLS = [*ALKYLS, "c1ccccc1", "Cc1ccccc1", "c1ccc(CC)cc1", "c1ccc(Cl)cc1", "c1ccc(OC)cc1"]
AMINES = [*ALKYLS, "C1CCCCC1", "c1ccccc1", "Cc1ccccc1", "c1ccc(Cl)cc1"]


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def amide(acyl: str, amine: str, *, fold: str, replicate: int) -> AnnotatedSpectrum:
    structure = Structure.from_smiles(f"O=C({acyl})N{amine}")
    acylium = Structure.from_smiles(f"O=C{acyl}").exact_mass - MONOISOTOPIC_MASS["H"] - ELECTRON_MASS
    ammonium = Structure.from_smiles(f"N{amine}").exact_mass + PROTON_MASS
    precursor = structure.exact_mass + PROTON_MASS
    rng = np.random.default_rng([replicate, *f"{acyl} {amine}".encode()])
    noise = rng.uniform(40, precursor, 3)
    spectrum = Spectrum.from_peaks(
        [acylium, ammonium, precursor, *noise],
        [100.0, rng.uniform(30, 90), rng.uniform(5, 50), *rng.uniform(1, 4, 3)],
        precursor_mz=precursor,
        charge=1,
        adduct=Adduct.parse("[M+H]+"),
        collision_energy=20.0,
        instrument_type="LC-ESI-QTOF",
        identifier=f"{acyl}-{amine}-{replicate}",
    )
    return AnnotatedSpectrum(spectrum=spectrum, structure=structure, fold=fold, source="computed", licence="CC0")


@pytest.fixture(scope="session")
def amides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``dataset.parquet``, ``folds.tsv.xz`` and ``structures.tsv.xz``; one in five is held out."""
    folder = tmp_path_factory.mktemp("amides")
    pairs = list(itertools.product(ACYLS, AMINES))
    held_out = set(np.random.default_rng(0).permutation(len(pairs))[: len(pairs) // 5].tolist())
    examples = [
        amide(acyl, amine, fold="val" if number in held_out else "train", replicate=replicate)
        for number, (acyl, amine) in enumerate(pairs)
        for replicate in range(3)
    ]
    pq.write_table(pa.Table.from_batches([rows_to_batch(examples)]), folder / "dataset.parquet")
    with lzma.open(folder / "folds.tsv.xz", "wt") as stream:
        stream.write("accession\tfold\n")
        stream.writelines(f"{example.spectrum.identifier}\t{example.fold}\n" for example in examples)
    with lzma.open(folder / "structures.tsv.xz", "wt") as stream:
        stream.write("inchikey_first_block\tsmiles\tformula\n")
        for s in {example.structure.inchikey: example.structure for example in examples}.values():
            stream.write(f"{s.inchikey_first_block}\t{s.smiles}\t{s.formula}\n")
    return folder
