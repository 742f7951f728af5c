"""The one classifier that is kept: which it is, what is said of it, and what its file says. Asks no test record."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mintmark.classify.kinds import CNN
from mintmark.classify.networks import Classifier, SmallCNN
from mintmark.errors import BadInput
from mintmark.utility.arms import ARMS, AUGMENTED_ARMS
from mintmark.utility.choices import Score, score
from mintmark.utility.contest import Contest, Plan, stand_ins
from mintmark.utility.private_arm import PRIVATE


@dataclass(frozen=True, kw_only=True, slots=True)
class Shipped:
    """The one network that is kept, its classes, and where it came from.

    Attributes:
        network: On the CPU or the device that trained it.
        classes: Names in the order of their codes.
        arm: Arm or student.
        place: Among the seeds, from 0.
        score: Its own on validation.
        among: The arms and students among which validation chose.
    """

    network: Classifier
    classes: tuple[str, ...]
    arm: str
    place: int
    score: Score
    among: tuple[str, ...]


def ship(plan: Plan, contest: Contest, *, arms: Sequence[str], seeds: Sequence[int]) -> Shipped:
    """The network to keep: of the best of `arms` on validation, the best seed on validation.

    Where there is an arm `private`, its first network is kept, without a choice. Where the contest's kind of classifier has no weights to keep, built-in networks of the chosen arm stand in.

    Args:
        plan: That of the contest.
        contest: Its first round.
        arms: Arms and students of which one may be kept; those that did not take part are passed over.
        seeds: Of the first round.

    Raises:
        BadInput: none of them took part.
    """
    if plan.private is not None:
        network = contest.networks[PRIVATE][0]
        of_network = score([network], plan.material.validation)
        return Shipped(
            network=network,
            classes=plan.material.train.classes,
            arm=PRIVATE,
            place=0,
            score=of_network,
            among=(PRIVATE,),
        )
    known = [arm for arm in arms if arm in contest.scores]
    if not known:
        raise BadInput(
            f"evaluate.shippable: expected an arm that takes part, got {list(arms)}; students take part only where training "
            "records without a label exist"
        )
    arm = max(known, key=lambda one: contest.scores[one])
    if plan.crew.kind.can_ship:
        return _best(contest, plan, arm, among=known)
    stand_in = stand_ins(replace(plan, crew=replace(plan.crew, kind=CNN)), contest, arm, seeds=seeds)
    return _best(stand_in, plan, arm, among=known)


def kept_facts(shipped: Shipped, plan: Plan) -> Mapping[str, Any]:
    """What the classifier's file says of it.

    The audit's shadow classifiers are built-in networks trained by the recipe of the file that they are to match; the
    file of another kind, or of a student, tells none. One that synthetic records alone taught tells how many. It attacks unlabelled records where some were learnt from.
    """
    kept: dict[str, Any] = {
        "arm": shipped.arm,
        "chosen_among": list(shipped.among),
        "validation_accuracy": shipped.score.accuracy,
    }
    if plan.private is not None and shipped.arm == PRIVATE:
        return kept | {"privacy": plan.private.spending(num_records=len(plan.material.train)).as_json()}
    if plan.school is not None and shipped.arm not in ARMS:
        return kept | {"unlabelled_records": len(plan.school.unlabelled)}
    if not isinstance(shipped.network, SmallCNN):
        return kept
    augmentation = plan.choices.augmentation if shipped.arm in AUGMENTED_ARMS else plan.recipe.augmentation
    if shipped.arm == "synthetic":
        kept["synthetic_records"] = len(plan.material.release)
    return kept | {"recipe": asdict(replace(plan.recipe, augmentation=augmentation))}


def _best(contest: Contest, plan: Plan, arm: str, *, among: Sequence[str]) -> Shipped:
    validation = plan.material.validation
    scores = [score([network], validation) for network in contest.networks[arm]]
    place = max(range(len(scores)), key=lambda one: scores[one])
    return Shipped(
        network=contest.networks[arm][place],
        classes=validation.classes,
        arm=arm,
        place=place,
        score=scores[place],
        among=tuple(among),
    )
