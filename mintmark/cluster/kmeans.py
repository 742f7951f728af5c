"""K-means (Lloyd 1982) from k-means++ starts (Arthur and Vassilvitskii 2007), all starts in one batch.

An emptied cluster takes the point that lies farthest from its centre, so a start keeps all its clusters. Knows nothing
of labels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64

from mintmark.cluster.clustering import Assignment, Entry, Fit, require_distinct, require_finite

BLOCK_ELEMENTS = 1 << 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How K-means is fitted.

    Attributes:
        starts: How many starts run side by side.
        steps: How many Lloyd steps at most; all starts stop earlier once none changes an assignment.
    """

    starts: int
    steps: int

    def __post_init__(self) -> None:
        for name in ("starts", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class KMeans:
    """Clusters of images about their means; a `Clustering`.

    Attributes:
        prototypes: The means.
    """

    prototypes: Float[torch.Tensor, "clusters channels height width"]

    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The nearest mean of each image."""
        clusters, distances = _assign(images.flatten(1), self.prototypes.flatten(1)[None])
        return Assignment(clusters[0], distances[0] / self.prototypes[0].numel())

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """The images as they are: K-means knows no transformation."""
        assert len(images) == len(clusters)
        return images


def fit(images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int) -> Fit:
    """Cluster images by their pixels.

    Raises:
        BadInput: there are fewer different images than clusters, or a pixel is no finite number.
    """
    require_finite(images)
    require_distinct(images, num_clusters=num_clusters)
    points = images.flatten(1)
    rng = torch.Generator().manual_seed(seed)
    centres = spread(points, num_clusters=num_clusters, starts=recipe.starts, rng=rng)
    history: list[Entry] = []
    previous = None
    for step in range(1, recipe.steps + 1):
        clusters, distances = _assign(points, centres)
        history += _entries(step, distances / points.shape[1])
        if previous is not None and torch.equal(clusters, previous):
            break
        previous = clusters
        centres = _means(points, clusters, distances, num_clusters=num_clusters)
    clusters, distances = _assign(points, centres)
    losses = distances.mean(dim=1) / points.shape[1]
    best = KMeans(prototypes=centres[losses.argmin()].reshape(num_clusters, *images.shape[1:]))
    return Fit(best, losses, clusters, tuple(history), {"steps": float(history[-1].step), "starts": recipe.starts})


def spread(
    points: Float[torch.Tensor, "n features"], *, num_clusters: int, starts: int, rng: torch.Generator
) -> Float[torch.Tensor, "starts clusters features"]:
    """k-means++ starts: each further centre is a point drawn in proportion to its squared distance from those chosen.

    Args:
        points: At least `num_clusters` of them differ.
        num_clusters: Centres a start.
        starts: How many independent starts.
        rng: A CPU generator.
    """
    chosen = torch.randint(len(points), (starts, 1), generator=rng).to(points.device)
    squared = _from_chosen(points, chosen[:, 0])
    for _ in range(num_clusters - 1):
        further = torch.multinomial(squared.cpu().double(), 1, generator=rng).to(points.device)
        chosen = torch.cat([chosen, further], dim=1)
        squared = torch.minimum(squared, _from_chosen(points, further[:, 0]))
    return points[chosen]


def _entries(step: int, distances: torch.Tensor) -> list[Entry]:
    return [Entry(start, step, loss, "identity") for start, loss in enumerate(distances.mean(dim=1).tolist())]


def _from_chosen(points: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Squared distances of every point from the point that each start chose: (s, n), exactly 0 for its repeats."""
    return torch.cdist(points[chosen], points, compute_mode="donot_use_mm_for_euclid_dist").square()


def _assign(points: torch.Tensor, centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest centre of each point and the squared distance to it, per start: (s, n) each."""
    starts, num_clusters, _ = centres.shape
    rows = max(1, BLOCK_ELEMENTS // (starts * num_clusters))
    blocks = [
        torch.cdist(block, centres.flatten(0, 1)).square().view(-1, starts, num_clusters).min(dim=2)
        for block in points.split(rows)
    ]
    clusters = torch.cat([block.indices for block in blocks]).T.contiguous()
    return clusters, torch.cat([block.values for block in blocks]).T.contiguous()


def _means(points: torch.Tensor, clusters: torch.Tensor, distances: torch.Tensor, *, num_clusters: int) -> torch.Tensor:
    """The mean of each cluster, per start; an empty cluster takes the farthest point that none has taken yet."""
    members = torch.nn.functional.one_hot(clusters, num_clusters).to(points.dtype)  # (s, n, k)
    counts = members.sum(dim=1)
    centres = (members.transpose(1, 2) @ points) / counts.clamp(min=1)[:, :, None]
    for start in torch.nonzero((counts == 0).any(dim=1))[:, 0].tolist():
        empty = torch.nonzero(counts[start] == 0)[:, 0]
        centres[start, empty] = points[distances[start].topk(len(empty)).indices]
    return centres
