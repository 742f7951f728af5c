"""Clustered records in their prototypes' frames, as a data set."""

import numpy as np
import torch

from mintmark.cluster.aligned import aligned
from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.model import TransformedClusters
from mintmark.data.images import ImageSet


def test_members_are_carried_back_to_where_their_prototype_lies():
    """Every cluster moves its prototype by a pixel to the right: its members come back by a pixel to the left."""
    prototypes = torch.full((11, 1, 5, 5), -1.0)
    for place, prototype in enumerate(prototypes):
        prototype[0, 1 + place // 3 % 3, 1 + place % 3] = 1.0 - place / 20
    form = Form(shape=(5, 5, 1), num_clusters=11, width=2, num_features=4, hidden=3)
    network = DTI(form, prototypes=prototypes[None] + 1.0, rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.last_layer("affine")[1][..., 2] = -2 / 5
    clusters = TransformedClusters(network=network, background=torch.tensor([-1.0]))
    moved = prototypes.roll(1, dims=3)
    pixels = ((moved + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    records = ImageSet(ids=list("abcdefghijk"), codes=np.full(11, -1), images=pixels, classes=())
    found = aligned(records, clusters, clusters.assign(moved))
    assert found.classes == ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10")
    assert found.codes.tolist() == list(range(11))
    assert found.ids == records.ids
    assert np.abs(found.images.astype(int) - np.roll(pixels, -1, axis=2)).max() <= 1
