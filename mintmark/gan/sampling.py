"""Images from a trained generator, in batches. Knows nothing of class mixes or files."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.gan.family import AnyGenerator


def sample(
    network: AnyGenerator, codes: Int64[np.ndarray, " n"], *, seed: int, batch_size: int = 512
) -> Iterator[Float[torch.Tensor, "batch channels height width"]]:
    """Yield images of the wanted classes, in order, at most `batch_size` at a time.

    Latents come from the seed on the CPU, so the same noise is used on every device.

    Args:
        network: In eval mode, on any device.
        codes: The class of each image.
        seed: Where the noise comes from.
        batch_size: Bound on the images in memory.
    """
    device = next(network.parameters()).device
    rng = torch.Generator().manual_seed(seed)
    for start in range(0, len(codes), batch_size):
        wanted = torch.from_numpy(codes[start : start + batch_size].copy()).to(device)
        latents = torch.randn((len(wanted), network.latent_size), generator=rng).to(device)
        with torch.no_grad():
            yield network(latents, wanted)
