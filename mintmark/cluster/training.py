"""The fitting of transformation-invariant clusters: starts, curriculum, prices, restarts, challenges.

All starts learn side by side, from the same batches, on equal schedules: untransformed prototypes first, then one
transformation more whenever the loss stops falling. Starts are compared by their final loss. Knows nothing of labels,
files or pictures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import nn

from mintmark.cluster.balance import Clustered, Prices, restart_small
from mintmark.cluster.challenge import Challenges
from mintmark.cluster.clustering import Entry, Fit, require_distinct, require_finite
from mintmark.cluster.curriculum import Curriculum
from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.kmeans import spread
from mintmark.cluster.model import TransformedClusters, background_of
from mintmark.cluster.recipe import Recipe
from mintmark.cluster.vote import Voted, named_alike
from mintmark.errors import BadInput
from mintmark.progress import track

CHECK_EVERY = 25  # steps between looks at the loss and at the clusters' sizes


@runtime_checkable
class Learner(Clustered, Protocol):
    """What learns side by side from the same batches: starts that share no parameter."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """All that is learnt."""
        ...

    def losses(
        self,
        images: Float[torch.Tensor, "n channels height width"],
        *,
        stage: int,
        prices: Float[torch.Tensor, "starts k"],
    ) -> tuple[Float[torch.Tensor, " starts"], Int64[torch.Tensor, "starts n"]]:
        """Each start's loss, at least 0 and with gradient, and each image's cluster, of which prices are to be paid."""
        ...


Network = TypeVar("Network", bound=Learner)


@dataclass(frozen=True, slots=True)
class Step(Generic[Network]):
    """One step of all starts, and the network, which learns on.

    Attributes:
        number: From 1.
        stage: How many transformations took part.
        losses: On its batch.
        network: After the step.
        restarts: How many clusters were restarted.
        won: How many challengers were found better.
    """

    number: int
    stage: int
    losses: Float[torch.Tensor, " starts"]
    network: Network
    restarts: int
    won: int


def fit(images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int) -> Fit:
    """Cluster images up to transformations.

    Args:
        images: In [-1, 1], on the device to learn on.
        num_clusters: Clusters of a start.
        recipe: How.
        seed: Of the starts, the weights and the batches.

    Raises:
        BadInput: there are fewer different images than clusters, a pixel is no finite number, or the loss left them.

    Returns:
        The losses are those without votes, by which starts are compared, and the clusters those with votes in the best
        start alone.
    """
    network, history, cost = follow(train(images, num_clusters=num_clusters, recipe=recipe, seed=seed), recipe)
    background = background_of(images)
    clusterings = [
        TransformedClusters(network=network.start(start), background=background) for start in range(recipe.starts)
    ]
    assignments = [clustering.assign(images) for clustering in clusterings]
    final = torch.stack([assignment.distances.mean() for assignment in assignments])
    clusters, order = torch.stack([one.clusters for one in assignments]), final.argsort(stable=True).tolist()
    best = clusterings[order[0]]
    if max(recipe.committee, recipe.voters) > 1:
        votes = named_alike(clusters, order[: recipe.committee], num_clusters=num_clusters)
        best = Voted(clustering=best, images=images, clusters=votes, voters=recipe.voters)
        clusters[order[0]] = best.assign(images).clusters
    return Fit(best, final, clusters, history, cost)


def follow(steps: Iterable[Step[Network]], recipe: Recipe) -> tuple[Network, tuple[Entry, ...], dict[str, float]]:
    """Take all steps: the network after them, the losses on the way, and what they cost."""
    names, window, history = ("identity", *recipe.transformations), [], []
    restarts, won, step = 0, 0, None
    joined = dict.fromkeys(recipe.transformations, 0)
    for step in track(steps, "cluster-steps", total=recipe.steps):
        window.append(step.losses)
        restarts += step.restarts
        won += step.won
        for name in names[1 : step.stage + 1]:
            joined[name] += 1
        if step.number % CHECK_EVERY == 0 or step.number == recipe.steps:
            losses = torch.stack(window).mean(dim=0).tolist()
            history += [Entry(start, step.number, loss, names[step.stage]) for start, loss in enumerate(losses)]
            window.clear()
    assert step is not None
    cost = {
        "steps": float(recipe.steps),
        **{f"{name}_steps": float(count) for name, count in joined.items()},
        "starts": float(recipe.starts),
        "restarts": float(restarts),
        "challenges_won": float(won),
    }
    return step.network, tuple(history), cost


def train(
    images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int
) -> Iterator[Step[DTI]]:
    """Yield after every step; arguments and Raises as `fit`."""
    require_finite(images)
    require_distinct(images, num_clusters=num_clusters)
    rng = torch.Generator().manual_seed(seed)
    centred = (images - background_of(images)[:, None, None]).contiguous()  # the colours of a picture lie together
    network = begin(centred, num_clusters=num_clusters, recipe=recipe, rng=rng)
    yield from learn(network, centred, recipe=recipe, rng=rng)


def learn(
    network: Network, images: Float[torch.Tensor, "n channels height width"], *, recipe: Recipe, rng: torch.Generator
) -> Iterator[Step[Network]]:
    """Yield after every step.

    Args:
        network: Learns.
        images: Background subtracted.
        recipe: How.
        rng: A CPU generator, of the batches and of restarts.

    Raises:
        BadInput: the loss left the finite numbers.
    """
    starts, num_clusters = network.prototypes.shape[:2]
    optimiser, cooldown = _optimiser(network, recipe), int((1 - recipe.cooldown) * recipe.steps)
    challenges = _challenges(network, optimiser, images, recipe=recipe, rng=rng)
    prices = _prices(recipe, num_clusters=num_clusters, device=images.device)
    sizes = torch.zeros(starts, num_clusters, dtype=torch.int64, device=images.device)
    batches = _batches(images, size=recipe.batch_size, rng=rng)
    curriculum = Curriculum(
        num_stages=len(recipe.transformations), longest=recipe.identity_steps, plateau=recipe.plateau, every=CHECK_EVERY
    )
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
        free = curriculum.done and recipe.priced * recipe.steps <= number < cooldown
        won = (
            challenges.round(stage=curriculum.stage)
            if challenges and free and not number % recipe.challenge_every
            else 0
        )
        yield Step(number, curriculum.stage, losses, network, restarts, won)
        curriculum.advance(losses)


def _step(
    network: Learner, optimiser: torch.optim.Adam, batch: torch.Tensor, *, prices: torch.Tensor, stage: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of every start: its losses (S,), and how many images chose each of its clusters (S, K)."""
    losses, clusters = network.losses(batch, stage=stage, prices=prices)
    if not torch.isfinite(losses).all():
        raise BadInput("the clusters' loss left the finite numbers: expected a learning_rate that it can follow")
    optimiser.zero_grad()
    losses.sum().backward()  # starts share no parameter, so each gets the gradient of its own loss
    optimiser.step()
    chosen = torch.nn.functional.one_hot(clusters, prices.shape[1]).sum(dim=1)
    return losses.detach(), chosen


def begin(images: torch.Tensor, *, num_clusters: int, recipe: Recipe, rng: torch.Generator) -> DTI:
    """A network whose prototypes are k-means++ draws among the images, background subtracted."""
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


def _optimiser(network: Learner, recipe: Recipe) -> torch.optim.Adam:
    others = [parameter for parameter in network.parameters() if parameter is not network.prototypes]
    groups = [
        {"params": [network.prototypes], "lr": recipe.prototype_learning_rate},
        {"params": others, "lr": recipe.learning_rate},
    ]
    return torch.optim.Adam(groups)


def _challenges(
    network: Learner, optimiser: torch.optim.Adam, images: torch.Tensor, *, recipe: Recipe, rng: torch.Generator
) -> Challenges | None:
    if not recipe.challenge_every or not isinstance(network, DTI):
        return None
    return Challenges(network, optimiser, images[torch.randperm(len(images), generator=rng).to(images.device)])


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
