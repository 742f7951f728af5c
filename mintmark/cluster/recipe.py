"""The recipe of clusters up to transformations, as choices. Knows nothing of how they are carried out."""

from dataclasses import dataclass

from mintmark.transformations.sequence import named


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
        challenge_every: Steps between two rounds of challenges, once all transformations have joined, no price is paid and
            before the end's lower rates; 0 for none. Of a mixture there is none.
        cooldown: Share of the steps, at the end, at a tenth of the learning rates.
        batch_size: Images a step.
        learning_rate: Adam's, for the encoder and heads.
        prototype_learning_rate: Adam's, for the prototypes.
        restart_below: A cluster with less than this share of the mean size is restarted from the largest one.
        restart_noise: Standard deviation of what sets the two apart, in pixels of [-1, 1].
        committee: How many starts of lowest loss vote on each record's cluster (`mintmark.cluster.vote`).
        voters: How many of the nearest training records do so in each of them, itself among them. Of 1 record and 1
            start there is no vote, and of a mixture never.
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
    challenge_every: int
    cooldown: float
    batch_size: int
    learning_rate: float
    prototype_learning_rate: float
    restart_below: float
    restart_noise: float
    committee: int
    voters: int
    width: int
    num_features: int
    hidden: int

    def __post_init__(self) -> None:
        named(self.transformations)
        for name in ("starts", "steps", "batch_size", "committee", "voters", "width", "num_features", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("priced_starts", "priced", "cooldown", "restart_below"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        for name in ("identity_steps", "plateau", "price_rate", "restart_noise", "challenge_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("learning_rate", "prototype_learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
