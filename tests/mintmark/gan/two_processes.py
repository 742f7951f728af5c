"""What torchrun starts for test_parallel.py: each process trains alone and with the other, and the first one compares.

`torchrun --nproc-per-node 2 two_processes.py OUT.json`
"""

import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mintmark.errors import BadInput
from mintmark.gan.augmentation import Augmentation
from mintmark.gan.config import Adaptive, Config
from mintmark.gan.networks import Discriminator
from mintmark.gan.parallel import Group
from mintmark.gan.state import State, initial_state
from mintmark.gan.training import train
from tasks.processes import check_agreement, joined

CPU = torch.device("cpu")
STEPS = (1, 20)
CHOICES: dict[str, dict[str, Any]] = {
    "relativistic": {},
    "non-saturating": {"loss": "non-saturating"},
    "wasserstein": {"loss": "wasserstein", "lipschitz_weight": 10.0},
    "auxiliary": {"conditioning": "auxiliary"},
    "per_class": {"conditioning": "per_class"},
    "adaptive": {"loss": "hinge", "adaptive": Adaptive(target=0.1, interval=2, ramp=100)},
}


class WithoutAverage(Group):
    def average(self, tensors) -> None:
        pass


class WithoutGather(Group):
    def gather(self, rows):
        return rows


def recipe(**changes: Any) -> Config:
    usual: dict[str, Any] = {
        "loss": "relativistic",
        "conditioning": "projection",
        "classifier_weight": 1.0,
        "latent_size": 4,
        "generator_width": 4,
        "discriminator_width": 4,
        "batch_size": 12,
        "generator_learning_rate": 1e-4,
        "discriminator_learning_rate": 1e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "r1_weight": 0.05,
        "r2_weight": 0.05,
        "lipschitz_weight": 0.0,
        "penalty_interval": 2,
        "diversity_weight": 1.0,
        "augmentation": Augmentation(translation=0.125, cutout=0.25, colour=0.2),
        "augmented_below": 1000,
        "adaptive": None,
        "ema_decay": 0.9,
        "precision": "float32",
    }
    return Config(**(usual | changes))


def fresh(config: Config) -> State:
    return initial_state((8, 8, 3), num_classes=3, config=config, seed=0, device=CPU)


def weights(state: State) -> torch.Tensor:
    networks = (state.generator, state.discriminator, state.average)
    return torch.cat([one.detach().flatten() for network in networks for one in network.parameters()])


def gradient(state: State) -> torch.Tensor:
    found = [parameter.grad for parameter in state.discriminator.parameters()]
    return torch.cat([one.flatten() for one in found if one is not None])


def data() -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand((30, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    return images.to(torch.get_default_dtype()), torch.arange(30) % 3


def runs(config: Config, group: Group) -> Iterator[tuple[State, State]]:
    """The states of a training alone and of one with the group, step by step."""
    states = (fresh(config), fresh(config))
    pairs = [train(*data(), config=config, seed=0, state=states[0])]
    pairs += [train(*data(), config=config, seed=0, state=states[1], group=group)]
    for _ in zip(*pairs, strict=True):
        yield states


def distances(config: Config, group: Group) -> list[float]:
    """How far apart the weights are after `STEPS`, as a share of the way that they went."""
    start = weights(fresh(config))
    found = []
    for number, (alone, together) in enumerate(itertools.islice(runs(config, group), max(STEPS)), start=1):
        if number in STEPS:
            way = (weights(alone) - start).norm()
            found.append(float((weights(alone) - weights(together)).norm() / way))
    return found


def first_gradient_error(group: Group) -> float:
    alone, together = (gradient(one) for one in next(runs(recipe(), group)))
    return float((alone - together).abs().max() / alone.abs().max())


def stopped_by_the_other(group: Group) -> bool:
    """Whether this process stops, its weights untouched, at a gradient that only the second one finds not finite."""
    state = fresh(recipe())
    before = weights(state)
    if group.rank == 1:
        assert isinstance(state.discriminator, Discriminator)
        state.discriminator.psi.weight.register_hook(lambda gradient: gradient * torch.nan)
    try:
        next(train(*data(), config=recipe(), seed=0, state=state, group=group))
    except FloatingPointError:
        return torch.equal(before, weights(state))
    return False


def refuses_disagreement(group: Group) -> bool:
    check_agreement(group, 5, 7)
    try:
        check_agreement(group, 5, group.rank)
    except BadInput:
        return True
    return False


def same_everywhere(group: Group) -> bool:
    """Whether both processes end with the same bits and the same losses."""
    *_, step = itertools.islice(train(*data(), config=recipe(), seed=0, group=group), 5)
    losses = torch.tensor([step.generator_loss, step.discriminator_loss, step.real_logit, step.penalty])
    found = group.gather(torch.cat([weights(step.state), losses])[None])
    return torch.equal(found[0], found[1])


def main(path: Path) -> None:
    torch.set_num_threads(1)
    with joined(CPU) as group:
        broken = {one: one(rank=group.rank, size=group.size) for one in (WithoutAverage, WithoutGather)}
        found: dict[str, Any] = {
            "size": group.size,
            "first_gradient": first_gradient_error(group),
            "float32": distances(recipe(), group),
            "float32_without_average": distances(recipe(), broken[WithoutAverage]),
            "float32_without_gather": distances(recipe(), broken[WithoutGather]),
            "non_saturating": distances(recipe(loss="non-saturating"), group),
            "same_everywhere": same_everywhere(group),
        }
        verdicts = torch.tensor([[stopped_by_the_other(group), refuses_disagreement(group)]])
        found["both_stop"], found["both_refuse"] = group.gather(verdicts).all(dim=0).tolist()
        # the same in double precision, which `train` leaves by `float` alone
        torch.set_default_dtype(torch.float64)
        torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
        rates = {"generator_learning_rate": 2e-3, "discriminator_learning_rate": 2e-3}
        for name, choice in CHOICES.items():
            found[f"float64_{name}"] = distances(recipe(**rates, **choice), group)
    if int(os.environ["RANK"]) == 0:
        path.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
