"""Nearest images over poses, against the plain definition pair by pair."""

import numpy as np
import pytest

from mintmark.fidelity.poses import PLAIN, Poses, nearest_posed


def posed_distance(query: np.ndarray, reference: np.ndarray, poses: Poses) -> float:
    """The definition, pixel by pixel: the root of the mean square over what both cover, times all pixels."""
    height, width, _ = query.shape
    best = np.inf
    for down, right, mirrored in poses:
        image = query[:, ::-1] if mirrored else query
        squares = [
            (int(image[y, x, 0]) - int(reference[y - down, x - right, 0])) ** 2
            for y in range(height)
            for x in range(width)
            if 0 <= y - down < height and 0 <= x - right < width
        ]
        best = min(best, (np.mean(squares) * height * width) ** 0.5 / 255)
    return float(best)


@pytest.mark.parametrize("poses", [PLAIN, Poses(flip=True), Poses(shifts=1), Poses(shifts=2, flip=True)])
def test_distances_and_neighbours_are_those_of_the_definition(poses: Poses):
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 5, 1)).astype(np.uint8)
    queries, reference = images[:5], images[5:]
    expected = np.array([[posed_distance(one, other, poses) for other in reference] for one in queries])
    found = nearest_posed(queries, reference, poses=poses, k=3)
    assert found.distances.numpy() == pytest.approx(np.sort(expected, axis=1)[:, :3], rel=1e-5)
    assert (found.indices.numpy() == np.argsort(expected, axis=1)[:, :3]).all()


def test_no_image_is_its_own_neighbour_in_any_pose():
    images = np.zeros((3, 4, 4, 1), np.uint8)
    images[1], images[2] = 100, 255  # flat images are themselves in every pose
    found = nearest_posed(images, images, poses=Poses(shifts=1, flip=True), same_set=True)
    assert found.indices[:, 0].tolist() == [1, 0, 1]


def test_poses_are_counted_and_the_plain_one_comes_first():
    assert [len(list(one)) for one in (PLAIN, Poses(shifts=1), Poses(shifts=2, flip=True))] == [1, 9, 50]
    assert tuple(next(iter(Poses(shifts=2, flip=True)))) == (0, 0, False)


def test_a_copy_moved_and_mirrored_lies_at_zero_whatever_fills_its_edge():
    image = np.random.default_rng(0).integers(0, 256, (1, 6, 6, 3)).astype(np.uint8)
    for fill in (0, 99):
        moved = np.full_like(image, fill)
        moved[:, 2:, :-1] = image[:, :-2, 1:]
        assert nearest_posed(moved, image, poses=Poses(shifts=2)).distances.item() == 0
        mirrored = moved[:, :, ::-1]
        assert nearest_posed(mirrored, image, poses=Poses(shifts=2, flip=True)).distances.item() == 0
        assert nearest_posed(mirrored, image, poses=Poses(shifts=2)).distances.item() > 0


def test_impossible_shifts_are_refused():
    with pytest.raises(ValueError, match="shifts"):
        Poses(shifts=-1)
    with pytest.raises(ValueError, match="shifts must be below"):
        nearest_posed(np.zeros((1, 4, 3, 1), np.uint8), np.zeros((1, 4, 3, 1), np.uint8), poses=Poses(shifts=3))
