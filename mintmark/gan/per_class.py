"""A pair of networks for each class, as Frid-Adar et al. (2018) trained a DCGAN for each kind of lesion.

All classes' networks are one module, so that one file holds them and one call samples any of them. They share no weight
and no optimiser moment, hence learn nothing of each other. Unlike theirs, the networks are this room's own. Knows nothing
of losses, data or files.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import nn

from mintmark.gan.networks import Discriminator, Generator, View


class PerClassGenerator(nn.Module):
    """Latents and classes to images, each class by a generator of its own.

    Attributes:
        latent_size: Length of a latent vector, which is standard normal.
        num_classes: Number of classes.
        shape: (height, width, channels) of the images.
    """

    def __init__(self, *, shape: tuple[int, int, int], num_classes: int, latent_size: int, width: int) -> None:
        super().__init__()
        self.shape, self.num_classes, self.latent_size, self.width = shape, num_classes, latent_size, width
        self.networks = nn.ModuleList(
            [Generator(shape=shape, num_classes=1, latent_size=latent_size, width=width) for _ in range(num_classes)]
        )

    @property
    def architecture(self) -> dict[str, Any]:
        """The arguments that build such a network, as JSON values."""
        return {
            "shape": self.shape,
            "num_classes": self.num_classes,
            "latent_size": self.latent_size,
            "width": self.width,
        }

    def forward(
        self, latents: Float[torch.Tensor, "n latent"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images in [-1, 1]."""
        (images,) = _by_class(codes, self.num_classes, latents, lambda code, some: (self._draw(code, some),))
        return images

    def _draw(self, code: int, latents: torch.Tensor) -> torch.Tensor:
        return self.networks[code](latents, torch.zeros(len(latents), dtype=torch.int64, device=latents.device))


class PerClassDiscriminator(nn.Module):
    """Images and classes to logits, each class by a discriminator of its own.

    Attributes:
        num_features: Length of the features, all classes' together.
        num_classes: Number of classes.
        shape: (height, width, channels) of the images.
    """

    def __init__(self, *, shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__()
        self.shape, self.num_classes, self.width = shape, num_classes, width
        networks = [Discriminator(shape=shape, num_classes=1, width=width) for _ in range(num_classes)]
        self.num_features = sum(one.num_features for one in networks)
        self.networks = nn.ModuleList(networks)

    @property
    def architecture(self) -> dict[str, Any]:
        """The arguments that build such a network, as JSON values."""
        return {"shape": self.shape, "num_classes": self.num_classes, "width": self.width}

    def forward(
        self, images: Float[torch.Tensor, "n channels height width"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, " n"]:
        """One logit an image, higher for more real as an image of its class."""
        return self.view(images, codes).logits

    def features(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
        """What every class's discriminator sees of each image, side by side."""
        return torch.cat([network.features(images) for network in self.networks], dim=1)  # type: ignore[operator]

    def view(self, images: Float[torch.Tensor, "n channels height width"], codes: Int64[torch.Tensor, " n"]) -> View:
        """Features and logits by the discriminator of each image's class; features compare within a class alone."""
        features, logits = _by_class(codes, self.num_classes, images, self._view)
        return View(features, logits)

    def _view(self, code: int, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        codes = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        view = self.networks[code].view(images, codes)  # type: ignore[operator]
        return view.features, view.logits


def _by_class(
    codes: torch.Tensor,
    num_classes: int,
    rows: torch.Tensor,
    each: Callable[[int, torch.Tensor], tuple[torch.Tensor, ...]],
) -> tuple[torch.Tensor, ...]:
    """What `each` makes of its class's rows, joined in the order of the rows. Every class is asked, even for no row."""
    order = codes.argsort(stable=True)
    back = order.argsort()
    counts = torch.bincount(codes, minlength=num_classes).tolist()
    parts = [each(code, some) for code, some in enumerate(rows.index_select(0, order).split(counts))]
    return tuple(torch.cat(made).index_select(0, back) for made in zip(*parts, strict=True))
