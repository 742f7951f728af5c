"""Which epsilon may be claimed for what is released. What refutes a claim: see `mintmark.privacy.one_run`.

A claim holds for the stage that trained with noise and for all that is made of its output alone (post-processing, Dwork
and Roth 2014, proposition 2.1). As soon as one later step looks at training records without noise, there is none; two
claims on the same records add up (theorem 3.16). The unit is one record of the training part, as the split left it. Reports,
histories and plots are made for the inside and are no part of it. Knows no file.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

UNIT = "one record of the training part"


class Claim(NamedTuple):
    """An epsilon that may be claimed, or why there is none.

    Attributes:
        epsilon, delta: What is claimed; None where nothing is.
        reason: What the claim rests on, or why there is none.
    """

    epsilon: float | None
    delta: float | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        """For the facts of a report."""
        return self._asdict()


def release_claims(
    *, generator: Mapping[str, Any], classifier: Mapping[str, Any], anonymise: Mapping[str, Any]
) -> dict[str, Claim]:
    """The claims for the generator (and its discriminator), the samples, the classifier, and samples with classifier.

    Args:
        generator: The facts beside its weights: "privacy" where it was trained with noise.
        classifier: The facts beside its weights: "privacy", or else "arm" and "chosen_among".
        anonymise: The facts of the filter's report: "reads_train", which counts as true where it is absent.
    """
    of_generator = _of_generator(generator)
    of_samples = _of_samples(of_generator, anonymise)
    of_classifier = _of_classifier(of_samples, classifier)
    inherits = "privacy" not in classifier
    return {
        "generator": of_generator,
        "samples": of_samples,
        "classifier": of_classifier,
        "samples_and_classifier": _both(of_samples, of_classifier, inherits=inherits),
    }


def _of_generator(facts: Mapping[str, Any]) -> Claim:
    if "privacy" not in facts:
        return Claim(None, None, "The generator was trained without noise (train_gan.privacy is null).")
    spent = facts["privacy"]
    return Claim(spent["epsilon"], spent["delta"], "Its discriminator was trained by noisy gradients.")


def _of_samples(generator: Claim, anonymise: Mapping[str, Any]) -> Claim:
    if generator.epsilon is None:
        return generator
    if anonymise.get("reads_train", True):
        return Claim(
            None,
            None,
            "anonymise compares samples with training records without noise, so that what it leaves tells of them.",
        )
    return generator._replace(reason="Nothing but the private generator, without a look at training records.")


def _of_classifier(samples: Claim, facts: Mapping[str, Any]) -> Claim:
    if "privacy" in facts:
        spent = facts["privacy"]
        return Claim(spent["epsilon"], spent["delta"], "It was trained on the real records by noisy gradients.")
    if facts.get("arm") != "synthetic":
        return Claim(None, None, f"It was trained on real records without noise (arm {facts.get('arm')}).")
    if facts.get("chosen_among") != ["synthetic"]:
        return Claim(
            None, None, "It was chosen among arms that learn from real records without noise (evaluate.shippable)."
        )
    if samples.epsilon is None:
        return Claim(None, None, f"It was trained on the samples alone. {samples.reason}")
    return samples._replace(reason="It was trained on the private samples alone and inherits their epsilon.")


def _both(samples: Claim, classifier: Claim, *, inherits: bool) -> Claim:
    for one in (samples, classifier):
        if one.epsilon is None or one.delta is None:
            return one
    if inherits:
        return classifier._replace(reason="Both are made of the private generator alone.")
    assert samples.epsilon is not None
    assert samples.delta is not None
    assert classifier.epsilon is not None
    assert classifier.delta is not None
    return Claim(
        samples.epsilon + classifier.epsilon,
        samples.delta + classifier.delta,
        "Two trainings looked at the same records; what they spend adds up.",
    )
