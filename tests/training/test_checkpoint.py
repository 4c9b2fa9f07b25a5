from pathlib import Path

import pytest
import torch

from diptych.errors import TrainingError
from diptych.training.checkpoint import SafetensorsCheckpointIO

STATE = {
    "epoch": 3,
    "state_dict": {"layer.weight": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(4)},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(2.0)}, 1: {}}, "param_groups": [{"betas": (0.9, 0.999)}]}],
    "callbacks": {"recorder": {"history": [{"epoch": 1, "loss": 0.1}], "best": None, "name": "x", "stop": False}},
}


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


def test_a_state_comes_back_with_its_types(tmp_path: Path):
    io = SafetensorsCheckpointIO()
    io.save_checkpoint(STATE, tmp_path / "checkpoint")
    assert same(io.load_checkpoint(tmp_path / "checkpoint"), STATE)


def test_only_safetensors_and_json_are_written_and_can_be_removed(tmp_path: Path):
    io = SafetensorsCheckpointIO()
    io.save_checkpoint(STATE, tmp_path / "checkpoint")
    assert sorted(path.suffix for path in (tmp_path / "checkpoint").iterdir()) == [".json", ".safetensors"]
    io.remove_checkpoint(tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_a_newer_state_replaces_the_older_whole(tmp_path: Path):
    io = SafetensorsCheckpointIO()
    io.save_checkpoint(STATE, tmp_path / "checkpoint")
    io.save_checkpoint({"epoch": 4}, tmp_path / "checkpoint")
    assert io.load_checkpoint(tmp_path / "checkpoint") == {"epoch": 4}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_what_is_no_plain_data_is_refused(tmp_path: Path):
    with pytest.raises(
        TrainingError, match=r"checkpoint entry /callbacks/f is a type; expected tensors and plain data"
    ):
        SafetensorsCheckpointIO().save_checkpoint({"callbacks": {"f": int}}, tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "3",
        '{"what": 1}',
        '{"list": 3}',
        '{"items": [["a"]]}',
        '{"items": [["a", {}]]}',
        '{"items": [[[], 1]]}',
        '{"items": [["a", {"tensor": "/none"}]]}',
        '{"items": [["epoch", 3]]}',
    ],
)
def test_a_state_that_is_none_is_one_clear_error(tmp_path: Path, text: str):
    io = SafetensorsCheckpointIO(expected=("epoch", "state_dict"))
    io.save_checkpoint(STATE, tmp_path / "checkpoint")
    assert io.load_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "state.json").write_text(text)
    with pytest.raises(TrainingError, match=r"checkpoint: the checkpoint is missing or damaged \(.+\); train anew"):
        io.load_checkpoint(tmp_path / "checkpoint")


def test_a_missing_or_truncated_checkpoint_is_one_clear_error(tmp_path: Path):
    io = SafetensorsCheckpointIO()
    with pytest.raises(TrainingError, match=r"none: the checkpoint is missing or damaged"):
        io.load_checkpoint(tmp_path / "none")
    io.save_checkpoint(STATE, tmp_path / "checkpoint")
    for name in ("state.json", "tensors.safetensors"):
        path = tmp_path / "checkpoint" / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(TrainingError, match=r"missing or damaged"):
            io.load_checkpoint(tmp_path / "checkpoint")
        path.write_bytes(whole)
