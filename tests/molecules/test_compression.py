import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from diptych.molecules.compression import decompressed, without_compression_suffix


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_the_first_bytes_say_how_a_file_is_packed(tmp_path: Path, pack: Callable[[bytes], bytes]):
    path = tmp_path / "whatever"
    path.write_bytes(pack(b"CCO\n" * 1000))
    with decompressed(path) as stream:
        assert stream.read() == b"CCO\n" * 1000


@pytest.mark.parametrize(("name", "unpacked"), [("a.tsv.xz", "a.tsv"), ("a.CSV.GZ", "a.CSV"), ("a.smi", "a.smi")])
def test_the_compression_suffix_is_taken_off(name: str, unpacked: str):
    assert without_compression_suffix(Path(name)).name == unpacked
