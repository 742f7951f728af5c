"""AnoGAN (Schlegl et al. 2017): an image is anomalous if the generator cannot make it.

For each image the latent space is searched for the one whose image comes closest, in pixels and in the
discriminator's features. The generator is class-conditional and an image's class is unknown, so the search must find
the class as well. Ours starts from a bank of images that the generator makes once, equally many of each class: the
`num_starts` that already lie closest, of whatever class, are refined by gradient descent on their latents. That costs
one pass of the generator for the bank, and no more descent than a generator without classes would.

A start depends on the seed and on the image itself, and a descent on its own start, so an image's score does not depend
on which images are scored beside it. Deviations from the paper: these starts (a random one there), Adam's length, and
the lowest loss met (the last one there). Knows nothing of how the networks were trained.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64

from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.errors import BadInput
from mintmark.gan.family import AnyDiscriminator, AnyGenerator
from mintmark.progress import track

BANK_BLOCK = 512
DISTANCE_ELEMENTS = 1 << 24
LEAST_ROWS = 16  # libraries sum smaller batches in another order, and a long descent magnifies the last bit to percents


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """How the latent space is searched.

    Attributes:
        num_steps: Steps of descent.
        learning_rate: Adam's.
        num_starts: Latents that are refined for each image.
        bank_per_class: Images of each class that offer themselves as starts.
        feature_weight: lambda, the share of the feature loss; the residual has the rest (0.1 in the paper).
        norm: p of both losses' p-norms, 1 or more: 1 in the paper; 2 lets few large differences outweigh many small ones.
        batch_size: Latents that are refined at once, and never fewer than those of `LEAST_ROWS` images.
    """

    num_steps: int
    learning_rate: float
    num_starts: int
    bank_per_class: int
    feature_weight: float
    norm: float
    batch_size: int

    def __post_init__(self) -> None:
        for name in ("num_steps", "num_starts", "bank_per_class", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not 0 <= self.feature_weight <= 1:
            raise ValueError(f"feature_weight must be between 0 and 1, got {self.feature_weight}")
        if self.norm < 1:
            raise ValueError(f"norm must be at least 1, got {self.norm}")


class Bank(NamedTuple):
    """Generated images, with what they were generated from and what the discriminator sees of them."""

    latents: Float[torch.Tensor, "bank latent"]
    codes: Int64[torch.Tensor, " bank"]
    images: Float[torch.Tensor, "bank values"]
    features: Float[torch.Tensor, "bank features"]


class Found(NamedTuple):
    """The best latent of each image."""

    losses: Float[torch.Tensor, " n"]
    codes: Int64[torch.Tensor, " n"]
    images: Float[torch.Tensor, "n channels height width"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AnoGan:
    """A generator, a discriminator, and the way to search them."""

    generator: AnyGenerator
    discriminator: AnyDiscriminator
    search: Search
    bank: Bank

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "anogan"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """The anomaly score A(x) of the paper's equation 6: the lowest loss that the search met.

        Raises:
            BadInput: the images are of another shape than the generator's.
        """
        return self.find(images).losses

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The closest generated image, and the distance from it at each pixel (the residual |x - G(z)|).

        Raises:
            BadInput: the images are of another shape than the generator's.
        """
        return explained(images, self.find(images).images)

    def num_generated(self, num_images: int) -> int:
        """How many images are generated, and differentiated but for the bank's, to score `num_images`."""
        full, rest = divmod(num_images, self._rows)
        searched = full * self._rows + (max(rest, LEAST_ROWS) if rest else 0)
        return len(self.bank.codes) + searched * self.search.num_starts * (self.search.num_steps + 1)

    @property
    def _rows(self) -> int:
        """Images in one block."""
        return max(LEAST_ROWS, self.search.batch_size // self.search.num_starts)

    def find(self, images: Float[torch.Tensor, "n channels height width"]) -> Found:
        """Search a latent for each image, on the networks' device; the answer lies on the images'.

        Raises:
            BadInput: the images are of another shape than the generator's.
        """
        require_shape(images, self.generator.shape, whose="the generator's")
        blocks = images.split(self._rows) if len(images) else []
        found = [self._find_block(block.to(self.bank.codes.device)) for block in track(blocks, "latent-search")]
        if not found:
            return Found(images.new_zeros(0), self.bank.codes[:0].to(images.device), images)
        return Found(*(torch.cat(parts).to(images.device) for parts in zip(*found, strict=True)))

    def _find_block(self, images: torch.Tensor) -> Found:
        """Search a latent for each image; a small block is filled up with its last image."""
        num_images, num_starts = len(images), self.search.num_starts
        images = torch.cat([images, images[-1:].expand(max(0, LEAST_ROWS - num_images), -1, -1, -1)])
        with torch.no_grad():
            features = self.discriminator.features(images)
        start = self._starts(images, features).flatten()
        targets = images.repeat_interleave(num_starts, dim=0), features.repeat_interleave(num_starts, dim=0)
        codes = self.bank.codes[start]
        best_losses, best_images = images.new_full((len(codes),), torch.inf), torch.zeros_like(targets[0])
        for losses, generated in self._descend(self.bank.latents[start], codes, *targets):
            better = losses < best_losses
            best_losses = torch.where(better, losses, best_losses)
            best_images = torch.where(better[:, None, None, None], generated, best_images)
        winner = best_losses.unflatten(0, (-1, num_starts)).argmin(dim=1)
        winner = (winner + torch.arange(len(images), device=images.device) * num_starts)[:num_images]
        return Found(best_losses[winner], codes[winner], best_images[winner])

    def _starts(self, images: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The bank's entries of lowest loss for each image: (n, num_starts)."""
        weight, norm = self.search.feature_weight, self.search.norm
        rows = max(1, DISTANCE_ELEMENTS // len(self.bank.codes))
        return torch.cat(
            [
                torch.add(
                    (1 - weight) * torch.cdist(some_images, self.bank.images, p=norm),
                    weight * torch.cdist(some_features, self.bank.features, p=norm),
                )
                .topk(self.search.num_starts, largest=False)
                .indices
                for some_images, some_features in zip(images.flatten(1).split(rows), features.split(rows), strict=True)
            ]
        )

    def _descend(
        self, latents: torch.Tensor, codes: torch.Tensor, images: torch.Tensor, features: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield each step's losses and generated images; Adam treats every latent by itself, as does the sum."""
        latents = latents.clone().requires_grad_()
        adam = torch.optim.Adam([latents], lr=self.search.learning_rate)
        for _ in range(self.search.num_steps):
            generated = self.generator(latents, codes)
            losses = self._losses(generated, images, features)
            yield losses.detach(), generated.detach()
            (latents.grad,) = torch.autograd.grad(losses.sum(), [latents])
            adam.step()
        with torch.no_grad():
            generated = self.generator(latents, codes)
            yield self._losses(generated, images, features), generated

    def _losses(self, generated: torch.Tensor, images: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The loss of the paper's equation 5: (1 - lambda) |x - G(z)| + lambda |f(x) - f(G(z))|, in the search's norm."""
        norm = self.search.norm
        residual = torch.linalg.vector_norm((images - generated).flatten(1), ord=norm, dim=1)
        mismatch = torch.linalg.vector_norm(features - self.discriminator.features(generated), ord=norm, dim=1)
        return (1 - self.search.feature_weight) * residual + self.search.feature_weight * mismatch


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    generator: AnyGenerator,
    discriminator: AnyDiscriminator,
    search: Search,
    seed: int,
) -> AnoGan:
    """A detector from networks that were trained on the normals; it adds only the bank of starts.

    The networks' weights are frozen in place.

    Raises:
        BadInput: the normals, the generator and the discriminator disagree on the images' shape, or the bank is too
            small for the starts, or the generator makes images that are not finite.
    """
    freeze(generator, discriminator, normals)
    num_bank = search.bank_per_class * generator.num_classes
    if num_bank < search.num_starts:
        raise BadInput(f"num_starts: expected at most {num_bank}, the size of the bank, got {search.num_starts}")
    device = next(generator.parameters()).device
    codes = torch.arange(num_bank, device=device) % generator.num_classes
    latents = torch.randn(num_bank, generator.latent_size, generator=torch.Generator().manual_seed(seed)).to(device)
    images = torch.cat(
        [
            generator(some_latents, some_codes)
            for some_latents, some_codes in zip(latents.split(BANK_BLOCK), codes.split(BANK_BLOCK), strict=True)
        ]
    )
    if not images.isfinite().all():
        raise BadInput("generator: expected finite images, got NaN or infinity")
    features = torch.cat([discriminator.features(some) for some in images.split(BANK_BLOCK)])
    bank = Bank(latents, codes, images.flatten(1), features)
    return AnoGan(generator=generator, discriminator=discriminator, search=search, bank=bank)


def freeze(
    generator: AnyGenerator, discriminator: AnyDiscriminator, normals: Float[torch.Tensor, "n channels height width"]
) -> None:
    """Freeze two networks in place, once it is sure that both are for the normals' shape.

    Raises:
        BadInput: the normals, the generator and the discriminator disagree on the images' shape.
    """
    require_shape(normals, generator.shape, whose="the generator's")
    if discriminator.shape != generator.shape:
        raise BadInput(f"discriminator: expected the generator's shape {generator.shape}, got {discriminator.shape}")
    generator.eval().requires_grad_(False)
    discriminator.eval().requires_grad_(False)
