"""One contest as `tasks/evaluate.py` holds it, for benchmarks: tuned, trained, settled, judged."""

from dataclasses import dataclass

import numpy as np
import torch

from mintmark.classify.augmentation import PLAIN
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.intervals import CrossedMean
from mintmark.utility.arms import Material, Mixture
from mintmark.utility.choices import choose
from mintmark.utility.comparison import Advantage
from mintmark.utility.contest import Plan, Settled, hold, outcome, settle
from mintmark.utility.crew import Crew
from mintmark.utility.findings import Findings, find
from mintmark.utility.stopping import Looks

HARD = Mixture(share=0.5, labels="hard")
CURVE_ARM = "half"  # the control that trains on half of the real records is a point of the learning curve
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How contests of a case are held.

    Attributes:
        recipe: Of every training.
        num_seeds: Trainings of each arm; one look.
        margin: Differences up to this count as none.
        workers: Trainings at a time, one thread each.
    """

    recipe: Recipe
    num_seeds: int
    margin: float
    workers: int = 1

    @property
    def crew(self) -> Crew:
        """Who trains."""
        return Crew(workers=self.workers, threads=1, device=CPU, deterministic=True)

    @property
    def looks(self) -> Looks:
        """The one look."""
        return Looks((self.num_seeds,))


def contest(material: Material, test: ImageSet, rules: Rules, *, seed: int) -> Findings:
    """Choose on validation, train, ask the test once."""
    of_tuning, of_contest, of_controls = np.random.SeedSequence(seed).spawn(3)
    choices = choose(
        material,
        augmentations=[PLAIN],
        flip=0.0,
        mixtures=[HARD],
        recipe=rules.recipe,
        seeds=of_tuning.generate_state(1).tolist(),
        crew=rules.crew,
    )
    plan = Plan(
        material=material,
        choices=choices,
        recipe=rules.recipe,
        control_seed=int(of_controls.generate_state(1)[0]),
        crew=rules.crew,
    )
    seeds: list[int] = of_contest.generate_state(rules.num_seeds).tolist()
    settled = settle(hold(plan, seeds=seeds), plan, test, seeds=seeds, looks=rules.looks, margin=rules.margin)
    on_release = outcome(settled.contest.networks["real"], material.release)
    return judged(settled, plan, test, on_release=on_release, margin=rules.margin)


def judged(settled: Settled, plan: Plan, test: ImageSet, *, on_release: np.ndarray, margin: float) -> Findings:
    """The findings, with a learning curve of two points."""
    num_train = len(plan.material.train)
    return find(
        settled,
        {num_train // 2: settled.outcomes[CURVE_ARM]},
        on_release=on_release,
        test=test,
        num_train=num_train,
        margin=margin,
        kept="synthetic",
    )


def points(found: CrossedMean | Advantage) -> list[float]:
    """Value, low end and high end in points."""
    return [round(100 * end, 2) for end in found[:3]]
