"""Oriented gradients of bars and steps, as they are counted by hand, and the two detectors that see through them."""

import pytest
import torch

from mintmark.anomaly import gradient_nearest, gradient_residual, nearest, pca
from mintmark.anomaly.gradients import DIRECTIONS, gradients
from mintmark.data.images import ImageSet, to_unit
from mintmark.errors import BadInput

SIDE = 18  # two pixels from place to place


def maps(images: torch.Tensor) -> torch.Tensor:
    return gradients(images).unflatten(1, (DIRECTIONS, 9, -1))


def step_to_the_right(height: int = SIDE) -> torch.Tensor:
    image = torch.full((1, 1, height, SIDE), -1.0)
    image[..., SIDE // 2 :] = 1.0
    return image


def test_an_even_image_has_no_gradients():
    assert gradients(torch.full((2, 3, 8, 8), 0.4)).max() < 1e-3


def test_a_step_is_seen_by_the_directions_in_which_it_rises_by_their_cosine():
    found = maps(step_to_the_right())[0, :, 4].square().sum(dim=1)
    expected = torch.linspace(0, 2 * torch.pi, DIRECTIONS + 1)[:-1].cos().clamp_min(0)
    torch.testing.assert_close(found / found[0], expected, atol=1e-5, rtol=0)


def test_a_step_is_strongest_where_it_is_and_as_strong_as_it_is_high():
    """Sobel's filter gives half the step at the two pixels beside it: the blurred whole is 2 along each row."""
    right = maps(step_to_the_right())[0, 0]
    assert int(right[4].argmax()) in {4, 5}
    assert (2 * right[4].square().sum()).item() == pytest.approx(2.0, abs=0.05)  # every other pixel


def test_turning_an_image_turns_its_gradients():
    image = torch.rand(
        1, 1, 17, 17, generator=torch.Generator().manual_seed(0)
    )  # odd: places lie evenly about the middle
    found, turned = (maps(one)[0] for one in (image, image.rot90(1, dims=(2, 3))))
    back = turned.roll(DIRECTIONS // 4, dims=0).rot90(-1, dims=(1, 2))
    torch.testing.assert_close(back, found, atol=1e-5, rtol=1e-4)


def test_channels_add_up_and_other_shapes_than_squares_do():
    grey = torch.rand(2, 1, 9, 14, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(gradients(grey.expand(-1, 3, -1, -1)).square(), 3 * gradients(grey).square())


def test_what_is_moved_by_a_pixel_moves_less_among_gradients_than_among_pixels(digits: ImageSet):
    images = to_unit(digits.images[:100])
    moved = images.roll(1, dims=3)

    def share(features: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        return (features - moved).norm(dim=1).mean() / torch.cdist(features, features).mean()

    assert share(gradients(images), gradients(moved)) < 0.9 * share(images.flatten(1), moved.flatten(1))


def test_the_detectors_are_the_plane_and_the_neighbours_of_gradients(zeros):
    rows, judged = (gradients(one)[:, None, None] for one in (zeros.normals, zeros.anomalies))
    plane = gradient_residual.fit(zeros.normals, num_components=6)
    torch.testing.assert_close(plane.score(zeros.anomalies), pca.fit(rows, num_components=6).score(judged))
    neighbours = gradient_nearest.fit(zeros.normals, num_neighbours=3)
    torch.testing.assert_close(neighbours.score(zeros.anomalies), nearest.fit(rows, num_neighbours=3).score(judged))


def test_the_nearest_is_explained_by_normals(zeros):
    explanation = gradient_nearest.fit(zeros.normals, num_neighbours=1).explain(zeros.normals[:5])
    assert torch.equal(explanation.reconstruction, zeros.normals[:5])
    explanation = gradient_residual.fit(zeros.normals, num_components=40).explain(zeros.normals[:5])
    assert torch.equal(explanation.reconstruction, zeros.normals[:5])


def test_too_many_neighbours_are_refused(zeros):
    with pytest.raises(BadInput, match="num_neighbours: expected 1 to 120, the number of normals, got 121"):
        gradient_nearest.fit(zeros.normals, num_neighbours=121)
