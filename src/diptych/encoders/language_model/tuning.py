"""Which weights of a pretrained language model training may change."""

from __future__ import annotations

from typing import Literal

from torch import nn

from diptych.encoders.language_model.files import missing_extra

Tuning = Literal["frozen", "last-layers", "lora"]


def tuned(network: nn.Module, tune: Tuning, *, n_last_layers: int, lora_rank: int) -> nn.Module:
    """Return the network with the weights frozen that are not to be trained.

    Parameters
    ----------
    network
        Changed in place; with ``"lora"`` low-rank matrices are added.
    tune
        ``"frozen"`` trains nothing, ``"last-layers"`` the last ``n_last_layers`` and what comes after them, ``"lora"``
        low-rank matrices beside every linear layer within the stack of layers.
    n_last_layers
        At least 1.
    lora_rank
        Rank of the added matrices, at least 1.

    Raises
    ------
    ValueError
        The name is unknown, a number is too small, or the network has no stack of layers.
    ConfigError
        The package for low-rank adaptation is missing.

    Notes
    -----
    Low-rank adaptation (Hu et al., doi:10.48550/arXiv.2106.09685): W x + (alpha / r) B A x with alpha = 2 r, where A is
    random, B starts at zero, and W stays.
    """
    if tune not in {"frozen", "last-layers", "lora"}:
        raise ValueError(f"tune is {tune!r}; expected 'frozen', 'last-layers' or 'lora'")
    if min(n_last_layers, lora_rank) < 1:
        raise ValueError(f"n_last_layers is {n_last_layers}, lora_rank {lora_rank}; expected at least 1")
    network.requires_grad_(False)
    if tune == "last-layers":
        _release_last(network, n_last_layers)
    return _with_lora(network, lora_rank) if tune == "lora" else network


def _release_last(network: nn.Module, n_last: int) -> None:
    name, layers = _stack(network)
    if n_last > len(layers):
        raise ValueError(f"n_last_layers is {n_last}; expected at most the {len(layers)} that the language model has")
    layers[-n_last:].requires_grad_(True)
    behind = False
    for other, module in network.named_modules():
        behind = behind or other == name
        if behind and other != name and not other.startswith(f"{name}."):
            module.requires_grad_(True)


def _with_lora(network: nn.Module, rank: int) -> nn.Module:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    name, layers = _stack(network)
    targets = [f"{name}.{inner}" for inner, module in layers.named_modules() if isinstance(module, nn.Linear)]
    return inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets), network)


def _stack(network: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return name and layers of the longest list of modules: where a transformer keeps its layers."""
    stacks = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise ValueError("the language model has no list of layers; expected a transformer")
    return max(stacks, key=lambda stack: len(stack[1]))
