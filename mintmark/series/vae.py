"""A variational autoencoder of windows (Kingma and Welling 2014), which knows how far off it usually is, value by value.

The decoder's deviation is learned for every row and channel of the window, the same for all windows (Rybkin et al. 2021
share it over all values). The residual is in those deviations, so the score is the reconstruction log-probability of An and
Cho (2015) at the mean code, but for a constant and a factor; they average over random codes. Knows nothing of series.
"""

import math

import torch
from jaxtyping import Float
from torch import nn

from mintmark.series.reconstruction import Recipe, Windows, batches, perceptron, step

LEAST_LOG_DEVIATION = math.log(0.05)  # of the series' own deviation: a flat start must not make noise a catastrophe


class Vae(nn.Module):
    """Two perceptrons with a normal code between them."""

    def __init__(self, length: int, channels: int, recipe: Recipe) -> None:
        super().__init__()
        self.shape, values = (length, channels), length * channels
        self.encoder = perceptron(values, recipe.width, 2 * recipe.code)
        self.decoder = perceptron(recipe.code, recipe.width, values)
        self.log_deviation = nn.Parameter(torch.zeros(length, channels))

    def posterior(self, windows: Windows) -> tuple[Float[torch.Tensor, "n code"], Float[torch.Tensor, "n code"]]:
        """Mean and logarithm of the deviation of each window's code."""
        mean, log_deviation = self.encoder(windows.flatten(1)).chunk(2, dim=1)
        return mean, log_deviation

    def decode(self, codes: Float[torch.Tensor, "n code"]) -> Windows:
        """The mean window of each code."""
        return self.decoder(codes).unflatten(1, self.shape)

    def reconstruct(self, windows: Windows) -> Windows:
        """The mean window of the mean code."""
        return self.decode(self.posterior(windows)[0])

    def residuals(self, windows: Windows) -> Windows:
        """Distance from the mean window of the mean code, in the decoder's deviations."""
        return (windows - self.reconstruct(windows)).abs() / self._log_deviation().exp()

    def loss(self, windows: Windows, noise: Float[torch.Tensor, "n code"]) -> Float[torch.Tensor, ""]:
        """The negative evidence lower bound in nats a window (the paper's equation 10), less a constant."""
        mean, log_deviation = self.posterior(windows)
        decoded = self.decode(mean + log_deviation.exp() * noise)
        scale = self._log_deviation()
        misfit = 0.5 * ((windows - decoded) / scale.exp()).square() + scale
        return misfit.sum(dim=(1, 2)).mean() + divergence(mean, log_deviation).mean()

    def _log_deviation(self) -> Float[torch.Tensor, "length channels"]:
        return self.log_deviation.clamp(min=LEAST_LOG_DEVIATION)


def divergence(
    mean: Float[torch.Tensor, "n code"], log_deviation: Float[torch.Tensor, "n code"]
) -> Float[torch.Tensor, " n"]:
    """Kullback-Leibler divergence in nats of each normal code from the standard normal (the paper's appendix B)."""
    return 0.5 * (mean.square() + (2 * log_deviation).exp() - 1 - 2 * log_deviation).sum(dim=1)


def train(windows: Windows, *, recipe: Recipe, seed: int) -> Vae:
    """A variational autoencoder of the windows.

    Raises:
        BadInput: the loss is not finite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Vae(windows.shape[1], windows.shape[2], recipe)
    rng = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    for batch in batches(windows, recipe, rng=rng):
        step(adam, network.loss(batch, torch.randn(len(batch), recipe.code, generator=rng)))
    return network.eval().requires_grad_(False)
