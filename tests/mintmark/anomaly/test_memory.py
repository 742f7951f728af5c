"""The memory of patches: its score against brute force, its pictures, and that it ranks real digits."""

import pytest
import torch
from torch.nn import functional

from mintmark.anomaly.descent import Training
from mintmark.anomaly.memory import PatchMemory, _cells, _joined, fit
from mintmark.errors import BadInput

TRAINING = Training(steps=60, batch_size=40, learning_rate=5e-3, weight_decay=0.0)


def fitted(normals: torch.Tensor, *, memory_size: int = 300, place_weight: float = 1.0, seed: int = 0) -> PatchMemory:
    return fit(normals, width=16, memory_size=memory_size, place_weight=place_weight, training=TRAINING, seed=seed)


@pytest.fixture(scope="module")
def detector(zeros) -> PatchMemory:
    return fitted(zeros.normals)


def test_other_digits_score_above_held_out_ones_of_the_class(detector, zeros):
    assert zeros.auroc(detector) > 0.9


def test_the_score_is_found_by_brute_force(detector, zeros):
    """Place by place, in plain loops over the map of an image: of 16 patches, the newest 5."""
    image = zeros.anomalies[:1]
    maps = detector.network.maps(image)[0]
    _, rows, columns = maps.shape
    distances = []
    for row in range(rows):
        for column in range(columns):
            around = maps[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean(dim=(1, 2))
            place = torch.tensor([row / (rows - 1), column / (columns - 1)])
            patch = torch.cat([around / detector.scale, place])
            distances.append((detector.patches - patch).norm(dim=1).min())
    torch.testing.assert_close(
        detector.score(image)[0], torch.stack(distances).sort().values[-5:].mean(), rtol=1e-4, atol=1e-5
    )


def test_features_vary_by_one_in_sum_over_the_normals(zeros):
    everything = fitted(zeros.normals, memory_size=10**6)
    assert len(everything.patches) == 120 * 16
    assert everything.patches[:, :-2].var(dim=0).sum().item() == pytest.approx(1, rel=1e-3)


def test_a_memory_of_everything_knows_the_normals_and_draws_them(zeros):
    everything = fitted(zeros.normals, memory_size=10**6)
    assert everything.score(zeros.normals).max() < 1e-4
    torch.testing.assert_close(everything.explain(zeros.normals).reconstruction, zeros.normals)
    assert everything.score(zeros.held_out).min() > 0


def test_a_coreset_leaves_no_normal_patch_far_away(detector, zeros):
    everything = fitted(zeros.normals, memory_size=10**6)
    rows = torch.randperm(len(everything.patches), generator=torch.Generator().manual_seed(0))[:300]
    farthest, of_random = (
        torch.cdist(everything.patches, kept).min(dim=1).values.max()
        for kept in (detector.patches, everything.patches[rows])
    )
    assert farthest < of_random


def test_what_is_explained_lies_nearer_to_the_normals(detector, zeros):
    explanation = detector.explain(zeros.anomalies)
    torch.testing.assert_close(explanation.residual, (zeros.anomalies - explanation.reconstruction).abs()[:, 0])
    of_images, of_pictures = (
        torch.cdist(some.flatten(1), zeros.normals.flatten(1)).min(dim=1).values.mean()
        for some in (zeros.anomalies, explanation.reconstruction)
    )
    assert of_pictures < of_images


@pytest.mark.parametrize(("height", "width", "cell"), [(8, 8, (2, 2)), (9, 10, (2, 4)), (5, 7, (1, 1))])
def test_cells_join_to_the_image_they_were_cut_from(height: int, width: int, cell: tuple[int, int]):
    images = torch.rand(3, 2, height, width, generator=torch.Generator().manual_seed(0))
    cells = _cells(images, cell)
    assert torch.equal(cells[0], images[0, :, : cell[0], : cell[1]])
    assert torch.equal(_joined(cells, images), images)
    assert functional.unfold(images[:, :, :4, :4], cell, stride=cell).shape[1] == cells[0].numel()


def test_a_score_does_not_depend_on_what_is_scored_beside_it(detector, zeros):
    together = detector.score(zeros.anomalies)
    apart = torch.cat([detector.score(some) for some in zeros.anomalies.split([1, 7, 292])])
    torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-6)
    assert detector.score(zeros.anomalies[:0]).shape == (0,)
    assert detector.explain(zeros.anomalies[:0]).residual.shape == (0, 8, 8)


def test_the_same_seed_gives_the_same_scores_and_another_one_others(detector, zeros):
    assert torch.equal(fitted(zeros.normals).score(zeros.anomalies), detector.score(zeros.anomalies))
    assert not torch.equal(fitted(zeros.normals, seed=1).score(zeros.anomalies), detector.score(zeros.anomalies))


def test_normals_that_are_all_alike_are_remembered(zeros):
    detector = fitted(zeros.normals[:1].expand(4, -1, -1, -1), memory_size=8)
    assert detector.score(zeros.anomalies).isfinite().all()


def test_bad_input_is_refused(detector, zeros):
    for ask in (detector.score, detector.explain):
        with pytest.raises(BadInput, match=r"\(8, 8, 1\), the normals', got \(9, 8, 1\)"):
            ask(torch.zeros(2, 1, 9, 8))
    with pytest.raises(BadInput, match="normals: expected at least 2, got 1"):
        fitted(zeros.normals[:1])
    with pytest.raises(BadInput, match="memory_size: expected at least 1, got 0"):
        fitted(zeros.normals, memory_size=0)
    with pytest.raises(BadInput, match="place_weight: expected 0 or more, got -1"):
        fitted(zeros.normals, place_weight=-1.0)
