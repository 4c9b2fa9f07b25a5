from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from diptych.encoders.tensor_files import write_tensors
from diptych.errors import OutputError
from diptych.files import replacing

WEIGHTS = {"weight": torch.arange(4.0)}


def test_a_disk_that_is_full_is_one_sentence_and_the_weights_before_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "weights.safetensors"
    with replacing(path) as temporary:
        write_tensors(WEIGHTS, temporary)

    def fails(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("diptych.encoders.tensor_files.save_file", fails)
    with (
        pytest.raises(OutputError, match=r"weights.safetensors: cannot be written: .*No space left on device"),
        replacing(path) as temporary,
    ):
        write_tensors({"weight": torch.zeros(4)}, temporary)
    assert torch.equal(load_file(path)["weight"], WEIGHTS["weight"])
    assert list(tmp_path.iterdir()) == [path]
