"""Soft dilation and erosion: a pixel becomes a weighted mean of its neighbourhood that leans to its extremes.

y = sum_j w_j x_j exp(alpha x_j) / sum_j w_j exp(alpha x_j), over the 3 x 3 pixels around. A large alpha gives the
largest of the neighbours that count (dilation), a large negative one the smallest (erosion), and zero their mean. The
pixel itself always counts. Knows nothing of clusters.
"""

import torch
from jaxtyping import Float
from torch.nn import functional

SIDE = 3  # strokes grow or shrink by a pixel on each side
STEEPEST = 20.0  # bound of alpha: the exponentials stay within single precision for pixels in [-2, 2]


class Morphological:
    """Alpha, then the weights of the eight neighbours, row by row, which count from 0 on; a `Transformation`."""

    name = "morphological"

    def num_parameters(self, _channels: int, /) -> int:
        """Nine, whatever the channels."""
        return SIDE**2

    def apply(
        self, images: Float[torch.Tensor, "n s channels height width"], offsets: Float[torch.Tensor, "n m 9"]
    ) -> Float[torch.Tensor, "n m channels height width"]:
        """Images dilated or eroded; what lies outside is 0."""
        (height, width), edge, centre = images.shape[3:], SIDE // 2, SIDE**2 // 2
        alpha = offsets[..., :1, None, None].clamp(-STEEPEST, STEEPEST)
        neighbours = offsets[..., 1:].clamp(min=0)  # a clamp passes the gradient at 0, where all begin
        weights = torch.cat(
            [neighbours[..., :centre], torch.ones_like(alpha[..., 0, 0]), neighbours[..., centre:]], dim=-1
        )
        padded = functional.pad(images, (edge,) * 4)
        above, below = 0.0, 0.0
        for place in range(SIDE**2):
            down, right = divmod(place, SIDE)
            moved = padded[..., down : down + height, right : right + width]
            # Relative to the pixel itself, so that a neighbour without weight changes nothing, not even a last bit.
            pull = weights[..., place, None, None, None] * (alpha * (moved - images)).exp()
            above, below = above + pull * (moved - images), below + pull
        return images + above / below

    def undo(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Float[torch.Tensor, "n 9"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """The images as they are: what a dilation or erosion has swallowed cannot be told."""
        assert len(images) == len(offsets)
        return images
