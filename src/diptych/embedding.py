"""Two towers and their hinge: one space for spectra and structures, saved as one folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diptych.encoders import SPECTRUM_ENCODERS, STRUCTURE_ENCODERS, build_encoder
from diptych.encoders.encoding import (
    EncodingPrecision,
    encoding_batch_size,
    encoding_order,
    encoding_precision,
    without_atom_vectors,
)
from diptych.encoders.ion_table import build_ion_table
from diptych.encoders.model_folder import CONFIG_FILE, FORMAT_VERSION, model_folder, read_description
from diptych.encoders.pairs.fragment_interaction import build_interaction
from diptych.encoders.pairs.tokens import TokenVectors
from diptych.encoders.projection import projection_heads
from diptych.encoders.tensor_files import write_tensors
from diptych.errors import ConfigError, ModelError
from diptych.files import replacing_folder
from diptych.molecules.structure import Structure
from diptych.spectra.spectrum import Spectrum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from diptych.encoders.output import EncoderOutput
    from diptych.molecules.fragment_graphs import FragmentGraphs

_WEIGHTS_FILE = "weights.safetensors"
_SHARED = ("spectrum_encoder.ion_table.", "structure_encoder.ion_table.")


class JointEmbedding(nn.Module):
    """One space for spectra and structures; scores are cosines of its unit vectors.

    Parameters
    ----------
    config
        ``spectrum`` and ``structure`` (name and options of each tower), ``ions`` (options of the ion table that both
        share; None leaves it out) and ``embedding_dim``; ``projection`` (``hidden_dim``, ``dim``; None or absent leaves
        it out) and ``retrieval`` (``"before"`` or ``"after"`` it: which vectors are encoded); ``interaction``
        (options of that of peaks and fragments; likewise).
    temperature
        Of the contrastive loss, at the start.
    name
        What the model is called.
    metadata
        What else is known of it, as JSON can hold it: calibration, training.

    Examples
    --------
    >>> model = JointEmbedding.from_config(spectrum={}, structure={}, embedding_dim=256)
    >>> model.encode_structures([Structure.from_smiles("CCO")]).shape
    (1, 256)
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        temperature: float = 0.07,
        name: str = "unnamed",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.ion_table = build_ion_table(config.get("ions"))
        self.tower_dim = int(config["embedding_dim"])
        if self.ion_table is not None and self.ion_table.dim >= self.tower_dim:
            raise ConfigError(f"ions.dim is {self.ion_table.dim}; expected less than embedding_dim, {self.tower_dim}")
        parts = {"embedding_dim": self.tower_dim, "ion_table": self.ion_table}
        self.spectrum_encoder: Any = _tower("spectrum", config, parts)
        self.structure_encoder: Any = _tower("structure", config, parts)
        self.interaction = build_interaction(config.get("interaction"))
        self.projection = projection_heads(config.get("projection"), input_dim=self.tower_dim)
        self.retrieval = str(config.get("retrieval", "before"))
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.name = name
        self.metadata: dict[str, Any] = dict(metadata or {})
        self._names = {side: config[side].get("name", default) for side, default in _DEFAULT_TOWERS.items()}

    @classmethod
    def from_config(
        cls,
        *,
        spectrum: Mapping[str, Any],
        structure: Mapping[str, Any],
        ions: Mapping[str, Any] | None = None,
        embedding_dim: int = 256,
        projection: Mapping[str, Any] | None = None,
        retrieval: Literal["before", "after"] = "before",
        interaction: Mapping[str, Any] | None = None,
        temperature: float = 0.07,
    ) -> Self:
        """Return an untrained model.

        Raises
        ------
        ConfigError
            A tower, or an option of it or of the projection, is unknown or impossible.
        """
        config = {"spectrum": spectrum, "structure": structure, "ions": ions, "embedding_dim": embedding_dim}
        parts = {"projection": projection, "retrieval": retrieval, "interaction": interaction}
        return cls(config | parts, temperature=temperature)

    @property
    def embedding_dim(self) -> int:
        """Length of the vectors that are encoded."""
        return self.loss_dim if self.retrieval == "after" else self.tower_dim

    @property
    def loss_dim(self) -> int:
        """Length of the vectors that losses see: those behind the projection where there is one."""
        return self.tower_dim if self.projection is None else self.projection.dim

    def projected(self, output: EncoderOutput, *, side: str) -> EncoderOutput:
        """Return the output of the ``"spectrum"`` or ``"structure"`` tower as losses see it."""
        return output if self.projection is None else self.projection(output, side=side)

    @property
    def config(self) -> dict[str, Any]:
        """What the model can be built with again."""
        config = {
            "spectrum": {"name": self._names["spectrum"], **self.spectrum_encoder.settings()},
            "structure": {"name": self._names["structure"], **self.structure_encoder.settings()},
            "ions": None if self.ion_table is None else self.ion_table.settings(),
            "embedding_dim": self.tower_dim,
        }
        if self.projection is not None:
            config |= self.projection.settings() | {"retrieval": self.retrieval}
        return config if self.interaction is None else config | {"interaction": self.interaction.settings()}

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of configuration and weights as they are saved: who made these vectors."""
        digest = hashlib.sha256(json.dumps(self.config, sort_keys=True).encode())
        for name, tensor in sorted(self._stored_tensors().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()

    def _stored_tensors(self) -> dict[str, Tensor]:
        """Return the weights in half precision, those of the shared table once."""
        tensors = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(_SHARED)}
        return {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in tensors.items()}

    def save(self, folder: Path | str) -> None:
        """Write the model as a folder: ``model.json`` and ``weights.safetensors`` (half precision).

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        description = {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "digest": self.digest,
            "config": self.config,
            "metadata": self.metadata,
        }
        with replacing_folder(Path(folder)) as temporary:
            (temporary / CONFIG_FILE).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
            write_tensors(self._stored_tensors(), temporary / _WEIGHTS_FILE)

    @classmethod
    def load(cls, model: Path | str | None = None) -> Self:
        """Return a saved model, ready to encode.

        Parameters
        ----------
        model
            A folder, or the name of a shipped model; None is the default one.

        Raises
        ------
        ModelError
            There is no such model, a file of it is missing or truncated, or its format is another version's.
        """
        folder = model_folder(model)
        description = read_description(folder)
        try:
            loaded = cls(description["config"], name=description["name"], metadata=description["metadata"])
            tensors = load_file(str(folder / _WEIGHTS_FILE))
        except FileNotFoundError as error:
            raise ModelError(f"{folder}: {_WEIGHTS_FILE} is missing; expected a whole model folder") from error
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{folder / _WEIGHTS_FILE}: damaged or truncated: {error}") from error
        except (ConfigError, KeyError, TypeError) as error:
            raise ModelError(f"{folder / CONFIG_FILE}: not a model that this version can build: {error}") from error
        loaded._fill(tensors, folder)
        if loaded.digest != description["digest"]:
            raise ModelError(f"{folder}: the weights are not those that {CONFIG_FILE} was written with")
        return loaded.eval()

    def _fill(self, tensors: dict[str, Tensor], folder: Path) -> None:
        expected = self._stored_tensors()
        for name, tensor in expected.items():
            if name not in tensors or tensors[name].shape != tensor.shape:
                got = "nothing" if name not in tensors else f"shape {tuple(tensors[name].shape)}"
                raise ModelError(f"{folder / _WEIGHTS_FILE}: {name}: got {got}; expected shape {tuple(tensor.shape)}")
        self.load_state_dict({name: tensors[name].float() for name in expected}, strict=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.log_temperature.device

    @torch.no_grad()
    def encode_spectra(
        self,
        spectra: Sequence[Spectrum],
        *,
        batch_size: int = 1024,
        blind: bool = False,
        precision: EncodingPrecision = "float32",
    ) -> NDArray[np.float32]:
        """Return one unit vector per spectrum, float32 of shape (n, embedding_dim).

        Parameters
        ----------
        spectra
            As measured; the tower cleans them itself.
        batch_size
            Spectra at a time, at most.
        blind
            Whether the peaks are withheld: the spectrum-blind control.
        precision
            ``auto``: a tower that gains by it computes in bfloat16 where it can (`encoding_precision`).
        """
        encoder, order = self.spectrum_encoder, encoding_order(self.spectrum_encoder, spectra)
        size = encoding_batch_size(encoder, batch_size, device=self.device)
        batches = self._spectrum_batches([spectra[row] for row in order], size=size, blind=blind)
        with encoding_precision(encoder, precision, device=self.device):
            return self._encoded(encoder, batches)[np.argsort(order)]

    @torch.no_grad()
    def encode_spectrum_tokens(
        self, spectra: Sequence[Spectrum], *, batch_size: int = 256, blind: bool = False
    ) -> TokenVectors:
        """Return one unit vector per peak of at least one spectrum.

        Raises
        ------
        ConfigError
            The spectrum tower has no vectors of peaks.
        """
        batches = self._spectrum_batches(spectra, size=batch_size, blind=blind)
        return self._tokens(self.spectrum_encoder, batches, tower=self._names["spectrum"])

    def _spectrum_batches(self, spectra: Sequence[Spectrum], *, size: int, blind: bool) -> Iterator[Any]:
        asked = [_without_peaks(spectrum) for spectrum in spectra] if blind else spectra
        collate = self.spectrum_encoder.collate
        return (collate(asked[start : start + size]) for start in range(0, len(asked), size))

    def fragment_graphs(self, structures: Sequence[Structure]) -> FragmentGraphs:
        """Return the fragments of structures, as the interaction of a model that has one takes them."""
        if self.interaction is None:
            raise ConfigError(f"model {self.name} has no interaction of peaks and fragments")
        return self.interaction.featuriser([structure.mol() for structure in structures])

    def encode_structures(self, structures: Sequence[Structure], *, batch_size: int = 2048) -> NDArray[np.float32]:
        """Return one unit vector per structure, float32 of shape (n, embedding_dim)."""
        featuriser = self.structure_encoder.featuriser
        parts = [
            self.encode_structure_features(featuriser([s.mol() for s in structures[start : start + batch_size]]))
            for start in range(0, len(structures), batch_size)
        ]
        return np.concatenate([np.empty((0, self.embedding_dim), dtype=np.float32), *parts])

    @torch.no_grad()
    def encode_structure_features(self, features: Any, *, batch_size: int = 2048) -> NDArray[np.float32]:  # noqa: ANN401
        """Return one unit vector per row of features that ``structure_encoder.featuriser`` made."""
        encoder = self.structure_encoder
        size = encoding_batch_size(encoder, batch_size, device=self.device)
        with without_atom_vectors(encoder):
            return self._encoded(encoder, self._feature_batches(features, size=size))

    @torch.no_grad()
    def encode_structure_feature_tokens(self, features: Any, *, batch_size: int = 512) -> TokenVectors:  # noqa: ANN401
        """Return one unit vector per atom of at least one structure, given by its features.

        Raises
        ------
        ConfigError
            The structure tower has no vectors of atoms.
        """
        batches = self._feature_batches(features, size=batch_size)
        return self._tokens(self.structure_encoder, batches, tower=self._names["structure"])

    def encode_structure_tokens(self, structures: Sequence[Structure]) -> TokenVectors:
        """Return one unit vector per atom of at least one structure.

        Raises
        ------
        ConfigError
            The structure tower has no vectors of atoms.
        """
        return self.encode_structure_feature_tokens(self.structure_encoder.featuriser([s.mol() for s in structures]))

    def _feature_batches(self, features: Any, *, size: int) -> Iterator[Any]:  # noqa: ANN401 - each tower's own
        rows = np.arange(len(features))
        collate = self.structure_encoder.collate
        return (collate(features.take(rows[start : start + size])) for start in range(0, len(rows), size))

    def _encoded(self, encoder: nn.Module, batches: Iterable[Any]) -> NDArray[np.float32]:
        vectors = [output.global_vector.float().cpu().numpy() for output in self._outputs(encoder, batches)]
        return np.concatenate([np.empty((0, self.embedding_dim), dtype=np.float32), *vectors])

    def _tokens(self, encoder: nn.Module, batches: Iterable[Any], *, tower: str) -> TokenVectors:
        return TokenVectors.concatenate(
            [TokenVectors.of(output, tower=repr(tower)) for output in self._outputs(encoder, batches)]
        )

    def _outputs(self, encoder: nn.Module, batches: Iterable[Any]) -> Iterator[EncoderOutput]:
        training = self.training
        self.eval()
        try:
            for batch in batches:
                output = encoder(batch.to(self.device))
                side = "spectrum" if encoder is self.spectrum_encoder else "structure"
                yield self.projected(output, side=side) if self.retrieval == "after" else output
        finally:
            self.train(training)


def _tower(side: str, config: Mapping[str, Any], parts: Mapping[str, Any]) -> nn.Module:
    return build_encoder(_ENCODERS[side], config[side], section=f"model.{side}", **parts)


_ENCODERS = {"spectrum": SPECTRUM_ENCODERS, "structure": STRUCTURE_ENCODERS}
_DEFAULT_TOWERS = {side: next(iter(encoders)) for side, encoders in _ENCODERS.items()}


def _without_peaks(spectrum: Spectrum) -> Spectrum:
    return spectrum.with_changes(mz=np.empty(0), intensity=np.empty(0, dtype=np.float32))
