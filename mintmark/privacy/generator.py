"""Threat model `generator`: the attacker holds the generator's weights.

They can sample without limit, past every filter of the release, and search the latent space for a record. Knows
nothing of files, or of how the generator was trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.classify.training import Recipe
from mintmark.gan.family import AnyGenerator
from mintmark.neighbours import nearest
from mintmark.privacy.likelihood import shadow_attacks
from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores
from mintmark.privacy.samples import calibrated_scores, distance_attacks, log_nearness, sample_answers
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.spaces import Spaces
from mintmark.progress import track

BATCH_SIZE = 512

Question = Literal["nearest", "density", "neighbourhood", "feature", "auxiliary", "inversion"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """How much the attacker does.

    Attributes:
        own_samples: Images that they sample for themselves, an equal number of each class.
        steps: Of the search of the latent space, from the latent of the nearest own sample.
        learning_rate: Of the search (Adam).
        max_records: Members, and non-members, under this threat model's attacks at most: each costs `steps` passes
            through the generator and back, for the target and for every control.
    """

    own_samples: int
    steps: int
    learning_rate: float
    max_records: int

    def __post_init__(self) -> None:
        if self.own_samples < 1 or self.steps < 0 or self.learning_rate <= 0:
            found = f"{self.own_samples}, {self.steps} and {self.learning_rate}"
            raise ValueError(f"own_samples, steps and learning_rate must be at least 1, 0 and above 0, got {found}")
        if self.max_records < 1:
            raise ValueError(f"max_records must be at least 1, got {self.max_records}")


class OwnSamples(NamedTuple):
    """What the attacker sampled: latents, classes, and the images as rows of pixels in [0, 1]."""

    latents: Float[torch.Tensor, "n latent"]
    codes: Int64[torch.Tensor, " n"]
    pixels: Float[torch.Tensor, "n pixels"]


@torch.no_grad()
def sample_own(network: AnyGenerator, *, num: int, seed: int) -> OwnSamples:
    """Samples of every class in turn, with the latents that made them."""
    latents = torch.randn((num, network.latent_size), generator=torch.Generator().manual_seed(seed))
    codes = torch.arange(num) % network.num_classes
    parts = [
        _unit_pixels(network(some, wanted))
        for some, wanted in zip(latents.split(BATCH_SIZE), codes.split(BATCH_SIZE), strict=True)
    ]
    return OwnSamples(latents, codes, torch.cat(parts))


def inversion_scores(
    network: AnyGenerator,
    queries: Float[torch.Tensor, "queries pixels"],
    *,
    own: OwnSamples,
    search: Search,
) -> Float[np.ndarray, " queries"]:
    """Latent inversion: whom the generator can reproduce better than others is a member.

    Threat model: the attacker starts from the latent of the nearest of their own samples and follows the gradient of
    the distance to the record; the smallest distance met counts (Chen et al. 2020, GAN-Leaks, white box).

    Returns:
        The distance to the reproduction in pixels from 0 to 1, negative; higher for a member.
    """
    starts = nearest(queries, own.pixels).indices[:, 0]
    batches = list(zip(queries.split(BATCH_SIZE), starts.split(BATCH_SIZE), strict=True))
    errors = [
        _invert(network, some, own.latents[rows], own.codes[rows], search)
        for some, rows in track(batches, "latent-inversion")
    ]
    return -torch.cat(errors).double().numpy()


def _invert(
    network: AnyGenerator, queries: torch.Tensor, latents: torch.Tensor, codes: torch.Tensor, search: Search
) -> Float[torch.Tensor, " queries"]:
    """The smallest distance met to each query, at most that of the start."""
    latents = latents.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([latents], lr=search.learning_rate)
    with torch.no_grad():
        best = torch.linalg.vector_norm(_unit_pixels(network(latents, codes)) - queries, dim=1)
    for _ in range(search.steps):
        squared = (_unit_pixels(network(latents, codes)) - queries).square().sum(dim=1)
        best = torch.minimum(best, squared.detach().sqrt())
        (latents.grad,) = torch.autograd.grad(squared.sum(), latents)  # never of the weights
        optimiser.step()
    return best


def attack_own_samples(own: Float[torch.Tensor, "n pixels"], parties: Parties, *, spaces: Spaces) -> dict[str, Scores]:
    """What threat model `samples` does by distances, over a far larger sample, which no filter has seen."""
    return {name: parties.split(scores) for name, scores in distance_attacks(own, parties, spaces).items()}


def attack_generator(
    network: AnyGenerator,
    parties: Parties,
    *,
    spaces: Spaces,
    search: Search,
    recipe: Recipe,
    seed: int,
    shadows: Mapping[str, Shadows],
) -> dict[str, Scores]:
    """Every attack of this threat model on one generator.

    See `attack_own_samples`; `inversion`: see `inversion_scores`, calibrated by the reference; and over shadow
    generators, of which the attacker draws as many samples, `likelihood.shadow_attacks`.

    Args:
        network: The target.
        parties: Who is who.
        spaces: Where the attacker measures.
        search: How much they do.
        recipe: Of the auxiliary discriminator, where shadows were asked for it.
        seed: Of their samples.
        shadows: What shadow generators answer, by question; none where there are none.
    """
    own = sample_own(network, num=search.own_samples, seed=seed)
    queries = parties.pixels()
    inverted = inversion_scores(network, queries, own=own, search=search)
    found = attack_own_samples(own.pixels, parties, spaces=spaces)
    found["inversion"] = parties.split(calibrated_scores(inverted, queries, spaces.reference))
    answers = sample_answers(own.pixels, queries, spaces, shadows, recipe=recipe, seed=seed)
    if "inversion" in shadows:
        answers["inversion"] = log_nearness(inverted)
    return found | {name: parties.split(scores) for name, scores in shadow_attacks(answers, shadows).items()}


def _unit_pixels(images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n pixels"]:
    """Images in [-1, 1] as rows of pixels in [0, 1], in the order of stored images: channels last."""
    return (images.permute(0, 2, 3, 1).flatten(1) + 1.0) / 2.0
