"""A discrete set of rotations and scales, each a fixed sparse matrix on an image's pixels.

Bilinear, about the middle, zero outside. Knows nothing of clusters.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64

from mintmark.transformations.affine import warp


def rotated_and_scaled(
    rotations: Sequence[float], scales: Sequence[float], *, frame: tuple[int, int]
) -> Float64[torch.Tensor, "warps 6"]:
    """The affine transformations of every rotation at every scale.

    Args:
        rotations: In degrees, clockwise as seen.
        scales: Above 1 enlarges.
        frame: Height and width: pixels are square, whatever the frame is.
    """
    aspect, rows = frame[0] / frame[1], []
    for degrees in rotations:
        for scale in scales:
            cosine, sine = math.cos(math.radians(degrees)) / scale, math.sin(math.radians(degrees)) / scale
            rows.append([cosine, sine * aspect, 0.0, -sine / aspect, cosine, 0.0])
    return torch.tensor(rows, dtype=torch.float64)


class LinearWarps:
    """All warps of a set as one sparse matrix, and its adjoint.

    Attributes:
        affines: The set, as `mintmark.transformations.affine.warp` takes it.
    """

    def __init__(self, affines: Float64[torch.Tensor, "warps 6"], *, frame: tuple[int, int]) -> None:
        self.affines, self._frame = affines, frame
        pixels = frame[0] * frame[1]
        basis = torch.eye(pixels, dtype=torch.float64, device=affines.device).view(pixels, 1, *frame)
        columns = [warp(basis, one.expand(pixels, 1, 6)).view(pixels, pixels) for one in affines]
        dense = torch.cat([column.T.where(column.T.abs() > torch.finfo(torch.float64).eps, 0.0) for column in columns])
        self._matrix, self._adjoint = dense.to_sparse(), dense.T.to_sparse()
        self._squared = dense.square().T.to_sparse()

    def __len__(self) -> int:
        return len(self.affines)

    def __call__(
        self, frames: Float64[torch.Tensor, "n channels h w"]
    ) -> Float64[torch.Tensor, "n warps channels h w"]:
        """Each frame under every warp."""
        num, channels = frames.shape[:2]
        warped = torch.sparse.mm(self._matrix, frames.reshape(num * channels, -1).T)
        return warped.view(len(self), -1, num, channels).permute(2, 0, 3, 1).unflatten(3, self._frame)

    def adjoint(self, warped: Float64[torch.Tensor, "n warps channels h w"]) -> Float64[torch.Tensor, "n channels h w"]:
        """The transposed matrix applied: inner products with `warped` become inner products with frames."""
        return self._transposed(self._adjoint, warped)

    def squared_adjoint(
        self, warped: Float64[torch.Tensor, "n warps channels h w"]
    ) -> Float64[torch.Tensor, "n channels h w"]:
        """`adjoint` of the matrix whose entries are squared: the diagonal of W' diag(warped) W."""
        return self._transposed(self._squared, warped)

    def _transposed(self, matrix: torch.Tensor, warped: torch.Tensor) -> torch.Tensor:
        num, _, channels = warped.shape[:3]
        columns = warped.flatten(3).permute(1, 3, 0, 2).reshape(-1, num * channels)
        return torch.sparse.mm(matrix, columns).T.reshape(num, channels, *self._frame)
