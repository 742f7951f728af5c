"""Three forms at random places and speeds: told apart up to warps of time, and neither as they are nor by shifts."""

from dataclasses import replace

import numpy as np
import torch

from mintmark.cluster import kmeans, methods, shifted_kmeans, training
from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.model import TransformedClusters, background_of
from mintmark.cluster.scores import accuracy, contingency

LENGTH = 64
KMEANS = kmeans.Recipe(starts=5, steps=50)


def bump(phase, middle):
    return np.exp(-(((phase - middle) / 0.07) ** 2) / 2)


FORMS = (
    lambda phase: bump(phase, 0.25) + 0.5 * bump(phase, 0.75),
    lambda phase: 0.5 * bump(phase, 0.25) + bump(phase, 0.75),
    lambda phase: bump(phase, 0.3) - 0.8 * bump(phase, 0.65),
)


def warped(num=120, *, seed=0):
    """(n, 1, 1, time), which form each is, and where its middle lies, in time steps."""
    rng = np.random.default_rng(seed)
    codes, drawn = np.arange(num) % len(FORMS), rng.normal(0, 0.05, (num, LENGTH))
    speeds, places = np.exp(rng.uniform(-0.5, 0.5, num)), rng.uniform(-0.1, 0.1, num) * LENGTH
    for row, code in enumerate(codes):
        steps = np.arange(LENGTH) - LENGTH / 2 - places[row]
        phase = (2 * steps / LENGTH) * speeds[row] + 0.5
        late = np.clip(phase, 0, 1) ** np.exp(
            rng.normal(0, 0.15)
        )  # the first half runs at another speed than the second
        drawn[row] += FORMS[code](late) * ((phase > 0) & (phase < 1))
    return torch.from_numpy(drawn).float()[:, None, None], codes, places


def right(found, codes):
    best = found.clusters[int(found.losses.argmin())].numpy()
    return accuracy(contingency(best, codes, num_clusters=3, num_classes=3)).value


def test_series_at_random_speeds_are_told_apart_by_warps_alone():
    series, codes, places = warped()
    plain = kmeans.fit(series, num_clusters=3, recipe=KMEANS, seed=0)
    shifted = shifted_kmeans.fit(series, num_clusters=3, farthest=12, recipe=KMEANS, seed=0)
    recipe = replace(methods.warps(series), starts=4, steps=250, identity_steps=25, challenge_every=0)
    found = training.fit(series, num_clusters=3, recipe=recipe, seed=0)
    assert right(plain, codes) < 0.7
    assert right(shifted, codes) < 0.85
    assert right(found, codes) > 0.93
    clusters = found.best.assign(series).clusters
    before, after = (
        (one - found.best.prototypes[clusters]).square().mean() for one in (series, found.best.align(series, clusters))
    )
    assert after < 0.3 * before
    assert isinstance(found.best, TransformedClusters)
    later = -found.best.offsets(series, clusters)[0][:, 0].numpy() * LENGTH / 2
    for cluster in range(3):
        mine = clusters.numpy() == cluster
        assert np.corrcoef(later[mine], places[mine])[0, 1] > 0.8


def test_a_series_ends_tell_what_lies_outside():
    series = torch.full((4, 1, 1, 9), 5.0)
    series[..., 0], series[..., -1] = 1.0, 1.0
    assert background_of(series).tolist() == [1.0]


def test_the_encoder_of_a_series_sees_where_in_time_something_lies():
    form = Form(shape=(1, 64, 1), num_clusters=1, width=4, num_features=8, hidden=4, transformations=("time_warp",))
    network = DTI(form, prototypes=torch.zeros(1, 1, 1, 1, 64), rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.last_layer("time_warp")[0].normal_(generator=torch.Generator().manual_seed(1))
    spikes = torch.eye(64).reshape(64, 1, 1, 64)[4:60:4]  # one in each sixteenth
    told = network.offsets(spikes, stage=1)[0][0, 0]
    assert len(torch.unique(told, dim=0)) == len(spikes)
