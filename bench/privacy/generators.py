"""What leaks from a GAN, by how many records it learnt from? Every attack on what its makers could hand out.

Garments in four sizes of training part; as many non-members as the largest part has members, but at most so many of each
are attacked. The recipe is the pipeline's own but for narrower networks, and every size takes the same number of steps,
so that the small parts are seen more often, as they would be.
"""

import itertools
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.idx import read
from bench.reporting import Goal, at_least
from bench.utility.generators import default_recipe
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet, synthetic_ids, to_bytes
from mintmark.fan_out import fan_out
from mintmark.gan.sampling import sample
from mintmark.gan.training import train
from mintmark.intervals import auc_bootstrap
from mintmark.privacy.discriminator import attack_discriminator
from mintmark.privacy.generator import Search, attack_generator
from mintmark.privacy.parties import Parties, at_most
from mintmark.privacy.rates import Scores, halves, operating_point
from mintmark.privacy.samples import attack_samples
from mintmark.privacy.spaces import open_spaces
from mintmark.progress import track

FPR = 0.01
AUXILIARY = Recipe(steps=300, batch_size=64, learning_rate=2e-3, weight_decay=1e-4, width=8)


class Sizes(NamedTuple):
    """Training parts, records of each sort under attack, samples, steps."""

    parts: tuple[int, ...]
    attacked: int
    drawn: int
    steps: int


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """AUC and TPR at 1% false positives of every attack, by size; the strongest must weaken as the size grows."""
    sizes = Sizes((32, 64), 64, 50, 3) if quick else Sizes((64, 256, 1024, 4096), 1000, 2000, 1500)
    everything = read(data / "fashion-mnist", "train")
    jobs = [partial(attacked, everything, size, sizes) for size in sizes.parts]
    found = dict(zip(sizes.parts, track(fan_out(jobs, workers=workers), "gans", total=len(jobs)), strict=True))
    strongest = {size: max(table.values(), key=lambda row: row["auc"][0])["auc"] for size, table in found.items()}
    small, large = strongest[sizes.parts[0]], strongest[sizes.parts[-1]]
    goal = at_least(
        0.0,
        f"best AUC at {sizes.parts[0]} images less that at {sizes.parts[-1]}",
        small[0] - large[0],
        (small[1] - large[2], small[2] - large[1]),
        unit="",
    )
    chance = {
        str(size): [name for name, row in table.items() if row["auc"][1] <= 0.5 <= row["auc"][2]]
        for size, table in found.items()
    }
    return [goal], {"table": {str(size): table for size, table in found.items()}, "at chance": chance}


def attacked(everything: ImageSet, size: int, sizes: Sizes) -> dict[str, dict[str, list[float]]]:
    """Train one GAN, and attack its samples, its generator and its discriminator."""
    torch.set_num_threads(1)
    rows = np.random.default_rng(13).permutation(len(everything))
    largest = sizes.parts[-1]
    cuts = np.cumsum([largest, sizes.attacked, sizes.attacked])
    pool, others, reference, rest = (
        everything.take(part) for part in np.split(rows[: cuts[-1] + sizes.attacked], cuts)
    )
    members = pool.take(np.arange(size))
    config = default_recipe(generator_width=16, discriminator_width=16, batch_size=64).settled(
        members.shape, num_records=size
    )
    pixels, codes = members.byte_tensors()
    endless = train(pixels, codes, config=config, seed=0, num_classes=len(members.classes))
    *_, last = track(itertools.islice(endless, sizes.steps), "gan-steps", total=sizes.steps)
    generator, discriminator = last.state.average.eval(), last.state.discriminator.eval()
    wanted = np.arange(sizes.drawn) % len(members.classes)
    drawn = np.concatenate([to_bytes(batch) for batch in sample(generator, wanted, seed=0)])
    release = ImageSet(ids=synthetic_ids(drawn, first=0), codes=wanted, images=drawn, classes=members.classes)
    few = at_most(members, sizes.attacked, rng=np.random.default_rng(0))
    parties = Parties(members=few, non_members=others, reference=reference, bystanders=rest)
    spaces = open_spaces(reference, recipe=AUXILIARY, seed=0)
    search = Search(own_samples=sizes.drawn, steps=20, learning_rate=0.05, max_records=sizes.attacked)
    threats = {
        "samples": attack_samples(release, parties, spaces=spaces, recipe=AUXILIARY, shadows={}, seed=0),
        "generator": attack_generator(
            generator, parties, spaces=spaces, search=search, recipe=AUXILIARY, seed=1, shadows={}
        ),
        "discriminator": attack_discriminator(discriminator, parties, shadows=None),
    }
    return {f"{threat} {name}": _row(one) for threat, attacks in threats.items() for name, one in attacks.items()}


def _row(scores: Scores) -> dict[str, list[float]]:
    area = auc_bootstrap(*scores, rng=np.random.default_rng(0))
    point = operating_point(scores, calibrating=halves(len(scores.non_members), seed=0), fpr=FPR)
    return {"auc": list(area), "tpr at 1% fpr": [] if point is None else list(point.tpr)}
