"""How much faster one training step is than a plain eager loop of the same networks in single precision.

28x28 images, the default recipe.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from bench.reporting import Goal, at_least
from mintmark.devices import pick_precision
from mintmark.gan.augmentation import augment
from mintmark.gan.batches import BalancedSampler
from mintmark.gan.config import Config
from mintmark.gan.losses import LOSSES, class_energy_distance, squared_slopes
from mintmark.gan.state import State, initial_state
from mintmark.gan.training import train
from mintmark.progress import track
from tasks.params import load
from tasks.train_gan import Params

SHAPE, NUM_CLASSES, NUM_RECORDS = (28, 28, 1), 10, 1000
CPU = torch.device("cpu")


def fresh(config: Config) -> State:
    """The same networks for both."""
    return initial_state(SHAPE, num_classes=NUM_CLASSES, config=config, seed=0, device=CPU)


def plain_steps(images: torch.Tensor, codes: torch.Tensor, config: Config) -> Iterator[None]:
    """The recipe as one would first write it: single precision, the default layout, one image batch after the other."""
    state = fresh(config)
    sampler = BalancedSampler(images, codes, NUM_CLASSES)
    losses, judge = LOSSES[config.loss], state.discriminator

    def seen(some: torch.Tensor) -> torch.Tensor:
        return augment(some, config.augmentation, rng=state.rng)

    while True:
        real, wanted = sampler.draw(config.batch_size, rng=state.rng)
        fake = state.generator(torch.randn((len(real), config.latent_size), generator=state.rng), wanted)
        real_seen, fake_seen = seen(real).requires_grad_(), seen(fake.detach()).requires_grad_()
        real_logits, fake_logits = judge(real_seen, wanted), judge(fake_seen, wanted)
        loss = losses.discriminator(real_logits, fake_logits)
        if state.step % config.penalty_interval == 0:
            r1, r2 = squared_slopes(real_logits, real_seen).mean(), squared_slopes(fake_logits, fake_seen).mean()
            loss = loss + config.penalty_interval / 2 * (config.r1_weight * r1 + config.r2_weight * r2)
        state.discriminator_optimizer.zero_grad()
        loss.backward()
        state.discriminator_optimizer.step()
        of_real, of_fake = judge.view(seen(real), wanted), judge.view(seen(fake), wanted)
        loss = losses.generator(of_real.logits.detach(), of_fake.logits)
        loss = loss + config.diversity_weight * class_energy_distance(
            of_real.features.detach(), of_fake.features, wanted
        )
        state.generator_optimizer.zero_grad()
        loss.backward()
        state.generator_optimizer.step()
        state.step += 1
        with torch.no_grad():
            for kept, new in zip(state.average.parameters(), state.generator.parameters(), strict=True):
                kept.lerp_(new, 1 - config.ema_decay)
        yield


def seconds(step: Callable[[], object], num: int) -> float:
    """Processor time of one step, over `num` of them: what else the machine does costs neither."""
    start = time.process_time()
    for _ in range(num):
        step()
    return (time.process_time() - start) / num


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Both in turn, on one thread, whatever the workers."""
    del workers
    torch.set_num_threads(1)
    repetitions, num = (2, 1) if quick else (9, 8)
    config = load("train_gan", Params).recipe.settled(SHAPE, num_records=NUM_RECORDS)
    images = torch.rand((NUM_RECORDS, 1, 28, 28), generator=torch.Generator().manual_seed(0)) * 2 - 1
    codes = torch.arange(NUM_RECORDS) % NUM_CLASSES
    ours = train(images, codes, config=config, seed=0, state=fresh(config))
    plain = plain_steps(images, codes, config)
    for endless in (ours, plain):
        next(endless)
    spent: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in track(range(repetitions), "repetitions"):
        spent["plain"].append(seconds(lambda: next(plain), num))
        spent["ours"].append(seconds(lambda: next(ours), num))
    ratios = [one / other for one, other in zip(spent["plain"], spent["ours"], strict=True)]
    ends = (min(ratios), max(ratios))
    name = "plain eager fp32 step over our step, 28x28"
    goals = [at_least(1.6, name, statistics.median(ratios), ends, unit="ratio")]
    details = {
        "repetitions": repetitions,
        "steps_each": num,
        "batch_size": config.batch_size,
        "precision": str(pick_precision(config.precision, device=CPU, height=28, width=28)).removeprefix("torch."),
        "processor_ms_a_step": {
            name: {"median": 1e3 * statistics.median(one), "low": 1e3 * min(one), "high": 1e3 * max(one)}
            for name, one in spent.items()
        },
    }
    return goals, details
