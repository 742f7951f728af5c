"""Another gain and bias for each channel."""

import torch
from jaxtyping import Float

SMALLEST_GAIN = 0.05  # an image without contrast is not given any


class Colour:
    """The channels' gains, as offsets from 1, then their biases; a `Transformation`."""

    name = "colour"

    def num_parameters(self, channels: int, /) -> int:
        """Two a channel."""
        return 2 * channels

    def apply(
        self, images: Float[torch.Tensor, "n s channels height width"], offsets: Float[torch.Tensor, "n m numbers"]
    ) -> Float[torch.Tensor, "n m channels height width"]:
        """Images times gains, plus biases."""
        gains, biases = offsets[..., None, None].chunk(2, dim=2)
        return images * (1 + gains) + biases

    def undo(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Float[torch.Tensor, "n numbers"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images less biases, over gains; the latter are taken for no less than `SMALLEST_GAIN`."""
        gains, biases = offsets[..., None, None].chunk(2, dim=1)
        bounded = (1 + gains).abs().clamp(min=SMALLEST_GAIN).copysign(1 + gains)
        return (images - biases) / bounded
