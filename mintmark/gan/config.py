"""The recipe of one training, as choices. Knows nothing of how they are carried out."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from mintmark.devices import PrecisionName
from mintmark.gan import sizes
from mintmark.gan.augmentation import NONE, Augmentation
from mintmark.gan.family import ConditioningName
from mintmark.gan.losses import LOSSES, LossName

Size = Literal["auto"] | int


@dataclass(frozen=True, kw_only=True, slots=True)
class Adaptive:
    """How the probability of augmentation follows the discriminator (Karras et al. 2020, section 3).

    Attributes:
        target: Where E sign D(x) of the augmented training images is held; above it, the discriminator overfits.
        interval: Steps between two adjustments.
        ramp: Real images after which the probability has gone from 0 to 1 at its fastest.
    """

    target: float
    interval: int
    ramp: int

    def __post_init__(self) -> None:
        if not -1 < self.target < 1:
            raise ValueError(f"target must lie between -1 and 1, got {self.target}")
        for key in ("interval", "ramp"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """The whole recipe of one training, in which sizes may be left open.

    Attributes:
        loss: A key of `LOSSES`.
        conditioning: How both networks take the class: "projection", "auxiliary" (a head that classifies, and its
            twin) or "per_class" (a pair of networks for each class).
        classifier_weight: Weight of the class losses of auxiliary conditioning; without effect on the others.
        latent_size: Length of the generator's noise vector.
        generator_width, discriminator_width: Channels at full resolution, which double at each halving; "auto" by the
            size of the images (`mintmark/gan/sizes.py`).
        batch_size: Real images a step, and as many fake ones; "auto" by the size and number of the images.
        generator_learning_rate, discriminator_learning_rate: Adam's step size.
        beta1, beta2: Adam's decay rates.
        r1_weight, r2_weight: Gamma of gamma / 2 E |dD/dx|^2 at real and at fake images; 0 leaves it out.
        lipschitz_weight: Lambda of lambda E (|dD/dx| - 1)^2 between real and fake images; 0 leaves it out.
        penalty_interval: The penalties are taken every so many steps, and weigh as much more.
        diversity_weight: Weight of the energy distance within classes in the generator's loss; 0 leaves it out.
        augmentation: What the discriminator sees, real or fake, where there are few training records.
        augmented_below: With so many training records or more there is none: they are not learnt by heart, and the
            generator learns far sooner.
        adaptive: How the probability of each transformation is adapted; None for always.
        ema_decay: Decay a step of the average of the generator's weights that is kept.
        precision: "float32", "bfloat16" for autocast, or "auto" for the faster of the two.
    """

    loss: LossName
    conditioning: ConditioningName
    classifier_weight: float
    latent_size: int
    generator_width: Size
    discriminator_width: Size
    batch_size: Size
    generator_learning_rate: float
    discriminator_learning_rate: float
    beta1: float
    beta2: float
    r1_weight: float
    r2_weight: float
    lipschitz_weight: float
    penalty_interval: int
    diversity_weight: float
    augmentation: Augmentation
    augmented_below: int
    adaptive: Adaptive | None
    ema_decay: float
    precision: PrecisionName

    def __post_init__(self) -> None:
        _check_numbers(self)
        if LOSSES[self.loss].needs_penalty and max(self.r1_weight, self.r2_weight, self.lipschitz_weight) == 0:
            raise ValueError(
                f"lipschitz_weight must be above 0 (10 is usual) where the loss is {self.loss}, unless r1_weight or "
                "r2_weight is; without any, its critic has no bound"
            )
        if self.adaptive is not None and not LOSSES[self.loss].has_zero:
            able = [name for name, losses in LOSSES.items() if losses.has_zero]
            raise ValueError(
                f"adaptive must be null where the loss is {self.loss}, whose logits mean nothing but by their "
                f"differences, so that their sign tells nothing; with {' or '.join(able)} it can adapt"
            )

    def settled(self, shape: tuple[int, int, int], *, num_records: int) -> "Config":
        """The same recipe with sizes for images of this shape, and the augmentation that so many records need."""
        open_sizes: dict[str, Any] = {
            "generator_width": sizes.generator_width(shape),
            "discriminator_width": sizes.discriminator_width(shape),
            "batch_size": sizes.batch_size(shape, num_records=num_records),
        }
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        values |= {key: value for key, value in open_sizes.items() if values[key] == "auto"}
        if num_records >= self.augmented_below:
            values["augmentation"] = NONE
        return Config(**values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(Recipe):
    """A recipe without open sizes, by which a training can be carried out."""

    generator_width: int
    discriminator_width: int
    batch_size: int


def _check_numbers(config: Recipe) -> None:
    for key in (
        "latent_size",
        "generator_width",
        "discriminator_width",
        "batch_size",
        "penalty_interval",
        "augmented_below",
    ):
        if getattr(config, key) != "auto" and getattr(config, key) < 1:
            raise ValueError(f"{key} must be at least 1, got {getattr(config, key)}")
    for key in ("generator_learning_rate", "discriminator_learning_rate"):
        if getattr(config, key) <= 0:
            raise ValueError(f"{key} must be above 0, got {getattr(config, key)}")
    for key in ("beta1", "beta2", "ema_decay"):
        if not 0 <= getattr(config, key) < 1:
            raise ValueError(f"{key} must lie in [0, 1), got {getattr(config, key)}")
    for key in [one.name for one in fields(config) if one.name.endswith("_weight")]:
        if not 0 <= getattr(config, key) < math.inf:
            raise ValueError(f"{key} must not be negative, got {getattr(config, key)}")
