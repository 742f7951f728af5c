"""Few points that lie near all of many (Sener and Savarese 2018, algorithm 1: greedy k-centre). Knows no images."""

import torch
from jaxtyping import Float, Int64

from mintmark.errors import BadInput


def greedy_coreset(
    points: Float[torch.Tensor, "n features"], *, size: int, rng: torch.Generator
) -> Int64[torch.Tensor, " size"]:
    """Rows of `size` points, of which each next lies farthest from all before; the first is drawn at random.

    No point lies farther from them than twice what the best choice of as many points would leave (Gonzalez 1985).

    Raises:
        BadInput: there are fewer points.
    """
    if not 1 <= size <= len(points):
        raise BadInput(f"size: expected 1 to {len(points)}, the number of points, got {size}")
    chosen = torch.empty(size, dtype=torch.int64)
    distances = points.new_full((len(points),), torch.inf)
    norms = points.square().sum(dim=1)
    row = int(torch.randint(len(points), (1,), generator=rng))
    for place in range(size):
        chosen[place] = row
        squared = torch.addmv(norms, points, points[row], alpha=-2.0) + norms[row]
        distances = torch.minimum(distances, squared)
        distances[row] = -torch.inf  # never again
        row = int(distances.argmax())
    return chosen
