"""Groups of records: formed without regard to membership, and the worst of them found."""

import numpy as np
import pytest

from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores
from mintmark.privacy.spaces import open_spaces
from mintmark.privacy.subgroups import Group, groups_of, worst_fact, worst_measurement, worst_of

RECIPE = Recipe(steps=3, batch_size=16, learning_rate=5e-3, weight_decay=0.0, width=4)
EVERY = Group(np.ones(200, bool), np.ones(200, bool))


def test_classes_clusters_and_outliers_are_found(digits: ImageSet):
    parts = [digits.take(np.arange(start, start + 300)) for start in range(0, 1200, 300)]
    parts[0].images[:15] = np.random.default_rng(0).integers(0, 256, (15, 8, 8, 1))
    parts[1].images[:15] = np.random.default_rng(1).integers(0, 256, (15, 8, 8, 1))
    parties = Parties(members=parts[0], non_members=parts[1], reference=parts[2], bystanders=parts[3])
    cluster_of = {one: place % 3 for part in parts[:2] for place, one in enumerate(part.ids)}
    cluster_of[parts[0].ids[0]] = 7  # alone in its cluster
    found = groups_of(parties, open_spaces(parts[2], recipe=RECIPE, seed=0), cluster_of=cluster_of)
    assert list(found.clusters) == ["cluster 0", "cluster 1", "cluster 2"]
    assert found.clusters["cluster 0"].members.sum() == 99
    assert found.clusters["cluster 1"].members.tolist() == [place % 3 == 1 for place in range(300)]
    assert list(found.classes) == list("0123456789")
    assert (found.classes["3"].members == (parts[0].codes == 3)).all()
    outliers = found.outliers["outliers"]
    assert outliers.members[:15].all()
    assert outliers.non_members[:15].all()
    assert outliers.members.sum() + outliers.non_members.sum() == 60


def test_small_groups_are_not_told_of(digits: ImageSet):
    few = digits.take(np.arange(60))
    parties = Parties(members=few, non_members=few, reference=few, bystanders=few)
    cluster_of = {one: place % 10 for place, one in enumerate(few.ids)}
    found = groups_of(parties, open_spaces(few, recipe=RECIPE, seed=0), cluster_of=cluster_of)
    assert found.classes == {}
    assert found.clusters == {}
    assert found.outliers == {}
    assert worst_of({"a": Scores(np.zeros(60), np.zeros(60))}, found.classes) is None
    told = worst_measurement("samples", "outliers", None, note="", control="c")
    assert told.value is None
    assert worst_fact(None) is None


def test_the_bound_holds_for_all_groups_and_attacks_at_once():
    rng = np.random.default_rng(0)
    groups = {str(part): Group(np.arange(200) % 4 == part, np.arange(200) % 4 == part) for part in range(4)}
    held = 0
    for _ in range(300):
        attacks = {name: Scores(rng.normal(size=200), rng.normal(size=200)) for name in "abc"}
        worst = worst_of(attacks, groups)
        assert worst is not None
        held += worst.bound >= 0.5
    assert held >= 285 - 11


def test_the_worst_group_is_named_whichever_side_leaks():
    rng = np.random.default_rng(0)
    scores = Scores(rng.normal(size=200), rng.normal(size=200))
    scores.members[:50] -= 2.0
    first = Group(np.arange(200) < 50, np.arange(200) < 50)
    worst = worst_of({"a": scores}, {"first": first, "rest": Group(~first.members, ~first.non_members)})
    assert worst is not None
    assert worst_fact(worst) == {"group": "first", "attack": "a", "auc": pytest.approx(0.92, abs=0.05)}
    assert worst.bound > worst.auc
    assert worst.n == 50
