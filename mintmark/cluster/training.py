"""The fitting of transformation-invariant clusters: starts, curriculum, prices, restarts.

All starts learn side by side, from the same batches, on equal schedules: untransformed prototypes first, then
one transformation more whenever the loss stops falling. Starts are compared by their final loss. Knows nothing of labels, files or pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float

from mintmark.cluster.balance import Prices, restart_small
from mintmark.cluster.clustering import Entry, Fit, require_distinct, require_finite
from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.kmeans import spread
from mintmark.cluster.model import TransformedClusters, background_of
from mintmark.errors import BadInput
from mintmark.progress import track
from mintmark.transformations.sequence import named

CHECK_EVERY = 25  # steps between looks at the loss and at the clusters' sizes


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How the clusters are fitted.

    Attributes:
        starts: How many starts learn side by side.
        priced_starts: Share of the starts whose clusters pay a price for being large, for the first part of the training.
        priced: That part, as a share of the steps.
        price_rate: Growth of a price a step, in units of the loss, for a cluster of twice the mean size.
        steps: All steps, of one batch each.
        transformations: Names of the transformations, in sequence; each joins when the loss stops falling.
        identity_steps: At most so many steps with untransformed prototypes, and as many before each further one joins.
        plateau: Relative fall of the loss between two checks below which the next transformation joins.
        cooldown: Share of the steps, at the end, at a tenth of the learning rates.
        batch_size: Images a step.
        learning_rate: Adam's, for the encoder and heads.
        prototype_learning_rate: Adam's, for the prototypes.
        restart_below: A cluster with less than this share of the mean size is restarted from the largest one.
        restart_noise: Standard deviation of what sets the two apart, in pixels of [-1, 1].
        width, num_features, hidden: As in `mintmark.cluster.dti.Form`.
    """

    starts: int
    priced_starts: float
    priced: float
    price_rate: float
    steps: int
    transformations: tuple[str, ...]
    identity_steps: int
    plateau: float
    cooldown: float
    batch_size: int
    learning_rate: float
    prototype_learning_rate: float
    restart_below: float
    restart_noise: float
    width: int
    num_features: int
    hidden: int

    def __post_init__(self) -> None:
        named(self.transformations)
        for name in ("starts", "steps", "batch_size", "width", "num_features", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("priced_starts", "priced", "cooldown", "restart_below"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        for name in ("identity_steps", "plateau", "price_rate", "restart_noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("learning_rate", "prototype_learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


class Step(NamedTuple):
    """One step of all starts, and the network, which learns on.

    Attributes:
        number: From 1.
        stage: How many transformations took part.
        losses: On its batch.
        network: After the step.
        restarts: How many clusters were restarted.
    """

    number: int
    stage: int
    losses: Float[torch.Tensor, " starts"]
    network: DTI
    restarts: int


def fit(images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int) -> Fit:
    """Cluster images up to transformations.

    Args:
        images: In [-1, 1], on the device to learn on.
        num_clusters: Clusters of a start.
        recipe: How.
        seed: Of the starts, the weights and the batches.

    Raises:
        BadInput: there are fewer different images than clusters, a pixel is no finite number, or the loss left them.
    """
    steps = train(images, num_clusters=num_clusters, recipe=recipe, seed=seed)
    names, window, history, restarts, step = ("identity", *recipe.transformations), [], [], 0, None
    joined = dict.fromkeys(recipe.transformations, 0)
    for step in track(steps, "cluster-steps", total=recipe.steps):
        window.append(step.losses)
        restarts += step.restarts
        for name in names[1 : step.stage + 1]:
            joined[name] += 1
        if step.number % CHECK_EVERY == 0 or step.number == recipe.steps:
            losses = torch.stack(window).mean(dim=0).tolist()
            history += [Entry(start, step.number, loss, names[step.stage]) for start, loss in enumerate(losses)]
            window.clear()
    assert step is not None
    background = background_of(images)
    clusterings = [
        TransformedClusters(network=step.network.start(start), background=background) for start in range(recipe.starts)
    ]
    assignments = [clustering.assign(images) for clustering in clusterings]
    final = torch.stack([assignment.distances.mean() for assignment in assignments])
    return Fit(
        clusterings[int(final.argmin())],
        final,
        torch.stack([assignment.clusters for assignment in assignments]),
        tuple(history),
        {
            "steps": float(recipe.steps),
            **{f"{name}_steps": float(count) for name, count in joined.items()},
            "starts": float(recipe.starts),
            "restarts": float(restarts),
        },
    )


def train(
    images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int
) -> Iterator[Step]:
    """Yield after every step; arguments and Raises as `fit`."""
    require_finite(images)
    require_distinct(images, num_clusters=num_clusters)
    rng = torch.Generator().manual_seed(seed)
    centred = images - background_of(images)[:, None, None]
    network = _network(centred, num_clusters=num_clusters, recipe=recipe, rng=rng)
    optimiser, cooldown = _optimiser(network, recipe), int((1 - recipe.cooldown) * recipe.steps)
    prices = _prices(recipe, num_clusters=num_clusters, device=images.device)
    sizes = torch.zeros(recipe.starts, num_clusters, dtype=torch.int64, device=images.device)
    batches, curriculum = _batches(centred, size=recipe.batch_size, rng=rng), _Curriculum(recipe)
    for number in range(1, recipe.steps + 1):
        if number == cooldown + 1:
            for group in optimiser.param_groups:
                group["lr"] *= 0.1
        losses, chosen = _step(network, optimiser, next(batches), prices=prices.values, stage=curriculum.stage)
        prices.rise(chosen, losses) if number <= recipe.priced * recipe.steps else prices.lift()
        sizes += chosen
        restarts = 0
        if number % CHECK_EVERY == 0:
            if number <= cooldown:
                restarts = restart_small(
                    network, optimiser, sizes, below=recipe.restart_below, noise=recipe.restart_noise, rng=rng
                )
            sizes.zero_()
        yield Step(number, curriculum.stage, losses, network, restarts)
        curriculum.advance(losses)


class _Curriculum:
    """Identity first; a transformation more when the mean loss over starts falls too little, or time is up.

    Attributes:
        stage: How many transformations take part; all at once where the recipe leaves the identity no step.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.stage = 0 if recipe.identity_steps else len(recipe.transformations)
        self._recipe, self._steps, self._window, self._before = recipe, 0, [], float("inf")

    def advance(self, losses: torch.Tensor) -> None:
        if self.stage == len(self._recipe.transformations):
            return
        self._steps += 1
        self._window.append(float(losses.mean()))
        flat = False
        if self._steps % CHECK_EVERY == 0:
            now = sum(self._window) / len(self._window)
            flat = now > (1 - self._recipe.plateau) * self._before
            self._before = now
            self._window.clear()
        if flat or self._steps >= self._recipe.identity_steps:
            self.stage += 1
            self._steps, self._before = 0, float("inf")
            self._window.clear()


def _step(
    network: DTI, optimiser: torch.optim.Adam, batch: torch.Tensor, *, prices: torch.Tensor, stage: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of every start: its losses (S,), and how many images chose each of its clusters (S, K)."""
    offsets = network.offsets(batch, stage=stage)
    distances = network.distances(batch, tuple(one.detach() for one in offsets))
    clusters = (distances + prices[:, :, None]).argmin(dim=1)
    losses = network.errors(batch, offsets, clusters).mean(dim=1)
    if not torch.isfinite(losses).all():
        raise BadInput("the clusters' loss left the finite numbers: expected a learning_rate that it can follow")
    optimiser.zero_grad()
    losses.sum().backward()  # starts share no parameter, so each gets the gradient of its own loss
    optimiser.step()
    chosen = torch.nn.functional.one_hot(clusters, prices.shape[1]).sum(dim=1)
    return losses.detach(), chosen


def _network(images: torch.Tensor, *, num_clusters: int, recipe: Recipe, rng: torch.Generator) -> DTI:
    """A network whose prototypes are k-means++ draws among the images."""
    prototypes = spread(images.flatten(1), num_clusters=num_clusters, starts=recipe.starts, rng=rng)
    channels, height, width = images.shape[1:]
    form = Form(
        shape=(height, width, channels),
        num_clusters=num_clusters,
        width=recipe.width,
        num_features=recipe.num_features,
        hidden=recipe.hidden,
        transformations=recipe.transformations,
    )
    unflattened = prototypes.unflatten(2, (channels, height, width)).cpu()
    return DTI(form, prototypes=unflattened, rng=rng).to(images.device)


def _optimiser(network: DTI, recipe: Recipe) -> torch.optim.Adam:
    others = [parameter for name, parameter in network.named_parameters() if name != "prototypes"]
    groups = [
        {"params": [network.prototypes], "lr": recipe.prototype_learning_rate},
        {"params": others, "lr": recipe.learning_rate},
    ]
    return torch.optim.Adam(groups)


def _prices(recipe: Recipe, *, num_clusters: int, device: torch.device) -> Prices:
    num_priced = round(recipe.priced_starts * recipe.starts)
    return Prices(
        starts=recipe.starts, num_clusters=num_clusters, num_priced=num_priced, rate=recipe.price_rate, device=device
    )


def _batches(images: torch.Tensor, *, size: int, rng: torch.Generator) -> Iterator[torch.Tensor]:
    """Batches without end: every image once an epoch, but for those that fill no batch."""
    while True:
        order = torch.randperm(len(images), generator=rng).to(images.device)
        for rows in order.split(min(size, len(images))):
            if len(rows) == min(size, len(images)):
                yield images[rows]
