import pytest
import torch

from diptych.training import precision


def claims(monkeypatch: pytest.MonkeyPatch, *, cuda: bool = False, avx512: bool = False, amx: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)


@pytest.mark.parametrize("capability", ["cuda", "avx512", "amx"])
def test_bfloat16_is_used_where_there_are_instructions_for_it(monkeypatch: pytest.MonkeyPatch, capability: str):
    claims(monkeypatch, **{capability: True})
    assert precision.lightning_precision("auto") == "bf16-mixed"
    assert precision.lightning_precision("float32") == "32-true"


def test_float32_is_used_elsewhere_unless_asked_for(monkeypatch: pytest.MonkeyPatch):
    claims(monkeypatch)
    assert precision.lightning_precision("auto") == "32-true"
    assert precision.lightning_precision("bfloat16") == "bf16-mixed"
