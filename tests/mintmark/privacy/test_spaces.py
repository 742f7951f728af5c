"""Spaces of an attacker: whitened components agree with scikit-learn's, and features are of a network of their own."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import pixels
from mintmark.privacy.spaces import NUM_COMPONENTS, open_spaces

RECIPE = Recipe(steps=5, batch_size=16, learning_rate=5e-3, weight_decay=0.0, width=4)


def test_components_are_those_of_a_principal_component_analysis(digits: ImageSet):
    spaces = open_spaces(digits.take(np.arange(300)), recipe=RECIPE, seed=0)
    rows = pixels(digits.images[300:350])
    peer = PCA(n_components=NUM_COMPONENTS, whiten=True, svd_solver="full").fit(pixels(digits.images[:300]).numpy())
    assert spaces.components(rows).abs().numpy() == pytest.approx(np.abs(peer.transform(rows.numpy())), abs=1e-3)


def test_directions_without_variance_are_left_out(toy_images):
    few = toy_images(num=6)
    assert open_spaces(few, recipe=RECIPE, seed=0).axes.shape == (64, 5)


def test_features_see_grey_levels_and_nothing_finer(digits: ImageSet):
    spaces = open_spaces(digits.take(np.arange(100)), recipe=RECIPE, seed=0)
    rows = pixels(digits.images[:10])
    assert spaces.features(rows + 0.001).equal(spaces.features(rows))
    assert not spaces.features(rows.flip(1)).equal(spaces.features(rows))


def test_one_class_alone_teaches_no_features(digits: ImageSet):
    spaces = open_spaces(digits.take(digits.codes == 0), recipe=RECIPE, seed=0)
    assert spaces.network is None
    with pytest.raises(ValueError, match="must hold a network"):
        spaces.features(torch.zeros(1, 64))
