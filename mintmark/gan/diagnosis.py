"""Two signs of a GAN gone wrong, measured on held-out images: it learnt by heart, or it collapsed.

Knows nothing of training or thresholds. Distances are Euclidean in pixels from -1 to 1.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

from mintmark.gan.family import AnyDiscriminator
from mintmark.intervals import Interval, auc_bootstrap, proportion
from mintmark.neighbours import nearest

Images = Float[torch.Tensor, "n channels height width"]
COVERAGE_NEIGHBOUR = 5  # Naeem et al. 2020, section 3.3
BATCH_SIZE = 512


@torch.no_grad()
def logits(
    discriminator: AnyDiscriminator, images: Images, codes: Int64[torch.Tensor, " n"]
) -> Float64[np.ndarray, " n"]:
    """The discriminator's output on images as they are, on whatever device it is."""
    device = next(discriminator.parameters()).device
    parts = [
        discriminator(part.to(device), wanted.to(device)).float().cpu()
        for part, wanted in zip(images.split(BATCH_SIZE), codes.split(BATCH_SIZE), strict=True)
    ]
    return torch.cat(parts).double().numpy()


def memory(
    train_logits: Float64[np.ndarray, " train"],
    validation_logits: Float64[np.ndarray, " validation"],
    *,
    rng: np.random.Generator,
) -> Interval:
    """How well the discriminator tells training from validation images, as an AUC: 0.5 where it learnt none by heart."""
    return auc_bootstrap(train_logits, validation_logits, rng=rng)


def coverage(real: Images, candidates: Float[torch.Tensor, "m channels height width"]) -> Interval:
    """The share of real images that have a candidate nearby: small where a generator collapsed.

    Nearby means no further than the image's own fifth nearest real neighbour (Naeem et al. 2020, equation 10; with
    fewer images, than the furthest). Depends on how many candidates there are: compare equal numbers.

    Raises:
        ValueError: fewer than two real images, of which no distance can be known.
    """
    points = real.flatten(1)
    k = min(COVERAGE_NEIGHBOUR, len(points) - 1)
    radii = nearest(points, points, k=k, same_set=True).distances[:, -1]
    covered = nearest(points, candidates.flatten(1)).distances[:, 0] <= radii
    return proportion(int(covered.sum()), len(points))
