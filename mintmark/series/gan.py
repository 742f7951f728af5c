"""An autoencoder of windows that a discriminator keeps honest (BeatGAN, Zhou et al. 2019).

The discriminator tells windows from reconstructions; the autoencoder learns small residuals both in the values and in the
discriminator's features. The score uses the values alone, as in the paper. Ours is of perceptrons; theirs convolves.
Knows nothing of series.
"""

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from mintmark.series.autoencoder import Autoencoder
from mintmark.series.reconstruction import Recipe, Windows, batches, perceptron, step


class Discriminator(nn.Module):
    """Tells windows from reconstructions."""

    def __init__(self, length: int, channels: int, recipe: Recipe) -> None:
        super().__init__()
        self.hidden = nn.Sequential(perceptron(length * channels, recipe.width), nn.LeakyReLU(0.2))
        self.judge = nn.Linear(recipe.width, 1)

    def features(self, windows: Windows) -> Float[torch.Tensor, "n width"]:
        """What it sees of each window."""
        return self.hidden(windows.flatten(1))

    def forward(self, windows: Windows) -> Float[torch.Tensor, " n"]:
        """Logit of each being a window of the series."""
        return self.judge(self.features(windows)).squeeze(1)


def discriminator_loss(real: Float[torch.Tensor, " n"], rebuilt: Float[torch.Tensor, " n"]) -> Float[torch.Tensor, ""]:
    """Cross-entropy of the logits (the paper's equation 2), averaged over windows."""
    return (functional.softplus(-real) + functional.softplus(rebuilt)).mean()


def generator_loss(
    windows: Windows, rebuilt: Windows, discriminator: Discriminator, *, feature_weight: float
) -> Float[torch.Tensor, ""]:
    """Squared residuals of values and, weighted by lambda, of features (the paper's equation 4), as means."""
    mismatch = discriminator.features(windows) - discriminator.features(rebuilt)
    return (windows - rebuilt).square().mean() + feature_weight * mismatch.square().mean()


def train(windows: Windows, *, recipe: Recipe, feature_weight: float, seed: int) -> Autoencoder:
    """An autoencoder of the windows, taught beside a discriminator that is then thrown away.

    Args:
        windows: What it learns.
        recipe: The same for both networks.
        feature_weight: lambda, 0 or more (1 in the paper).
        seed: Of weights and batches.

    Raises:
        BadInput: a loss is not finite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Autoencoder(windows.shape[1], windows.shape[2], recipe)
        discriminator = Discriminator(windows.shape[1], windows.shape[2], recipe)
    adams = [
        torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    ]
    for batch in batches(windows, recipe, rng=torch.Generator().manual_seed(seed)):
        rebuilt = generator(batch)
        step(adams[1], discriminator_loss(discriminator(batch), discriminator(rebuilt.detach())))
        step(adams[0], generator_loss(batch, rebuilt, discriminator, feature_weight=feature_weight))
    return generator.eval().requires_grad_(False)
