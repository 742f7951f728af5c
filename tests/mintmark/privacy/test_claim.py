"""Which epsilon may be claimed, in every case."""

import pytest

from mintmark.privacy.claim import release_claims

SPENT = {"epsilon": 3.0, "delta": 1e-4}
BLIND = {"reads_train": False}
SYNTHETIC = {"arm": "synthetic", "chosen_among": ["synthetic"]}


def claims(generator=None, classifier=None, anonymise=None):
    given = {"privacy": SPENT} if generator is None else generator
    return release_claims(
        generator=given,
        classifier=SYNTHETIC if classifier is None else classifier,
        anonymise=BLIND if anonymise is None else anonymise,
    )


def test_what_is_made_of_a_private_generator_alone_inherits_its_epsilon():
    assert {name: one[:2] for name, one in claims().items()} == dict.fromkeys(
        ("generator", "samples", "classifier", "samples_and_classifier"), (3.0, 1e-4)
    )


def test_without_noise_there_is_no_claim():
    assert {one.epsilon for one in claims(generator={}).values()} == {None}


@pytest.mark.parametrize("facts", [{}, {"reads_train": True}])
def test_a_filter_that_looks_at_training_records_ends_the_claim(facts):
    found = claims(anonymise=facts)
    assert found["generator"].epsilon == 3.0
    assert found["samples"].epsilon is found["classifier"].epsilon is found["samples_and_classifier"].epsilon is None
    assert "anonymise compares" in found["samples"].reason
    assert "anonymise compares" in found["classifier"].reason


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"arm": "real", "chosen_among": ["real"]}, "real records without noise"),
        ({"arm": "synthetic", "chosen_among": ["real", "synthetic"]}, "chosen among arms"),
        ({"arm": "synthetic"}, "chosen among arms"),
    ],
)
def test_a_classifier_that_owes_anything_to_real_records_has_none(facts, why):
    found = claims(classifier=facts)
    assert found["samples"].epsilon == 3.0
    assert found["classifier"].epsilon is found["samples_and_classifier"].epsilon is None
    assert why in found["classifier"].reason


def test_two_private_trainings_on_the_same_records_add_up():
    found = claims(classifier={"arm": "private", "privacy": {"epsilon": 2.0, "delta": 1e-5}})
    assert found["classifier"][:2] == (2.0, 1e-5)
    assert found["samples_and_classifier"][:2] == pytest.approx((5.0, 1.1e-4))


def test_a_private_classifier_keeps_its_claim_whatever_the_generator_does():
    found = claims(generator={}, classifier={"arm": "private", "privacy": SPENT})
    assert found["classifier"].epsilon == 3.0
    assert found["samples_and_classifier"].epsilon is None
