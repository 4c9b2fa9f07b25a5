"""The same small files read by matchms' own loaders."""

from pathlib import Path

import numpy as np
import pytest

from diptych.spectra import read_spectra

matchms_importing = pytest.importorskip("matchms.importing")

FIXTURE = Path(__file__).parents[2] / "fixtures" / "spectra" / "cbio_excerpt.msp"
MGF = """BEGIN IONS
PEPMASS=981.54
CHARGE=1+
MSLEVEL=2
SOURCE_INSTRUMENT=LC-ESI-qTof
SEQ=*..*
IONMODE=Positive
ORGANISM=GNPS-LIBRARY
NAME=3-Des-Microcystein_LR M+H
PI=Gerwick
DATACOLLECTOR=Jameson
SMILES=CC(C)CC1NC(=O)C(C)NC(=O)C(=C)N(C)C(=O)CCC
PUBMED=1234
SUBMITUSER=mwang87
LIBRARYQUALITY=3
SPECTRUMID=CCMSLIB00000001547
SCANS=1
ADDUCT=[M+H]+
289.286377	8068.000000
295.545288	22507.000000
298.489624	3925.000000
END IONS

BEGIN IONS
FEATURE_ID=17
PEPMASS=303.0499
CHARGE=1-
RTINSECONDS=312.4
SCANS=17
137.0244 100
285.0405 33.25
END IONS
"""


def assert_alike(ours, theirs):
    np.testing.assert_array_equal(ours.mz, theirs.peaks.mz)
    np.testing.assert_allclose(ours.intensity, theirs.peaks.intensities, rtol=1e-6)
    fields = {
        "precursor_mz": ours.precursor_mz,
        "charge": ours.charge,
        "adduct": ours.adduct.name if ours.adduct else None,
        "instrument_type": ours.instrument_type,
    }
    for name, value in fields.items():
        assert value == theirs.get(name), name
    # Derived from what is compared above, or given in another form on purpose.
    set_apart = {*fields, "num_peaks", "collision_energy", "inchi", "ms_level", "precursor_intensity"}
    for key, value in theirs.metadata.items():
        if key in set_apart:
            continue
        written = ours.metadata[key]
        assert written == str(value) or float(written) == pytest.approx(float(value)), key
    if "ms_level" in theirs.metadata:
        assert theirs.metadata["ms_level"] in {ours.metadata["ms_level"], f"MS{ours.metadata['ms_level']}"}
    if "inchi" in theirs.metadata:
        assert ours.metadata["inchi"].removeprefix("InChI=") == theirs.metadata["inchi"].removeprefix("InChI=")
    if "collision_energy" in theirs.metadata:
        assert ours.collision_energy == float(theirs.metadata["collision_energy"])


def test_mgf_is_read_alike(tmp_path: Path):
    path = tmp_path / "a.mgf"
    path.write_text(MGF)
    ours, theirs = list(read_spectra(path)), list(matchms_importing.load_from_mgf(str(path)))
    assert len(ours) == len(theirs) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert_alike(one, other)


def test_msp_is_read_alike():
    ours, theirs = list(read_spectra(FIXTURE)), list(matchms_importing.load_from_msp(str(FIXTURE)))
    assert len(ours) == len(theirs) == 7
    for one, other in zip(ours, theirs, strict=True):
        assert_alike(one, other)
