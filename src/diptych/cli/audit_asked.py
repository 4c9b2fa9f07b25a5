"""Which method an audit asks with perturbed spectra: the one whose results it audits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diptych.cli.audit_material import Material
    from diptych.ranking import Ranker

_SHOWN_DIGITS = 12


def why_not_asked(material: Material) -> str:
    """Return why a model that was named cannot be asked anew; empty where it can, or where none was named."""
    if not material.models or material.queries:
        return ""
    if material.spectra is None or material.candidates is None:
        return "Not asked anew: besides --model this needs --spectra and --candidates."
    n_queries = len(material.results.queries)
    return f"Not asked anew: none of the {n_queries:,} queries of the results is a spectrum of {material.spectra}."


def judged_ranker(material: Material) -> tuple[Ranker, str]:
    """Return the first model as ``diptych evaluate`` and ``benchmark run`` ask it, and a sentence that says how.

    Its second look is as its metadata say, and so much of its prior is left as the results' provenance says; all of it
    where they say nothing.
    """
    from diptych.retrieval.reranking import ReRankingRanker, model_ranker

    embedding = material.embeddings[0]
    provenance = material.evaluation.provenance if material.evaluation else {}
    prior = float(provenance.get("prior", 1.0))
    ranker = model_ranker(embedding, prior=prior)
    how = "by the cosine of its vectors"
    if isinstance(ranker, ReRankingRanker):
        how = f"with its second look at the first {ranker.settings.recall} candidates"
    stated = "as the results say" if "prior" in provenance else "the results do not say how much"
    share = "its whole prior" if prior == 1 else f"{prior:g} of its prior"
    said = f"Asked: {embedding.name}, {how}, with {share} ({stated})."
    return ranker, f"{said} {_whose(material, embedding)}".strip()


def _whose(material: Material, embedding: Any) -> str:  # noqa: ANN401 - a JointEmbedding
    """Return a warning where the results are not those of the model; empty where they are."""
    if material.evaluation is None:
        return "The results are a table, which does not say of which model they are."
    if material.evaluation.model != embedding.name:
        return f"The results are those of {material.evaluation.model}, which was not asked."
    digest = material.evaluation.provenance.get("model_digest", embedding.digest)
    if digest != embedding.digest:
        digests = f"{digest[:_SHOWN_DIGITS]}, not {embedding.digest[:_SHOWN_DIGITS]}"
        return f"The results are those of another model of this name (digest {digests})."
    return ""
