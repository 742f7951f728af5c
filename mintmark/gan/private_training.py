"""Adversarial training in which the discriminator is differentially private, hence the generator as well.

Only the real terms of the discriminator's loss look at records. Their gradients are cut, summed and noised; the fake
terms' gradients are then added as they are, since they owe nothing to the records but by way of earlier private steps.
The generator sees the discriminator alone: post-processing (Dwork and Roth 2014, proposition 2.1; Xie et al. 2018, DPGAN).

What of the usual training would look at records without noise is left out, and a recipe that asks for it is refused:
class-balanced batches (here every record has a coin of its own, and the fakes' classes are uniform), gradient penalties,
a relativistic generator and the energy distance, both of which hand the generator real logits or features, adaptation by
the sign of real logits, and networks by class. What a step reports of its real records is for the inside alone.
"""

from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Float, Int64
from torch.nn import functional

from mintmark.differential.accountant import Spending
from mintmark.differential.gradients import Noise, noise_of, poisson_rows, set_private_gradients
from mintmark.gan.augmentation import augment
from mintmark.gan.batches import Batch, Pixels
from mintmark.gan.config import Config, Recipe
from mintmark.gan.losses import LOSSES, LossName
from mintmark.gan.state import State, initial_state
from mintmark.gan.training import Step, apply_gradients, update_average

Term = Callable[[torch.Tensor], torch.Tensor]
# each loss of the discriminator as (real term, fake term) of single logits; their means add up to it
TERMS: Mapping[LossName, tuple[Term, Term]] = {
    "non-saturating": (lambda real: functional.softplus(-real), functional.softplus),
    "hinge": (lambda real: functional.relu(1 - real), lambda fake: functional.relu(1 + fake)),
}


def check_recipe(recipe: Recipe) -> None:
    """Refuse what private training cannot keep private.

    Raises:
        ValueError: names the key, what it holds and what is possible.
    """
    if recipe.loss not in TERMS:
        raise ValueError(
            f"recipe.loss must be one of {sorted(TERMS)} under privacy, got {recipe.loss}: the others show real logits to the "
            "generator, or need a penalty"
        )
    if recipe.conditioning != "projection":
        raise ValueError(
            f"recipe.conditioning must be projection under privacy, got {recipe.conditioning}: each record must pass every "
            "layer once"
        )
    for key in ("r1_weight", "r2_weight", "lipschitz_weight", "diversity_weight"):
        if getattr(recipe, key) > 0:
            raise ValueError(
                f"recipe.{key} must be 0 under privacy, got {getattr(recipe, key)}: it looks at records past the noise"
            )
    if recipe.adaptive is not None:
        raise ValueError("recipe.adaptive must be null under privacy: it follows the real logits past the noise")
    if recipe.precision != "float32":
        raise ValueError(f"recipe.precision must be float32 under privacy, got {recipe.precision}")


def train(
    images: Pixels,
    codes: Int64[torch.Tensor, " n"],
    *,
    config: Config,
    spending: Spending,
    seed: int,
    num_classes: int,
    state: State | None = None,
) -> Iterator[Step]:
    """Train without end, one private discriminator and one generator update a step; the budget lasts `spending.steps`.

    Args:
        images: Pixels in [-1, 1], or bytes from 0 to 255, on the device that trains.
        codes: Their classes.
        config: The recipe, one that `check_recipe` passes.
        spending: The mechanism; its sample rate is by the number of these images.
        seed: Where weights and draws come from; without effect where `state` is given.
        num_classes: How many classes there are.
        state: Where to go on from; None to start afresh.

    Raises:
        ValueError: the recipe cannot be kept private.
        FloatingPointError: a loss or gradient is not finite; the weights are those from before that update.
    """
    check_recipe(config)
    if state is None:
        _, channels, height, width = images.shape
        shape = (height, width, channels)
        state = initial_state(shape, num_classes=num_classes, config=config, seed=seed, device=images.device)
    noise = noise_of(spending, num_records=len(images))
    while state.step < spending.steps:
        rows = poisson_rows(len(images), sample_rate=spending.sample_rate, rng=state.rng)
        yield _step(state, _batch(images, codes, rows), num_classes, config, noise)


def _batch(images: Pixels, codes: Int64[torch.Tensor, " n"], rows: Int64[torch.Tensor, " batch"]) -> Batch:
    drawn = images[rows.to(images.device)]
    return Batch(
        drawn.float() / 127.5 - 1.0 if drawn.dtype == torch.uint8 else drawn,
        codes[rows.to(codes.device)].to(images.device),
    )


def _step(state: State, real: Batch, num_classes: int, config: Config, noise: Noise) -> Step:
    device = real.images.device
    codes = torch.randint(num_classes, (config.batch_size,), generator=state.rng).to(device)
    latents = torch.randn((config.batch_size, config.latent_size), generator=state.rng).to(device)
    fake = Batch(state.generator(latents, codes), codes)
    discriminator_loss, real_logit, fake_logit = _update_discriminator(state, real, fake, config, noise)
    generator_loss = _update_generator(state, fake, config)
    state.step += 1
    update_average(state, config.ema_decay)
    return Step(
        number=state.step,
        generator_loss=generator_loss,
        discriminator_loss=discriminator_loss,
        real_logit=real_logit,
        fake_logit=fake_logit,
        penalty=0.0,
        probability=1.0,
        state=state,
    )


def _update_discriminator(state: State, real: Batch, fake: Batch, config: Config, noise: Noise) -> list[float]:
    """One private update; returns the loss, and the mean real and fake logit. Without a real record they count as 0."""
    real_term, fake_term = TERMS[config.loss]
    real_images = augment(real.images, config.augmentation, rng=state.rng) if len(real.images) else real.images
    fake_images = augment(fake.images.detach(), config.augmentation, rng=state.rng)
    logits: list[torch.Tensor] = [torch.zeros(1, device=fake_images.device)]

    def losses() -> Float[torch.Tensor, " n"]:
        logits[0] = state.discriminator(real_images, real.codes)
        return real_term(logits[0])

    of_real = set_private_gradients(
        state.discriminator, losses, num_records=len(real_images), noise=noise, rng=state.rng
    )
    fake_logits = state.discriminator(fake_images, fake.codes)
    of_fake = fake_term(fake_logits).mean()
    of_fake.backward()  # on top of the private gradients, which are already noised
    loss = of_real.sum() / noise.expected_batch_size + of_fake.detach()
    seen = torch.stack([loss, logits[0].detach().mean(), fake_logits.detach().mean()])
    name = f"step {state.step + 1}: discriminator"
    return apply_gradients(loss, seen, state.discriminator, state.discriminator_optimizer, name=name)


def _update_generator(state: State, fake: Batch, config: Config) -> float:
    """One update through the private discriminator; returns the loss."""
    images = augment(fake.images, config.augmentation, rng=state.rng)
    state.discriminator.requires_grad_(False)
    logits = state.discriminator(images, fake.codes)
    state.discriminator.requires_grad_(True)
    loss = LOSSES[config.loss].generator(logits, logits)  # these losses look at no real logit
    state.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    name = f"step {state.step + 1}: generator"
    (seen,) = apply_gradients(loss.detach(), loss.detach()[None], state.generator, state.generator_optimizer, name=name)
    return seen
