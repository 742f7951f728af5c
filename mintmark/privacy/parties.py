"""Who is who in an audit: the records under attack, the attacker's own, and those that nobody learnt from.

Knows nothing of attacks or models.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import pixels
from mintmark.privacy.rates import Scores

NEIGHBOURS = 5  # whose classes are asked for a record's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Parties:
    """The records of one audit, all of one shape and of the same classes.

    Attributes:
        members: Records that the target was trained on, by a recorded coin.
        non_members: Records that it was not, by the same coin.
        reference: The attacker's own fresh records: the target did not learn from them, and no attack scores them.
        bystanders: Records that no attack uses; the negative controls' models learn from these alone.
    """

    members: ImageSet
    non_members: ImageSet
    reference: ImageSet
    bystanders: ImageSet

    def counts(self) -> dict[str, int]:
        """How many records each has."""
        return {one.name: len(getattr(self, one.name)) for one in fields(self)}

    def codes(self) -> Int64[np.ndarray, " queries"]:
        """The classes of the records under attack, members first."""
        return np.concatenate([self.members.codes, self.non_members.codes])

    def pixels(self) -> Float[torch.Tensor, "queries pixels"]:
        """The records under attack as rows of pixels in [0, 1], members first."""
        return torch.cat([pixels(self.members.images), pixels(self.non_members.images)])

    def tensors(self) -> Float[torch.Tensor, "queries channels height width"]:
        """The records under attack as images in [-1, 1], members first."""
        return torch.cat([self.members.tensors()[0], self.non_members.tensors()[0]])

    def split(self, scores: Float[np.ndarray, " queries"]) -> Scores:
        """Scores of the records under attack, parted into members and non-members."""
        return Scores(scores[: len(self.members)], scores[len(self.members) :])

    def labelled(self) -> "Parties":
        """The same parties without unlabelled records under attack."""
        return Parties(
            members=self.members.labelled(),
            non_members=self.non_members.labelled(),
            reference=self.reference,
            bystanders=self.bystanders,
        )

    def at_most(self, num: int, *, rng: np.random.Generator) -> "Parties":
        """The same parties with at most `num` members, and as many non-members, under attack."""
        return Parties(
            members=at_most(self.members, num, rng=rng),
            non_members=at_most(self.non_members, num, rng=rng),
            reference=self.reference,
            bystanders=self.bystanders,
        )


def labelled_by_neighbours(parties: Parties) -> Parties:
    """The same parties, all under attack with the class of most of their nearest records of the attacker's own.

    For a target that learnt from records without a label: those cannot be attacked by their label, and its mere absence
    would tell members from others. So every record, member or not, labelled or not, gets its class by one rule, which
    sees no model.
    """
    from sklearn.neighbors import KNeighborsClassifier  # takes a second to import, and few audits need it

    own = parties.reference.labelled()
    guess = KNeighborsClassifier(n_neighbors=min(NEIGHBOURS, len(own)))
    guess.fit(pixels(own.images).numpy(), own.codes)

    def relabelled(images: ImageSet) -> ImageSet:
        return replace(images, codes=np.asarray(guess.predict(pixels(images.images).numpy()), np.int64))

    return replace(parties, members=relabelled(parties.members), non_members=relabelled(parties.non_members))


def at_most(images: ImageSet, num: int, *, rng: np.random.Generator) -> ImageSet:
    """All records, or a random choice of `num` of them in their order."""
    return images if len(images) <= num else images.take(np.sort(rng.permutation(len(images))[:num]))
