"""A clustering asked, and rebuilt from its file alone."""

import pytest
import torch

from mintmark import weights
from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.model import TransformedClusters, background_of, load_clusters, save_clusters
from mintmark.errors import BadInput

SIDE = 8


def make(prototypes, *, background=0.0, moved=0.0, transformations=("affine",)):
    rng = torch.Generator().manual_seed(0)
    form = Form(
        shape=(SIDE, SIDE, 1),
        num_clusters=len(prototypes),
        width=2,
        num_features=4,
        hidden=3,
        transformations=transformations,
    )
    network = DTI(form, prototypes=prototypes[None], rng=rng)
    with torch.no_grad():
        for name in transformations:
            weight, _ = network.last_layer(name)
            weight.add_(moved * torch.randn(weight.shape, generator=rng))
    return TransformedClusters(network=network, background=torch.tensor([background]))


def images(num, *, seed=1):
    return torch.rand(num, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(
    "transformations", [("affine",), ("morphological", "colour", "thin_plate_spline", "projective")]
)
def test_saved_clusters_answer_the_same_after_loading(tmp_path, transformations):
    clusters = make(images(3), background=-0.5, moved=0.2, transformations=transformations)
    seen = images(7, seed=2)
    save_clusters(tmp_path / "prototypes.safetensors", clusters, facts={"records": [3, 2, 2]})
    loaded, facts = load_clusters(tmp_path / "prototypes.safetensors")
    assert facts == {"records": [3, 2, 2]}
    assert torch.equal(loaded.prototypes, clusters.prototypes)
    before, after = clusters.assign(seen), loaded.assign(seen)
    assert torch.equal(before.clusters, after.clusters)
    assert torch.equal(before.distances, after.distances)
    assert torch.equal(loaded.align(seen, after.clusters), clusters.align(seen, before.clusters))


def test_file_from_before_there_was_a_choice_of_transformations_is_affine(tmp_path):
    clusters, seen = make(images(3), moved=0.2), images(7, seed=2)
    save_clusters(tmp_path / "new.safetensors", clusters, facts={})
    tensors, metadata = weights.load(tmp_path / "new.safetensors")
    assert metadata["form"].pop("transformations") == ["affine"]
    weights.save(tmp_path / "old.safetensors", tensors, metadata)
    loaded, _ = load_clusters(tmp_path / "old.safetensors")
    assert torch.equal(loaded.assign(seen).distances, clusters.assign(seen).distances)


def test_file_of_another_model_is_refused(tmp_path):
    weights.save(tmp_path / "other.safetensors", {"weight": torch.zeros(1)}, {"model": "gan"})
    with pytest.raises(BadInput, match="expected a model 'dti', got 'gan'"):
        load_clusters(tmp_path / "other.safetensors")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="expected a safetensors file"):
        load_clusters(tmp_path / "none.safetensors")


def test_prototypes_are_their_own_nearest_records_whatever_the_background():
    clusters = make(images(4) - 0.3, background=0.3)
    assigned = clusters.assign(clusters.prototypes)
    assert assigned.clusters.tolist() == [0, 1, 2, 3]
    assert assigned.distances.max().item() == pytest.approx(0.0, abs=1e-9)


def test_assigning_in_blocks_changes_nothing(monkeypatch):
    clusters, seen = make(images(3), moved=0.2), images(7, seed=2)
    whole = clusters.assign(seen)
    monkeypatch.setattr("mintmark.cluster.model.BLOCK_ELEMENTS", 2 * clusters.prototypes.numel())
    parts = clusters.assign(seen)
    assert torch.equal(parts.clusters, whole.clusters)
    assert torch.allclose(parts.distances, whole.distances, atol=1e-6)


def test_no_images_are_aligned_to_none():
    aligned = make(images(2)).align(images(0), torch.zeros(0, dtype=torch.int64))
    assert aligned.shape == (0, 1, SIDE, SIDE)


def test_align_undoes_the_shift_that_the_cluster_predicts():
    prototype = torch.zeros(1, 1, SIDE, SIDE)
    prototype[0, 0, 3:5, 3:5] = 1.0  # above the background of -1
    clusters = make(prototype, background=-1.0)
    with torch.no_grad():
        clusters.network.last_layer("affine")[1][0, 0, 0, 2] = 2 * 2 / SIDE  # read two pixels to the right
    shifted = torch.full((1, 1, SIDE, SIDE), -1.0)
    shifted[0, 0, 3:5, 1:3] = 0.0
    assert clusters.assign(shifted).distances.item() == pytest.approx(0.0, abs=1e-9)
    assert torch.allclose(clusters.align(shifted, torch.tensor([0])), clusters.prototypes, atol=1e-5)


def test_align_undoes_transformations_from_the_last_to_the_first():
    prototype = torch.zeros(1, 1, SIDE, SIDE)
    prototype[0, 0, 3:5, 3:5] = 1.0  # above the background of -1
    clusters = make(prototype, background=-1.0, transformations=("affine", "colour"))
    with torch.no_grad():
        clusters.network.last_layer("affine")[1][0, 0, 0, 2] = 2 * 2 / SIDE  # read two pixels to the right
        clusters.network.last_layer("colour")[1][0, 0, 0] = torch.tensor([-0.5, 0.25])  # half of it, and a quarter more
    shown = torch.full((1, 1, SIDE, SIDE), -0.75)
    shown[0, 0, 3:5, 1:3] = -0.25
    assert clusters.assign(shown).distances.item() == pytest.approx(0.0, abs=1e-9)
    assert torch.allclose(clusters.align(shown, torch.tensor([0])), clusters.prototypes, atol=1e-5)


def test_background_is_the_median_of_the_frame_of_each_channel():
    seen = torch.zeros(2, 2, 4, 4)
    seen[:, 0, 1:3, 1:3] = 9.0  # inside: does not count
    seen[:, 1] = 0.25
    seen[0, 1, 0] = 5.0  # part of the frame of one image: outvoted
    assert background_of(seen).tolist() == [0.0, 0.25]
