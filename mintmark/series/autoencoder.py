"""An autoencoder of windows: what does not pass through a narrow code was not in the start of the series.

The oldest of the kind (Hawkins et al. 2002, "Outlier Detection Using Replicator Neural Networks"). Knows nothing of series.
"""

import torch
from torch import nn

from mintmark.series.reconstruction import Recipe, Windows, batches, perceptron, step


class Autoencoder(nn.Module):
    """Two perceptrons with a code between them."""

    def __init__(self, length: int, channels: int, recipe: Recipe) -> None:
        super().__init__()
        self.shape, values = (length, channels), length * channels
        self.encoder = perceptron(values, recipe.width, recipe.code)
        self.decoder = perceptron(recipe.code, recipe.width, values)

    def forward(self, windows: Windows) -> Windows:
        """The window after the code."""
        return self.decoder(self.encoder(windows.flatten(1))).unflatten(1, self.shape)

    def reconstruct(self, windows: Windows) -> Windows:
        """The window after the code."""
        return self(windows)

    def residuals(self, windows: Windows) -> Windows:
        """The size of each value's change."""
        return (windows - self(windows)).abs()


def train(windows: Windows, *, recipe: Recipe, seed: int) -> Autoencoder:
    """An autoencoder of least mean squared residual on the windows.

    Raises:
        BadInput: the loss is not finite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Autoencoder(windows.shape[1], windows.shape[2], recipe)
    adam = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    for batch in batches(windows, recipe, rng=torch.Generator().manual_seed(seed)):
        step(adam, network.residuals(batch).square().mean())
    return network.eval().requires_grad_(False)
