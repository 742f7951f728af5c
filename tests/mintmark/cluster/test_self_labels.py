"""Self-labels: what slipped comes back, nobody answers for what it was taught, and bad rounds are refused by hand-made signs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mintmark.classify import out_of_fold
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.classify.out_of_fold import Folds, Taught
from mintmark.classify.training import Recipe as Lesson
from mintmark.cluster import self_labels
from mintmark.cluster.clustering import Clustering, Fit
from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.model import TransformedClusters
from mintmark.cluster.self_labels import Recipe, SelfLabelled, rounds, self_labelled
from mintmark.cluster.vote import Voted
from mintmark.errors import BadInput

LESSON = Lesson(
    steps=80, batch_size=32, learning_rate=1e-2, weight_decay=0.0, width=4, augmentation=Augmentation(shift=0.1)
)
BRIEF = Folds(number=2, recipe=replace(LESSON, steps=3), workers=1, threads=1)
RECIPE = Recipe(rounds=1, least_kept=0.5, folds=replace(BRIEF, number=4, recipe=LESSON))


def grey(*values):
    """Images of 5 x 5 pixels that are all alike."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 5, 5).contiguous()


def clustering(prototypes) -> TransformedClusters:
    """Prototypes that move nothing."""
    size = prototypes.shape[2]
    form = Form(shape=(size, size, 1), num_clusters=len(prototypes), width=2, num_features=3, hidden=2)
    network = DTI(form, prototypes=prototypes[None], rng=torch.Generator().manual_seed(0))
    return TransformedClusters(network=network, background=torch.zeros(1))


def fitted(clusters, *, best=None) -> Fit:
    """Two starts, of which the second is the better."""
    given = torch.as_tensor(clusters)
    best = clustering(grey(0.0, 1.0)) if best is None else best
    return Fit(best, torch.tensor([2.0, 1.0]), torch.stack([1 - given, given]), (), {"steps": 7.0})


class Constant(Classifier):
    """The same logarithms of probabilities for every image."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__((5, 5, 1), len(probabilities))
        self.answer = torch.tensor(probabilities).log()

    def forward(self, images):
        return self.answer.expand(len(images), -1)


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch):
    """Teaching that comes to the clusters of a script, round by round; what it was given is kept."""

    def by(*script):
        answers, given = iter(script), []

        def teach(images, codes, *, num_classes, folds, seed):
            given.append((codes.tolist(), seed))
            clusters = torch.tensor(next(answers))
            beliefs = torch.nn.functional.one_hot(clusters, num_classes).float().log()
            return Taught(beliefs, (Constant(0.9, 0.1),) * folds.number)

        monkeypatch.setattr(self_labels, "teach", teach)
        return given

    return by


@pytest.fixture
def distinct(shifted):
    """The shifted rings and crosses, under noise: no two are equal."""
    images, codes = shifted
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return images + 0.1 * noise, torch.from_numpy(codes)


def test_shapes_that_slipped_into_the_wrong_cluster_come_back(distinct):
    images, codes = distinct
    given = codes.clone()
    slipped = torch.from_numpy(np.random.default_rng(0).permutation(120)[:18])
    given[slipped] = 1 - given[slipped]
    found = self_labelled(fitted(given, best=clustering(images[:2])), images, recipe=RECIPE, seed=0)
    assert (given == codes).double().mean() == 0.85
    assert (found.fit.clusters[1] == codes).double().mean() > 0.93
    assert torch.equal(found.fit.best.assign(images).clusters, found.fit.clusters[1])
    assert torch.equal(found.fit.clusters[0], 1 - given)  # the other start is as it was
    moved = (found.fit.clusters[1] != given).double().mean().item()
    assert found.as_json() == {"rounds": 1, "moved": [moved], "kept": [found.rounds[0].kept], "refused": None}
    assert found.fit.cost == {"steps": 7.0, "self_label_steps": 320.0}


def test_each_image_is_answered_for_by_the_network_that_never_saw_it(distinct, monkeypatch: pytest.MonkeyPatch):
    images, codes = distinct
    lessons, train = [], out_of_fold.train_classifier

    def spied(some, *arguments, **named):
        network = train(some, *arguments, **named)
        lessons.append((some, network))
        return network

    monkeypatch.setattr(out_of_fold, "train_classifier", spied)
    (one,) = rounds(images, codes, num_clusters=2, recipe=replace(RECIPE, folds=BRIEF), seed=0)
    assert [network for _, network in lessons] == list(one.networks)
    answered = torch.zeros(len(images), dtype=torch.int64)
    for some, network in lessons:
        unseen = ~(images[:, None] == some).flatten(2).all(dim=2).any(dim=1)
        answered += unseen
        assert torch.equal(one.clusters[unseen], logits(network, images[unseen]).argmax(dim=1))
    assert (answered == 1).all()


def test_a_round_that_empties_a_cluster_is_refused_and_nothing_changes(taught):
    taught([0, 0, 0, 0, 0, 1], [0] * 6)
    fit = fitted([0, 0, 0, 1, 1, 1])
    found = self_labelled(fit, grey(*torch.rand(6).tolist()), recipe=replace(RECIPE, rounds=2), seed=0)
    assert found.as_json() == {"rounds": 0, "moved": [2 / 6], "kept": [pytest.approx(1 / 3)], "refused": "collapse"}
    assert found.fit.best is fit.best
    assert torch.equal(found.fit.clusters, fit.clusters)


def test_a_cluster_may_shrink_to_the_share_that_is_asked_for_of_what_it_first_had(taught):
    taught([0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1])
    recipe = replace(RECIPE, rounds=2, least_kept=0.5)
    found = self_labelled(fitted([0, 0, 0, 1, 1, 1]), grey(*torch.rand(6).tolist()), recipe=recipe, seed=0)
    assert found.as_json()["kept"] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]  # not a half of the two before
    assert found.as_json()["refused"] == "collapse"
    assert found.fit.clusters[1].tolist() == [0, 0, 0, 0, 1, 1]


def test_a_cluster_that_was_empty_before_is_no_collapse(taught):
    taught([0, 0, 0, 0])
    found = self_labelled(fitted([0, 0, 0, 0]), grey(0.1, 0.2, 0.3, 0.4), recipe=RECIPE, seed=0)
    assert found.as_json() == {"rounds": 1, "moved": [0.0], "kept": [1.0], "refused": None}


def test_rounds_stop_where_more_images_move_than_before(taught):
    given = taught([1, 0, 0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 1, 1, 1, 1], [0] * 8)
    first = [0, 0, 0, 0, 1, 1, 1, 1]
    images = grey(*(place / 10 for place in range(8)))
    found = self_labelled(fitted(first), images, recipe=replace(RECIPE, rounds=3), seed=0)
    assert found.as_json() == {"rounds": 1, "moved": [1 / 8, 2 / 8], "kept": [0.75, 0.75], "refused": "drift"}
    assert found.fit.clusters[1].tolist() == [1, 0, 0, 0, 1, 1, 1, 1]
    assert [codes for codes, _ in given] == [first, [1, 0, 0, 0, 1, 1, 1, 1]]  # each is taught by the one before
    assert given[0][1] != given[1][1]  # by other folds and weights


def test_without_rounds_nothing_is_done(distinct):
    fit = fitted(distinct[1])
    found = self_labelled(fit, distinct[0], recipe=replace(RECIPE, rounds=0), seed=0)
    assert (found.fit is fit, found.rounds, found.fault) == (True, (), None)


def test_a_new_image_has_the_answer_of_all_networks_and_a_known_one_its_own():
    """By the mean of probabilities, cluster 0; by the majority it would be 1."""
    networks = (Constant(0.95, 0.05), Constant(0.45, 0.55), Constant(0.45, 0.55))
    known = grey(0.1, 0.2)
    one = SelfLabelled(
        clustering=clustering(grey(0.0, 1.0)), networks=networks, images=known, clusters=torch.tensor([1, 0])
    )
    found = one.assign(torch.cat([known, grey(0.75)]))
    assert isinstance(one, Clustering)
    assert found.clusters.tolist() == [1, 0, 0]
    torch.testing.assert_close(found.distances, torch.tensor([0.9**2, 0.2**2, 0.75**2]))  # from its cluster's answer
    assert torch.equal(one.prototypes, one.clustering.prototypes)


def test_clusters_by_vote_teach_and_keep_their_prototypes(taught):
    taught([0, 0, 1, 1])
    images = grey(0.1, 0.2, 0.8, 0.9)
    plain = clustering(grey(0.0, 1.0))
    votes = Voted(clustering=plain, images=images, clusters=torch.tensor([[0, 1, 1, 1]]), voters=1)
    found = self_labelled(fitted([0, 1, 1, 1], best=votes), images, recipe=RECIPE, seed=0)
    assert isinstance(found.fit.best, SelfLabelled)
    assert found.fit.best.clustering is plain
    assert found.fit.clusters[1].tolist() == [0, 0, 1, 1]


def test_the_seed_decides(distinct):
    images, codes = distinct
    recipe = replace(RECIPE, folds=BRIEF)
    one, again, other = (next(rounds(images, codes, num_clusters=2, recipe=recipe, seed=seed)) for seed in (0, 0, 1))
    answers = [logits(found.networks[0], images) for found in (one, again, other)]
    assert torch.equal(one.clusters, again.clusters)
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="rounds must not be negative, got -1"):
        replace(RECIPE, rounds=-1)
    with pytest.raises(ValueError, match="least_kept must be above 0 and at most 1, got 0"):
        replace(RECIPE, least_kept=0.0)
    with pytest.raises(BadInput, match="records: expected at least 4, one a fold, got 2"):
        self_labelled(fitted([0, 1]), grey(0.0, 1.0), recipe=RECIPE, seed=0)
