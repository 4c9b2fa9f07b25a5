"""Hard negatives mined anew as training goes on: what the model itself ranks highest, and wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from diptych.training.drawing import draw_spectra
from diptych.training.negatives.likeness import Likeness, most_similar
from diptych.training.negatives.mixture import NegativeMixture
from diptych.training.ragged import Ragged

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightning

    from diptych.embedding import JointEmbedding
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.batches import TrainingData
    from diptych.training.sampling import EpochSampler

# Of each molecule: the mean of two spectra is less of an accident than one, and costs no more than a third of an epoch.
_SPECTRA_ASKED = 2
_PAIRS_AT_A_TIME = 200_000
_STREAM = 13


class NegativeMiner(Callback):
    """Rewrites the ``"mined"`` lists of the sampler after every few epochs, from the weights that are validated.

    The lists are part of the checkpoint, so that a resumed run draws the negatives of one that was never stopped.

    Parameters
    ----------
    spectra
        The training spectra, without peaks for a blind twin.
    features
        Of all structures, as the structure tower's featuriser makes them.
    refresh_every
        Epochs between one mining and the next.
    nearest
        Structures kept for each molecule.
    """

    def __init__(self, spectra: Sequence[Spectrum], features: Any, *, refresh_every: int, nearest: int) -> None:  # noqa: ANN401
        self.spectra, self.features = spectra, features
        self.refresh_every, self.nearest = refresh_every, nearest
        self.candidates: Ragged | None = None
        self.mined: Likeness | None = None

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:  # noqa: ANN401 - Lightning's signature
        """Note what is mined from, and take up what an interrupted run had mined."""
        data = _data_of(trainer)
        self.candidates = candidates_of(data.sampler)
        if self.mined is not None:
            data.sampler = with_mined(data.sampler, self.mined)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:  # noqa: ANN401
        """Mine, if it is time and there is an epoch to come; one process does it for all."""
        done = trainer.current_epoch + 1
        if self.candidates is None or done % self.refresh_every or done == trainer.max_epochs:
            return
        data = _data_of(trainer)
        mined = None
        if trainer.is_global_zero:
            mined = mine(
                pl_module.judged,
                spectra=self.spectra,
                features=self.features,
                spectra_of=data.sampler.spectra_of,
                candidates=self.candidates,
                at_most=self.nearest,
                rng=np.random.default_rng([data.sampler.seed, done, _STREAM]),
            )
        shared = cast("Likeness", trainer.strategy.broadcast(mined, src=0))
        self.mined, data.sampler = shared, with_mined(data.sampler, shared)

    def state_dict(self) -> dict[str, Any]:
        """Return the mined lists."""
        if self.mined is None:
            return {}
        lists, similarity = self.mined
        arrays = {"values": lists.values, "offsets": lists.offsets, "similarity": similarity}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the lists of the interrupted run."""
        if state_dict:
            arrays = {name: tensor.numpy() for name, tensor in state_dict.items()}
            lists = Ragged(values=arrays["values"], offsets=arrays["offsets"])
            self.mined = Likeness(lists=lists, similarity=arrays["similarity"])


def _data_of(trainer: lightning.Trainer) -> TrainingData:
    return cast("TrainingData", trainer.datamodule)  # type: ignore[attr-defined] # Lightning sets it in fit()


def candidates_of(sampler: EpochSampler) -> Ragged | None:
    """Return what negatives are mined from; None where the sampler has none of that kind."""
    negatives = sampler.negatives_of
    sources = negatives.sources if isinstance(negatives, NegativeMixture) and sampler.n_negatives else []
    return next((source.lists for source in sources if source.name == "mined"), None)


def with_mined(sampler: EpochSampler, mined: Likeness) -> EpochSampler:
    """Return the sampler with mined lists; everything else of its plans stays."""
    negatives = sampler.negatives_of
    if not isinstance(negatives, NegativeMixture):
        return sampler
    return replace(sampler, negatives_of=negatives.with_lists("mined", mined.lists, mined.similarity))


def mine(
    model: JointEmbedding,
    *,
    spectra: Sequence[Spectrum],
    features: Any,  # noqa: ANN401 - each tower's own
    spectra_of: Ragged,
    candidates: Ragged,
    at_most: int,
    rng: np.random.Generator,
) -> Likeness:
    """Return for each molecule the candidates that a model scores highest, with their scores.

    Parameters
    ----------
    model
        As it is now.
    spectra, features
        Of all spectra and all structures.
    spectra_of
        For each molecule its spectra.
    candidates
        For each molecule the structures that it may be mistaken for, itself not among them.
    at_most
        Structures kept for each molecule.
    rng
        Two spectra of each molecule are drawn.

    Notes
    -----
    The score is the cosine of the structure's vector with the mean of the vectors of those spectra, which is how
    retrieval scores it (negatives mined with the current model: Xiong et al., doi:10.48550/arXiv.2007.00808).
    """
    asked = draw_spectra(spectra_of, n=_SPECTRA_ASKED, weights=None, rng=rng)
    vectors = model.encode_spectra([spectra[int(row)] for row in asked.ravel()])
    questions = vectors.reshape(len(asked), _SPECTRA_ASKED, -1).mean(axis=1)
    questions /= np.maximum(np.linalg.norm(questions, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    rows, place = np.unique(candidates.values, return_inverse=True)
    answers = model.encode_structure_features(features.take(rows)) if rows.size else np.empty((0, vectors.shape[1]))
    return most_similar(candidates, _scores(questions, answers, candidates.owners, place), at_most=at_most)


def _scores(
    questions: NDArray[np.floating],
    answers: NDArray[np.floating],
    question: NDArray[np.int64],
    answer: NDArray[np.intp],
) -> NDArray[np.float32]:
    scores = np.zeros(len(question), dtype=np.float32)
    for start in range(0, len(question), _PAIRS_AT_A_TIME):
        part = slice(start, start + _PAIRS_AT_A_TIME)
        scores[part] = np.einsum("ij,ij->i", questions[question[part]], answers[answer[part]])
    return scores
