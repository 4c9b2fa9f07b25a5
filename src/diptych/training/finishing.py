"""What is done once with the best weights: the control, the calibration, the card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diptych.annotation.calibration import ScoreCalibration, fit_temperature
from diptych.embedding import JointEmbedding
from diptych.errors import ModelError
from diptych.files import replacing
from diptych.retrieval.reranking import ReRanking
from diptych.training.card import ModelCard
from diptych.training.losses.requirements import ranks_structures
from diptych.training.module import parameter_count

if TYPE_CHECKING:
    from diptych.training.config import RunConfig
    from diptych.training.preparation import Prepared
    from diptych.training.recorder import RunFolder
    from diptych.training.validation import ValidationSet


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a run came to.

    Attributes
    ----------
    model
        Folder of the model.
    metrics
        ``hit_rate@1``, ``hit_rate@5``, ``hit_rate@20``, ``mrr`` of the saved weights on the validation queries, by
        spectrum; empty where there was no validation.
    blind_metrics
        The same of the same weights asked without peaks.
    """

    model: Path
    metrics: Mapping[str, float]
    blind_metrics: Mapping[str, float]


def taken_calibration(config: RunConfig) -> dict[str, Any]:
    """Return calibration and second look of the model that ``validation.calibration_from`` names, as metadata has them.

    Raises
    ------
    ModelError
        There is no such model, it is damaged, or it was not calibrated.
    """
    if not config.validation.calibration_from:
        return {}
    known = JointEmbedding.load(config.validation.calibration_from).metadata
    calibration, reranking = ScoreCalibration.from_metadata(known), ReRanking.from_metadata(known)
    if calibration is None and reranking is None:
        raise ModelError(
            f"{config.validation.calibration_from}: has neither calibration nor second look; expected a calibrated "
            "model as validation.calibration_from"
        )
    taken = {} if calibration is None else {"calibration": calibration.to_dict()}
    return taken if reranking is None else taken | reranking.to_metadata()


def finish(config: RunConfig, folder: RunFolder, prepared: Prepared, *, taken: Mapping[str, Any]) -> TrainingResult:
    """Return the result of a run whose best weights are saved, after adding to them what only the end can tell.

    The model folder gets the calibration, the provenance, ``card.md`` and ``training_first_blocks.txt``; the run folder
    gets ``result.json``. ``taken`` is the calibration for a model that cannot be validated (`taken_calibration`).
    """
    model = JointEmbedding.load(folder.model)
    validation = prepared.validation
    model.metadata |= taken if validation is None else _calibration(validation, model)
    if validation and config.validation.rerank:
        model.metadata |= validation.reranking(model, recall=config.validation.rerank).to_metadata()
    metrics = validation.measure(model) if validation else {}
    blind_metrics = validation.measure_blind(model) if validation else {}
    model.metadata |= _metadata(config, prepared, metrics, blind_metrics)
    model.name = folder.path.name
    model.save(folder.model)
    ModelCard(
        name=model.name,
        towers=model.config,
        fold=config.validation.fold,
        first_blocks=prepared.corpus.first_blocks,
        licences=prepared.corpus.licences,
        n_parameters=parameter_count(model),
        digests=prepared.digests,
        ranks_structures=ranks_structures(config.loss),
        metrics=metrics,
        blind_metrics=blind_metrics,
    ).write(folder.model)
    with replacing(folder.result) as path:
        path.write_text(json.dumps({"metrics": metrics, "blind_metrics": blind_metrics}, indent=2), encoding="utf-8")
    return TrainingResult(model=folder.model, metrics=metrics, blind_metrics=blind_metrics)


def _metadata(
    config: RunConfig, prepared: Prepared, metrics: Mapping[str, float], blind_metrics: Mapping[str, float]
) -> dict[str, Any]:
    return {
        "trained_blind": config.training.blind,
        "ranks_structures": ranks_structures(config.loss),
        "training": {
            "config": config.to_dict(),
            "digests": dict(prepared.digests),
            "n_spectra": len(prepared.corpus.dataset),
            "n_molecules": len(prepared.corpus.first_blocks),
            "validation": {"model": dict(metrics), "peaks withheld": dict(blind_metrics)},
        },
    }


def _calibration(validation: ValidationSet, model: JointEmbedding) -> dict[str, Any]:
    """Return the calibration fitted on the validation queries; nothing where no answer is in its list."""
    scores, positions = validation.scores_and_answers(model)
    if not positions:
        return {}
    return {"calibration": ScoreCalibration(temperature=fit_temperature(scores, positions)).to_dict()}
