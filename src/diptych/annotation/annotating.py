"""The main job: spectra and a structure library to annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diptych.annotation.annotation import Annotation
from diptych.annotation.merging import FeatureGroups, MergedQuestion
from diptych.annotation.questions import Asking, Question
from diptych.annotation.records import Record, batches, records_of
from diptych.annotation.search import CandidateSearch, Spans
from diptych.annotation.second_look import SecondLook, calibration_of
from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError
from diptych.retrieval import StructureLibrary
from diptych.retrieval.prior import check_prior, spectrum_vectors
from diptych.spectra import Adduct, Spectrum


def annotate(
    spectra: Iterable[Spectrum] | Path | str,
    library: StructureLibrary,
    *,
    model: JointEmbedding | Path | str | None = None,
    ppm: float = 10.0,
    top: int = 10,
    adducts: Sequence[Adduct | str] | None = None,
    merge_by: str | None = None,
    rerank: int = 0,
    prior: float = 1.0,
    batch_size: int = 512,
) -> Iterator[Annotation]:
    """Return the ranked structures of a library for each spectrum, lazily and in the order of the spectra.

    Parameters
    ----------
    spectra, library
        Spectra, or a file of them; where candidates come from: all structures whose mass explains the precursor.
    model
        The model that embedded the library, or its name or folder; None for the shipped one.
    ppm
        Half-width of the mass window, parts per million of the precursor m/z.
    top
        Number of candidates kept per answer.
    adducts
        Assumed for spectra that state none; None for the likely ones of their polarity.
    merge_by
        Metadata key, as ``"feature_id"``: spectra that share its value are answered together, when all have been read.
    rerank
        So many candidates, the first by cosine, are looked at again by their fragments: slower, and better; 0 for none.
    prior
        What the model expects before it sees a peak: 1 counts it; 0 leaves it out, for a library of training molecules.
        Probabilities are given with 1 alone.
    batch_size
        Number of spectra embedded at once; memory grows with it, not with the number of spectra.

    Yields
    ------
    Annotation
        One for each spectrum (or feature), and one for each record of the file that cannot be read.

    Raises
    ------
    ConfigError
        A number is out of its range, ``rerank`` is asked of a model that cannot, or ``adducts`` is empty.
    AdductError, ForeignModelError, ReadError
        An adduct cannot be parsed; another model embedded the library; while iterating: the file cannot be read (on).
    """
    _check_numbers(ppm=ppm, top=top, batch_size=batch_size, rerank=rerank, prior=prior)
    embedding = _embedding(model, library)
    job = _Job(
        asking=Asking(ppm=ppm, adducts=parse_adducts(adducts)),
        search=_search(embedding, library, ppm=ppm, top=top, rerank=rerank, prior=prior),
        prior=prior,
        embedding=embedding,
        batch_size=batch_size,
        source=Path(spectra).name if isinstance(spectra, (str, Path)) else "",
    )
    return job.merged_answers(records_of(spectra), merge_by.lower()) if merge_by else job.answers(records_of(spectra))


def _search(
    embedding: JointEmbedding, library: StructureLibrary, *, ppm: float, top: int, rerank: int, prior: float
) -> CandidateSearch:
    return CandidateSearch(
        library=library,
        calibration=calibration_of(embedding, rerank=rerank, prior=prior),
        ppm=ppm,
        top=top,
        second_look=SecondLook.of(embedding, recall=rerank),
    )


def _check_numbers(*, ppm: float, top: int, batch_size: int, rerank: int, prior: float) -> None:
    if not (ppm > 0 and np.isfinite(ppm) and top > 0 and batch_size > 0):
        raise ConfigError(f"ppm={ppm}, top={top}, batch_size={batch_size}; expected positive numbers")
    if rerank < 0:
        raise ConfigError(f"rerank={rerank}; expected the number of candidates to look at again, or 0")
    check_prior(prior)


def parse_adducts(adducts: Sequence[Adduct | str] | None) -> tuple[Adduct, ...] | None:
    """Return adducts from their names; None stays None.

    Raises
    ------
    ConfigError
        There are none.
    AdductError
        A name cannot be parsed.
    """
    if adducts is None:
        return None
    if not adducts:
        raise ConfigError("no adducts given; expected at least one, such as [M+H]+")
    return tuple(adduct if isinstance(adduct, Adduct) else Adduct.parse(adduct) for adduct in adducts)


def _embedding(model: JointEmbedding | Path | str | None, library: StructureLibrary) -> JointEmbedding:
    embedding = JointEmbedding.load(model) if model is None or isinstance(model, (str, Path)) else model
    library.require_model(embedding)
    return embedding


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One spectrum of a batch that has candidates, and its place in the batch."""

    position: int
    spectrum: Spectrum
    question: Question
    spans: Spans


@dataclass(frozen=True, kw_only=True)
class _Job:
    asking: Asking
    search: CandidateSearch
    embedding: JointEmbedding
    prior: float
    batch_size: int
    source: str

    def answers(self, records: Iterable[Record]) -> Iterator[Annotation]:
        for batch in batches(records, self.batch_size):
            answers, asked = self._ask(batch)
            for item, vector in zip(asked, self._embed(asked), strict=True):
                answers[item.position] = self._answer(item, vector)
            yield from (answers[position] for position in range(len(batch)))

    def merged_answers(self, records: Iterable[Record], key: str) -> Iterator[Annotation]:
        groups = FeatureGroups(ppm=self.asking.ppm, keep_spectra=self.search.second_look is not None)
        for batch in batches(records, self.batch_size):
            answers, asked = self._ask(batch)
            for item, vector in zip(asked, self._embed(asked), strict=True):
                feature = item.spectrum.metadata.get(key, "")
                if feature:
                    groups.add(feature, item.question, vector, spectrum=item.spectrum)
                else:
                    answers[item.position] = self._answer(item, vector)
            yield from (answers[position] for position in sorted(answers))
        merged = iter(groups.merged())
        while chunk := list(islice(merged, self.batch_size)):
            yield from self._answers_to(chunk)

    def _answers_to(self, merged: Sequence[MergedQuestion]) -> Iterator[Annotation]:
        spans_of = self.search.spans([item.question for item in merged])
        for item, spans in zip(merged, spans_of, strict=True):
            yield self.search.answer(item.question, spans, item.vector, spectra=item.spectra)

    def _answer(self, item: _Asked, vector: NDArray[np.float32]) -> Annotation:
        return self.search.answer(item.question, item.spans, vector, spectra=[item.spectrum])

    def _ask(self, batch: Sequence[Record]) -> tuple[dict[int, Annotation], list[_Asked]]:
        """Return the answers that need no vector by their place in the batch, and what needs one."""
        answers: dict[int, Annotation] = {}
        questions: dict[int, Question] = {}
        for position, record in enumerate(batch):
            asked = self.asking.ask(record, source=self.source) if isinstance(record, Spectrum) else record
            if isinstance(asked, Question):
                questions[position] = asked
            else:
                answers[position] = asked
        found: list[_Asked] = []
        spans_of = self.search.spans(list(questions.values()))
        for (position, question), spans in zip(questions.items(), spans_of, strict=True):
            record = batch[position]
            if isinstance(record, Spectrum) and any(span.stop > span.start for span in spans):
                found.append(_Asked(position=position, spectrum=record, question=question, spans=spans))
            else:
                answers[position] = self.search.nothing(question)
        return answers, found

    def _embed(self, asked: Sequence[_Asked]) -> NDArray[np.float32]:
        if not asked:
            return np.zeros((0, self.embedding.embedding_dim), dtype=np.float32)
        return spectrum_vectors(self.embedding, [item.spectrum for item in asked], prior=self.prior)
