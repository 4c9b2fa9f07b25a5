"""Which processors train, and how many processes: alone, on several of a machine, or under ``torchrun``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import lightning
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed

from diptych.training.checkpoint import LIGHTNING_KEYS, SafetensorsCheckpointIO
from diptych.training.precision import lightning_precision

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

    from diptych.training.config import TrainingConfig


def new_trainer(settings: TrainingConfig, callbacks: Sequence[Callback]) -> lightning.Trainer:
    """Return Lightning's trainer for a configuration.

    Under ``torchrun`` the number of processes is what ``torchrun`` was told; else it is ``training.devices``.
    """
    on_gpu = torch.cuda.is_available()
    n_devices, n_nodes = devices_and_nodes(settings.devices or (torch.cuda.device_count() if on_gpu else 1))
    several = n_devices * n_nodes > 1
    # A term that is off, or a loss that asks for no structures, leaves weights without a gradient.
    strategy = DDPStrategy(process_group_backend="nccl" if on_gpu else "gloo", find_unused_parameters=True)
    return lightning.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=n_devices,
        num_nodes=n_nodes,
        strategy=strategy if several else "auto",
        precision=lightning_precision(settings.precision),
        max_epochs=settings.epochs,
        plugins=[SafetensorsCheckpointIO(expected=LIGHTNING_KEYS)],
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def devices_and_nodes(wanted: int) -> tuple[int, int]:
    """Return processes on this machine and number of machines, as ``torchrun`` says where it started this process."""
    if not distributed.is_torchelastic_launched():
        return wanted, 1
    here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    return here, everywhere // here
