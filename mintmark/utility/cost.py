"""What a contest took, in trainings, records, gradient steps and floating-point operations."""

from mintmark.classify.kinds import Kind, kind_step_flops
from mintmark.classify.training import Recipe
from mintmark.utility.arms import Material
from mintmark.utility.contest import Contest
from mintmark.utility.private_arm import PRIVATE


def contest_cost(
    kind: Kind, recipe: Recipe, material: Material, contest: Contest, *, num_tuning: int, num_curve: int
) -> dict[str, float]:
    """The whole cost but for the arm `private`, and that of one classifier; all are given as many records, and take as many steps if any.

    Args:
        kind: Of classifier. Steps and operations are left out where it takes no steps.
        recipe: Of every training.
        material: For the form of the records.
        contest: Whose networks count.
        num_tuning: Trainings before the contest.
        num_curve: Trainings of the learning curve.
    """
    num_contest = sum(len(networks) for name, networks in contest.networks.items() if name != PRIVATE)
    total = num_tuning + num_contest + num_curve
    cost = {
        "classifiers": total,
        "classifiers_tuning": num_tuning,
        "classifiers_contest": num_contest,
        "classifiers_learning_curve": num_curve,
        "records_a_classifier": recipe.steps * recipe.batch_size,
    }
    if kind.takes_steps:
        shape, num_classes = material.train.shape, len(material.train.classes)
        flops = kind_step_flops(kind, shape, num_classes=num_classes, width=recipe.width, batch_size=recipe.batch_size)
        cost |= {"gradient_steps": total * recipe.steps, "gradient_steps_a_classifier": recipe.steps}
        cost |= {"flops": total * recipe.steps * flops, "flops_a_classifier": recipe.steps * flops}
    return {name: float(number) for name, number in cost.items()}
