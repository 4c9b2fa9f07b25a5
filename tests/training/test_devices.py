import pytest
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed

from diptych.training.config import TrainingConfig
from diptych.training.devices import devices_and_nodes, new_trainer


def test_alone_the_configuration_decides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(distributed, "is_torchelastic_launched", lambda: False)
    assert devices_and_nodes(3) == (3, 1)


def test_under_torchrun_torchrun_decides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(distributed, "is_torchelastic_launched", lambda: True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "6")
    assert devices_and_nodes(1) == (2, 3)


def test_one_process_needs_no_strategy_and_two_share_their_gradients():
    assert not isinstance(new_trainer(TrainingConfig(devices=1), []).strategy, DDPStrategy)
    assert isinstance(new_trainer(TrainingConfig(devices=2), []).strategy, DDPStrategy)
