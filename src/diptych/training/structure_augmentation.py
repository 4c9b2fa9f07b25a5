"""Structures shown to their tower in another form: another SMILES, atoms hidden, a part dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diptych.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from diptych.training.data_config import AugmentationConfig

# Key of [augmentation] -> what the features of a tower must offer, and which towers do.
_OFFERED_BY = {
    "structure_atom_mask": "atom_masking",
    "structure_subgraph_drop": "subgraph_dropping",
}


@dataclass(frozen=True, kw_only=True)
class StructureAugmentation:
    """What is done to the features of structures in training.

    Attributes
    ----------
    atom_masking, subgraph_dropping
        Shares of the atoms.
    random_smiles
        Whether one of the sequences of a molecule is drawn.
    """

    atom_masking: float = 0.0
    subgraph_dropping: float = 0.0
    random_smiles: bool = True

    @classmethod
    def of(cls, config: AugmentationConfig, features: Any) -> StructureAugmentation | None:  # noqa: ANN401 - each tower's
        """Return what a configuration asks for, as far as the features offer it; None where that is nothing.

        Raises
        ------
        ConfigError
            An augmentation is asked for that the structure tower's features do not offer.
        """
        offered = offered_by(features)
        for key, name in _OFFERED_BY.items():
            if getattr(config, key) and name not in offered:
                raise ConfigError(
                    f"augmentation.{key} is {getattr(config, key)}, but the structure tower's features know no "
                    f"{name.replace('_', ' ')}; expected a tower that reads graphs, or 0"
                )
        asked = cls(
            atom_masking=config.structure_atom_mask,
            subgraph_dropping=config.structure_subgraph_drop,
            random_smiles=config.random_smiles and "random_smiles" in offered,
        )
        return asked if asked.atom_masking or asked.subgraph_dropping or asked.random_smiles else None


def offered_by(features: Any) -> frozenset[str]:  # noqa: ANN401 - each tower's own
    """Return the names of the augmentations that features offer, the tower's own ones among them."""
    names: frozenset[str] = frozenset()
    for part in (features, getattr(features, "own", None)):
        names |= getattr(part, "augmentations", frozenset())
    return names


def augmented_structures(features: Any, settings: StructureAugmentation | None, *, rng: np.random.Generator) -> Any:  # noqa: ANN401
    """Return features of structures, varied; fragment masses beside them never are."""
    return features if settings is None else features.augmented(settings, rng)
