"""In which forms an attacker shows a record to a classifier: as it is, shifted, and mirrored as training did.

A classifier trained on shifted and mirrored copies has seen these rather than the record itself, so its answers to all
of them together tell more than one (Carlini et al. 2022, section VI.C). Forms that training never made tell nothing.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.classify.policy import BLACK

TEMPERATURE = (
    2.0  # of the softmax, so that sure answers still differ (Zarifzadeh et al. 2024, the appendix on likelihoods)
)
LEAST_SHIFT = 0.5  # pixels; below, a shift rounds to none


class Form(NamedTuple):
    """One form of a record: so many pixels down and right, 0 for as it is, and whether mirrored."""

    down: int
    right: int
    mirrored: bool


class Answers(NamedTuple):
    """What a classifier answers to records, the mean over the forms in which they were shown.

    Attributes:
        confidences: Log-odds of the true class; see `confidence_scores`.
        log_likelihoods: The logarithm of its probability at `TEMPERATURE`.
    """

    confidences: Float[np.ndarray, " queries"]
    log_likelihoods: Float[np.ndarray, " queries"]


PLAIN_FORM = Form(0, 0, mirrored=False)


def forms_like(augmentation: Augmentation, *, shape: tuple[int, int, int]) -> tuple[Form, ...]:
    """The record itself; shifts by half the training's range, in four directions; mirror images where it had them.

    Args:
        augmentation: Of the training.
        shape: (height, width, channels) of the images.
    """
    places = [(0, 0)]
    for axis, side in enumerate(shape[:2]):
        reach = augmentation.shift * side
        if reach >= LEAST_SHIFT:
            step = max(1, round(reach / 2))
            places += [(step, 0), (-step, 0)] if axis == 0 else [(0, step), (0, -step)]
    mirrors = (False, True) if augmentation.flip else (False,)
    return tuple(Form(*place, mirrored=mirrored) for mirrored in mirrors for place in places)


def shown_as(
    images: Float[torch.Tensor, "n channels height width"], form: Form
) -> Float[torch.Tensor, "n channels height width"]:
    """Images in that form; what comes in from beyond the edge is black."""
    turned = images.flip(3) if form.mirrored else images
    height, width = images.shape[2:]
    found = torch.full_like(turned, BLACK)
    rows, from_rows = _overlap(form.down, height)
    columns, from_columns = _overlap(form.right, width)
    found[:, :, rows, columns] = turned[:, :, from_rows, from_columns]
    return found


def ask(
    network: Classifier,
    images: Float[torch.Tensor, "queries channels height width"],
    codes: Int64[np.ndarray, " queries"],
    *,
    forms: tuple[Form, ...] = (PLAIN_FORM,),
) -> Answers:
    """Ask for every image in every form, in eval mode.

    From logits, so that no confidence saturates.

    Args:
        network: Whom to ask.
        images: In [-1, 1].
        codes: The true classes, as the attacker knows them.
        forms: In which every image is shown.
    """
    answers = [logits(network, shown_as(images, form)) for form in forms]
    return Answers(
        confidences=np.mean([log_odds(one, codes) for one in answers], axis=0),
        log_likelihoods=np.mean([log_likelihoods(one, codes) for one in answers], axis=0),
    )


def confidence_scores(
    network: Classifier,
    images: Float[torch.Tensor, "queries channels height width"],
    codes: Int64[np.ndarray, " queries"],
    *,
    forms: tuple[Form, ...] = (PLAIN_FORM,),
) -> Float[np.ndarray, " queries"]:
    """Log-odds of the true class, log(p / (1 - p)), the mean over the forms (Carlini et al. 2022, equation 4).

    The arguments are those of `ask`.
    """
    return ask(network, images, codes, forms=forms).confidences


def log_odds(
    answers: Float[torch.Tensor, "queries classes"], codes: Int64[np.ndarray, " queries"]
) -> Float[np.ndarray, " queries"]:
    """log(p / (1 - p)) of the true class, from logits."""
    own = torch.from_numpy(codes)[:, None]
    answers = answers.double()
    others = answers.scatter(1, own, -torch.inf).logsumexp(dim=1)
    return (answers.gather(1, own)[:, 0] - others).numpy()


def log_likelihoods(
    answers: Float[torch.Tensor, "queries classes"], codes: Int64[np.ndarray, " queries"]
) -> Float[np.ndarray, " queries"]:
    """Log p of the true class, from logits, with p = softmax(logits / `TEMPERATURE`)."""
    own = torch.from_numpy(codes)[:, None]
    return (answers.double() / TEMPERATURE).log_softmax(dim=1).gather(1, own)[:, 0].numpy()


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    """Where the pixels go, and where they come from, along one side."""
    if shift >= 0:
        return slice(shift, side), slice(0, side - shift)
    return slice(0, side + shift), slice(-shift, side)
