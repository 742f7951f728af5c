"""A student: the downstream classifier taught by few labels and by a teacher's beliefs about unlabelled images.

The teacher may be anything that gives probabilities: a classifier of the same kind (self-training, Lee 2013), a
semi-supervised GAN's discriminator, or the neighbours in a graph. Knows nothing of how beliefs came about.
"""

import torch
from jaxtyping import Float, Int64

from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe, Synthetic, train_classifier
from mintmark.errors import BadInput


def train_student(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    beliefs: Float[torch.Tensor, "n classes"],
    *,
    share: float,
    recipe: Recipe,
    seed: int,
    device: torch.device | str = "cpu",
) -> Classifier:
    """Train on the labels where there are any, and on the beliefs where there are none.

    Args:
        images: Real images, pixels in [-1, 1].
        codes: Their classes, -1 for an unlabelled image.
        beliefs: A teacher's probabilities of the classes for every image; those of labelled ones are not used.
        share: Of every batch that unlabelled images take, above 0 and below 1.
        recipe: How to train; a step costs what one without a teacher costs.
        seed: Of everything drawn here; the first weights and the draws of labelled images are those that
            `train_classifier` makes of it.
        device: Where to train.

    Raises:
        BadInput: no image is labelled, or none is unlabelled, or beliefs are not probabilities.
    """
    labelled = codes >= 0
    if bool(labelled.all()):
        raise BadInput("training records: expected at least one without a label, got none")
    if not torch.allclose(beliefs.sum(dim=1), beliefs.new_ones(len(beliefs)), atol=1e-3):
        raise BadInput("beliefs: expected probabilities that sum to 1 for every image, got others")
    return train_classifier(
        images[labelled],
        codes[labelled],
        num_classes=beliefs.shape[1],
        recipe=recipe,
        seed=seed,
        synthetic=Synthetic(images=images[~labelled], labels=beliefs[~labelled], share=share),
        device=device,
    )
