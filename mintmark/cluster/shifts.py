"""All translations of images at once, by the fast Fourier transform.

Images lie in a frame that is wider by the farthest shift on every side, so that what a translation carries around the
frame's edge is always empty. Translations are numbered row by row, from the farthest up and left to the farthest down
and right. A series is an image of one row, which goes neither up nor down. Knows nothing of clusters.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex128, Float64, Int64
from torch.nn import functional


@dataclass(frozen=True, kw_only=True, slots=True)
class Shifts:
    """Every translation by at most `farthest` pixels in each direction.

    Attributes:
        height: Of the images; of one row, only translations to the left and right are made.
        width: Of the images.
        farthest: In pixels; not negative.
    """

    height: int
    width: int
    farthest: int

    def __post_init__(self) -> None:
        if self.farthest < 0:
            raise ValueError(f"farthest must not be negative, got {self.farthest}")

    @property
    def reach(self) -> tuple[int, int]:
        """How many pixels translations go up or down, and left or right, at most."""
        return (0 if self.height == 1 else self.farthest), self.farthest

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of the frame."""
        down, right = self.reach
        return self.height + 2 * down, self.width + 2 * right

    @property
    def num(self) -> int:
        """How many translations there are."""
        down, right = self.reach
        return (2 * down + 1) * (2 * right + 1)

    def embed(
        self, images: Float64[torch.Tensor, "n channels height width"]
    ) -> Float64[torch.Tensor, "n channels h w"]:
        """Images in the middle of a frame of zeros."""
        down, right = self.reach
        return functional.pad(images, (right, right, down, down))

    def crop(self, frames: Float64[torch.Tensor, "n channels h w"]) -> Float64[torch.Tensor, "n channels height width"]:
        """The middle of each frame."""
        down, right = self.reach
        rows, columns = slice(down, down + self.height), slice(right, right + self.width)
        return frames[:, :, rows, columns]

    def offsets(self, numbers: Int64[torch.Tensor, " n"]) -> Int64[torch.Tensor, "n 2"]:
        """How many pixels down and to the right each translation goes."""
        down, right = self.reach
        side = 2 * right + 1
        return torch.stack([numbers // side - down, numbers % side - right], dim=1)

    def move(
        self, frames: Float64[torch.Tensor, "n channels h w"], numbers: Int64[torch.Tensor, " n"]
    ) -> Float64[torch.Tensor, "n channels h w"]:
        """Each frame under a translation of its own."""
        return self._roll(frames, self.offsets(numbers))

    def move_back(
        self, frames: Float64[torch.Tensor, "n channels h w"], numbers: Int64[torch.Tensor, " n"]
    ) -> Float64[torch.Tensor, "n channels h w"]:
        """Each frame under the inverse of a translation of its own."""
        return self._roll(frames, -self.offsets(numbers))

    def correlate(
        self, images: Complex128[torch.Tensor, "n channels h f"], patterns: Complex128[torch.Tensor, "m channels h f"]
    ) -> Float64[torch.Tensor, "n m shifts"]:
        """The inner product of every image, moved back by every translation, with every pattern.

        Args:
            images: Spectra of frames.
            patterns: Spectra of frames.
        """
        product = torch.einsum("nchf,mchf->nmhf", images, patterns.conj())
        rows, columns = self._places(images.device)
        return torch.fft.irfft2(product, s=self.frame)[:, :, rows, columns]

    def gather(
        self, images: Complex128[torch.Tensor, "n channels h f"], weights: Float64[torch.Tensor, "n m shifts"]
    ) -> Float64[torch.Tensor, "m channels h w"]:
        """The sum over images and translations of each image moved back, times its weight: the adjoint of `correlate`.

        Args:
            images: Spectra of frames.
            weights: Of each image under each translation, for each of m sums.
        """
        spread = weights.new_zeros(*weights.shape[:2], *self.frame)
        rows, columns = self._places(weights.device)
        spread[:, :, rows, columns] = weights
        product = torch.einsum("nchf,nmhf->mchf", images, torch.fft.rfft2(spread).conj())
        return torch.fft.irfft2(product, s=self.frame)

    def _places(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Where each translation stands in a correlation; backward ones stand at the end."""
        down, right = self.offsets(torch.arange(self.num, device=device)).unbind(1)
        return down % self.frame[0], right % self.frame[1]

    def _roll(self, frames: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        height, width = self.frame
        rows = (torch.arange(height, device=frames.device) - offsets[:, :1]) % height  # (n, h)
        columns = (torch.arange(width, device=frames.device) - offsets[:, 1:]) % width
        records = torch.arange(len(frames), device=frames.device)
        return frames.permute(0, 2, 3, 1)[records[:, None, None], rows[:, :, None], columns[:, None]].permute(
            0, 3, 1, 2
        )


def spectrum(frames: Float64[torch.Tensor, "n channels h w"]) -> Complex128[torch.Tensor, "n channels h f"]:
    """What `Shifts.correlate` and `Shifts.gather` take."""
    return torch.fft.rfft2(frames)
