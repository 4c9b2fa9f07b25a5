"""Contrast by the vectors of peaks and atoms instead of those of whole spectra and structures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from diptych.encoders.output import EncoderOutput
from diptych.encoders.pairs.late_interaction import late_interaction
from diptych.encoders.pairs.tokens import TokenVectors
from diptych.encoders.structures.gathering import counts_everywhere, gathered
from diptych.errors import ConfigError
from diptych.molecules.structure import Structure
from diptych.spectra.spectrum import Spectrum
from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.contrastive import cross_entropy, diagonal


class LateInteraction(LossTerm):
    """Symmetric InfoNCE whose scores are maximum similarities of peaks with atoms.

    Parameters
    ----------
    model
        Both towers of which must return a vector for each part.
    temperature
        Divides the scores; 0 takes the temperature of the main loss.
    hard_negatives
        Whether each spectrum sees the hard negatives of its molecule, too.

    Notes
    -----
    `symmetric_info_nce` with s(x_i, y_j) = mean_p max_a <x_ip, y_ja> over peaks p and atoms a in place of the cosine:
    the scores of ColBERT (Khattab and Zaharia, doi:10.48550/arXiv.2004.12832, section 3.3), trained with InfoNCE
    (doi:10.48550/arXiv.1807.03748). Molecules told apart by their rows; replicates are no negatives.
    """

    def __init__(self, *, model: Any, temperature: float = 0.0, hard_negatives: bool = True) -> None:  # noqa: ANN401
        super().__init__()
        self.temperature, self.hard_negatives = temperature, hard_negatives
        check_tokens(model, asked_by="loss term 'late-interaction'")

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        batch, n = context.batch, context.batch.n_molecules
        temperature = self.temperature or context.temperature
        peaks, peak_mask = _tokens_everywhere(context.spectra, slice(None))
        atoms, atom_mask = _tokens_everywhere(context.structures, slice(0, n))
        target, replicates = context.vectors.target, context.vectors.replicates
        scores = late_interaction(peaks, peak_mask, atoms, atom_mask) / temperature
        logits = [scores]
        if self.hard_negatives and any(counts_everywhere(len(batch.owner), device=batch.owner.device)):
            decoys, decoy_mask = _tokens_everywhere(context.structures, slice(n, None))
            owner = context.vectors.owner
            foreign = owner[None, :] != target[:, None]
            hard = _of_own(peaks, peak_mask, decoys, decoy_mask, target=target, owner=owner)
            logits.append((hard / temperature).masked_fill(foreign, -torch.inf))
        by_spectrum = cross_entropy(torch.cat(logits, 1), target)
        to_spectra = scores.T[target].masked_fill(replicates, -torch.inf)
        return (by_spectrum + cross_entropy(to_spectra, diagonal(to_spectra))) / 2


def _of_own(
    peaks: Tensor, peak_mask: Tensor, atoms: Tensor, atom_mask: Tensor, *, target: Tensor, owner: Tensor
) -> Tensor:
    """Return the scores of spectra with their own molecule's negatives, 0 elsewhere."""
    spectra, negatives = torch.argsort(target, stable=True), torch.argsort(owner, stable=True)
    n = int(target.max()) + 1
    n_spectra, n_negatives = (torch.bincount(owners, minlength=n).tolist() for owners in (target, owner))
    # Split once: taking each molecule's rows by itself would make the whole gradient anew for every molecule.
    parts = zip(
        *(torch.split(part[spectra], n_spectra) for part in (peaks, peak_mask)),
        *(torch.split(part[negatives], n_negatives) for part in (atoms, atom_mask)),
        strict=True,
    )
    found = [late_interaction(*part).flatten() for part in parts if len(part[0]) and len(part[2])]
    places = [
        torch.cartesian_prod(rows, columns)
        for rows, columns in zip(torch.split(spectra, n_spectra), torch.split(negatives, n_negatives), strict=True)
    ]
    rows, columns = torch.cat(places).T
    return peaks.new_zeros(len(target), len(owner)).index_put((rows, columns), torch.cat(found))


def _tokens_everywhere(output: EncoderOutput, rows: slice) -> tuple[Tensor, Tensor]:
    """Return token vectors and mask of some rows of all processes, padded to the most slots among them."""
    if output.token_vectors is None or output.token_mask is None:
        raise ConfigError("loss term 'late-interaction': a tower returned no vectors of parts")
    vectors, mask = output.token_vectors[rows].float(), output.token_mask[rows]
    missing = max(counts_everywhere(mask.shape[1], device=mask.device)) - mask.shape[1]
    vectors = functional.pad(vectors, (0, 0, 0, missing))
    return gathered(vectors), gathered(functional.pad(mask, (0, missing)))


@torch.no_grad()
def check_tokens(model: Any, *, asked_by: str) -> None:  # noqa: ANN401 - a joint embedding
    """Refuse towers without parts, or with parts that cannot be compared, before anything is trained.

    Raises
    ------
    ConfigError
        A tower has no parts, or theirs differ in length.
    """
    spectrum = Spectrum.from_peaks([60.0, 100.0], [1.0, 2.0], precursor_mz=150.0, charge=1)
    structure = Structure.from_smiles("CCO")
    training = model.training
    dims = [
        part.vectors.shape[-1]
        for part in (model.encode_spectrum_tokens([spectrum]), model.encode_structure_tokens([structure]))
        if isinstance(part, TokenVectors)
    ]
    model.train(training)
    if dims[0] != dims[1]:
        raise ConfigError(
            f"{asked_by}: vectors of peaks have length {dims[0]}, those of atoms {dims[1]}; "
            "expected the same token_dim in both towers"
        )
