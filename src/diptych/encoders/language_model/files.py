"""Chemical language models as Hugging Face keeps them: a folder of configuration, tokenizer and weights."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from diptych.errors import ConfigError

_CONFIG = "config.json"
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED_WEIGHTS = "pytorch_model.bin"
_NOT_KEPT = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


class LanguageModel(NamedTuple):
    """A language model in memory.

    Attributes
    ----------
    network
        Called with ``input_ids`` and ``attention_mask`` it answers with ``last_hidden_state``.
    config
        What the network can be built with again, as JSON can hold it.
    tokenizer
        The tokenizer, as the ``tokenizers`` library writes it in JSON.
    """

    network: nn.Module
    config: dict[str, Any]
    tokenizer: dict[str, Any]


def read_language_model(model: str) -> LanguageModel:
    """Return the language model of a folder, or of a name whose files an earlier download left in the cache.

    Nothing is downloaded, and no code that comes with a model is run.

    Raises
    ------
    ConfigError
        There is no such model, a part of it is missing or damaged, or it needs code or a package that is not here.
    """
    folder = _folder(model)
    _check_files(folder)
    with quiet_transformers() as transformers:
        tokenizer = _tokenizer(folder, transformers)
        try:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            network, loading = transformers.AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                **_without_pooler(config, transformers),
            )
        except Exception as error:
            raise ConfigError(
                f"{folder}: not a language model that transformers {transformers.__version__} can build by itself: "
                f"{_first_line(error)}"
            ) from error
    if loading["missing_keys"]:
        raise ConfigError(f"{folder}: the weights lack {min(loading['missing_keys'])}; expected those of config.json")
    n_tokens, vocabulary = int(config.vocab_size), tokenizer["model"].get("vocab", ())
    if len(vocabulary) > n_tokens:
        raise ConfigError(f"{folder}: the tokenizer has {len(vocabulary)} tokens; expected at most {n_tokens}")
    plain = json.loads(json.dumps(config.to_dict(), default=str))
    kept = {key: value for key, value in plain.items() if key not in _NOT_KEPT}
    return LanguageModel(network=network, config=kept, tokenizer=tokenizer)


def built_network(config: Mapping[str, Any]) -> nn.Module:
    """Return the untrained network that a configuration describes.

    Raises
    ------
    ConfigError
        It describes none that is known here, or the package is missing.
    """
    options = dict(config)
    with quiet_transformers() as transformers:
        try:
            described = transformers.AutoConfig.for_model(options.pop("model_type"), **options)
            network: nn.Module = transformers.AutoModel.from_config(
                described, dtype=torch.float32, **_without_pooler(described, transformers)
            )
        except Exception as error:
            raise ConfigError(f"the language model's config cannot be built: {_first_line(error)}") from error
    return network


def longest_sequence(network: nn.Module, config: Mapping[str, Any]) -> int:
    """Return how many tokens the positions of a network reach."""
    n_positions = int(config.get("max_position_embeddings") or 1_000_000)
    # RoBERTa counts positions from behind the one of padding, and says so nowhere in its configuration.
    paddings = [
        getattr(module, "padding_idx", None) for module in network.modules() if hasattr(module, "position_embeddings")
    ]
    offsets = [padding + 1 for padding in paddings if isinstance(padding, int)]
    return n_positions - max(offsets, default=0)


def _folder(model: str) -> Path:
    if not model:
        raise ConfigError("tower 'language-model' needs the option model: a folder, or a name in the local cache")
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    with quiet_transformers():
        from huggingface_hub import snapshot_download

        try:
            return Path(snapshot_download(model, local_files_only=True))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"language model {model!r}: no such folder, and no such name in the local cache; expected one of both "
                "(nothing is downloaded)"
            ) from error


def _check_files(folder: Path) -> None:
    """Look for the parts first, because some of them transformers makes up where they are missing."""
    if not (folder / _CONFIG).is_file():
        raise ConfigError(f"{folder}: {_CONFIG} is missing; expected the folder of a language model")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ConfigError(f"{folder}: the tokenizer is missing; expected one of {', '.join(_TOKENIZERS)}")
    if not any((folder / name).is_file() for name in _WEIGHTS):
        pickled = (folder / _PICKLED_WEIGHTS).is_file()
        reason = f"only {_PICKLED_WEIGHTS}, a pickle, which is not read" if pickled else "the weights are missing"
        raise ConfigError(f"{folder}: {reason}; expected {_WEIGHTS[0]}")


def _tokenizer(folder: Path, transformers: Any) -> dict[str, Any]:  # noqa: ANN401 - the module
    try:
        if (folder / _TOKENIZERS[0]).is_file():
            from tokenizers import Tokenizer

            text = Tokenizer.from_file(str(folder / _TOKENIZERS[0])).to_str()
        else:
            loaded = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            text = loaded.backend_tokenizer.to_str()
    except Exception as error:
        raise ConfigError(f"{folder}: the tokenizer cannot be read: {_first_line(error)}") from error
    tokenizer: dict[str, Any] = json.loads(text)
    return tokenizer


def _without_pooler(config: Any, transformers: Any) -> dict[str, bool]:  # noqa: ANN401 - theirs
    """Return the option that leaves out a pooling layer which a masked language model never trained."""
    network = transformers.MODEL_MAPPING[type(config)]
    return {"add_pooling_layer": False} if "add_pooling_layer" in inspect.signature(network).parameters else {}


@contextmanager
def quiet_transformers() -> Iterator[Any]:
    """Yield the library with its progress bars and advice switched off, which are for people at a prompt."""
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    messages: Any = transformers.utils.logging
    level, bars = messages.get_verbosity(), messages.is_progress_bar_enabled()
    messages.set_verbosity_error()
    messages.disable_progress_bar()
    try:
        yield transformers
    finally:
        messages.set_verbosity(level)
        if bars:
            messages.enable_progress_bar()


def missing_extra(error: ModuleNotFoundError) -> ConfigError:
    """Return the error for a package of the extra that is not installed."""
    package = (error.name or "transformers").partition(".")[0]
    return ConfigError(f"language models need the package {package}: pip install 'diptych[language-models]'")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason given'}"
