"""The recipe of a semi-supervised GAN's training."""

from dataclasses import dataclass

from mintmark.classify.augmentation import PLAIN, Augmentation
from mintmark.devices import PrecisionName
from mintmark.semi_supervised.networks import Form


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """The whole recipe of one training.

    Attributes:
        form: Of the networks, "dense" or "convolutional".
        steps: Updates of the discriminator, and as many of the generator.
        latent_size: Length of the generator's noise vector.
        generator_width, discriminator_width: Of their first or hidden layers.
        input_noise, hidden_noise: Standard deviations of the noise in the discriminator.
        labelled_batch_size, batch_size: Labelled images a step; images without their labels a step, and as many fakes.
        learning_rate: Adam's step size for both players; it falls to nothing along a line over the second half.
        beta1: Adam's decay rate of the mean.
        adversarial_weight: Of the judgement real or generated; 0 leaves the generator out, and what is left is the
            same network without a GAN.
        pull_away_weight, conditional_entropy_weight: Of the two terms of a "bad" GAN (Dai et al. 2017); 0 leaves out.
        consistency_weight: Of the agreement with the average on all images (Tarvainen and Valpola 2017); 0 leaves out.
        augmentation: How real images are bent; mixup takes no part.
        ema_decay: Decay a step of the average of the discriminator's weights that is kept.
        precision: "float32", "bfloat16" for autocast, or "auto" for the faster of the two.
    """

    form: Form
    steps: int
    latent_size: int
    generator_width: int
    discriminator_width: int
    input_noise: float
    hidden_noise: float
    labelled_batch_size: int
    batch_size: int
    learning_rate: float
    beta1: float
    adversarial_weight: float
    pull_away_weight: float = 0.0
    conditional_entropy_weight: float = 0.0
    consistency_weight: float = 0.0
    augmentation: Augmentation = PLAIN
    ema_decay: float
    precision: PrecisionName

    def __post_init__(self) -> None:
        least = dict.fromkeys(("steps", "latent_size", "generator_width", "discriminator_width"), 1)
        for key, bound in (least | {"labelled_batch_size": 1, "batch_size": 2}).items():
            if getattr(self, key) < bound:
                raise ValueError(f"{key} must be at least {bound}, got {getattr(self, key)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        for key in ("beta1", "ema_decay"):
            if not 0 <= getattr(self, key) < 1:
                raise ValueError(f"{key} must lie in [0, 1), got {getattr(self, key)}")
        weights = [key for key in self.__slots__ if key.endswith(("_weight", "_noise"))]
        for key in weights:
            if getattr(self, key) < 0:
                raise ValueError(f"{key} must not be negative, got {getattr(self, key)}")
