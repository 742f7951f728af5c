"""Heat maps: the fault is hot, the rest is not; which kind is chosen is told by spots spoilt on purpose."""

import numpy as np
import pytest
import torch

from mintmark.anomaly import heatmaps
from mintmark.anomaly.heatmaps import KINDS, averaged, choose, fit, spoil
from mintmark.anomaly.patches import Patching
from mintmark.errors import BadInput

PATCHING = Patching(side=8, stride=4)


def waves(num: int, *, channels: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Surfaces of one kind and of many sizes."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(num):
        height, width = rng.integers(24, 40, 2)
        rows, columns = np.mgrid[:height, :width]
        grey = 120 + 60 * np.sin(rows / 2 + rng.random() * 6) + 30 * np.sin(columns / 3 + rng.random() * 6)
        grey = grey + rng.normal(0, 4, (height, width))
        made.append(np.repeat(grey.clip(0, 255).astype(np.uint8)[:, :, None], channels, axis=2))
    return made


def with_fault(picture: np.ndarray) -> np.ndarray:
    faulty = picture.copy()
    faulty[10:16, 5:11] = 255 - faulty[10:16, 5:11]
    return faulty


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_fault_is_the_hottest_place(kind: str, channels: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heatmaps, "MOST_PATCHES", 300)
    mapper = fit(waves(8, channels=channels), kind=kind, patching=PATCHING, seed=0)
    assert mapper.channels == channels
    picture = waves(1, channels=channels, seed=9)[0]
    untouched, faulty = (mapper.heat(one) for one in (picture, with_fault(picture)))
    assert faulty.score > untouched.score
    assert faulty.map.shape == picture.shape[:2]
    inside = torch.zeros(picture.shape[:2], dtype=torch.bool)
    inside[10:16, 5:11] = True
    assert faulty.map[inside].mean() > 3 * faulty.map[~inside].mean()


def test_the_score_is_that_of_the_worst_patch():
    mapper = fit(waves(4), kind="pca", patching=PATCHING, seed=0)
    picture = with_fault(waves(1, seed=9)[0])
    height, width = picture.shape[:2]
    pixels = torch.from_numpy(picture[None, :, :, 0].astype(np.float32)) / 127.5 - 1
    patches = [pixels[:, top : top + 8, left : left + 8] for top, left in PATCHING.corners(height, width).tolist()]
    scores = mapper.detector.score(torch.stack(patches))
    assert mapper.heat(picture).score == pytest.approx(scores.max().item(), rel=1e-5)


def test_how_many_patches_are_looked_at_together_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    mapper = fit(waves(4), kind="pca", patching=PATCHING, seed=0)
    picture = with_fault(waves(1, seed=9)[0])
    whole = mapper.heat(picture)
    monkeypatch.setattr(heatmaps, "BLOCK_PATCHES", 5)
    parts = mapper.heat(picture)
    assert parts.score == pytest.approx(whole.score, rel=1e-5)
    torch.testing.assert_close(parts.map, whole.map, rtol=1e-4, atol=1e-5)


def test_good_pictures_that_are_remembered_are_cold():
    """The nearest of all patches is each itself."""
    pictures = waves(3)
    mapper = fit(pictures, kind="nearest", patching=PATCHING, seed=0)
    for picture in pictures:
        heat = mapper.heat(picture)
        assert heat.score == 0
        assert heat.map.max() == 0


def test_patches_beyond_the_most_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heatmaps, "MOST_PATCHES", 50)
    mapper = fit(waves(3), kind="nearest", patching=PATCHING, seed=0)
    assert len(mapper.detector.normals) == 50  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("side", [1, 2, 3])
def test_averaging_leaves_a_constant_and_spreads_a_point(side: int):
    flat = torch.full((5, 6), 0.3)
    torch.testing.assert_close(averaged(flat, side=side), flat)
    point = torch.zeros(9, 9)
    point[4, 4] = 1.0
    reach = side // 2
    assert averaged(point, side=side)[4, 4].item() == pytest.approx(1 / (2 * reach + 1) ** 2)


@pytest.mark.parametrize("name", heatmaps.SPOTS)
def test_a_spot_changes_its_place_alone(name: str):
    picture = waves(1, channels=3)[0]
    spoilt = spoil(picture, name=name, side=6, rng=np.random.default_rng(0))
    assert spoilt.inside.sum() == 36
    changed = (spoilt.picture != picture).any(axis=2)
    assert changed.any()
    assert not changed[~spoilt.inside].any()


def test_the_choice_tells_a_kind_that_sees_nothing(monkeypatch: pytest.MonkeyPatch):
    """A detector whose heat is the same everywhere has half of both areas, and is not chosen."""

    class Blind:
        def __init__(self, patches, _seed):
            self.kind = "blind"

        def score(self, patches):
            return torch.zeros(len(patches))

        def explain(self, patches):
            return heatmaps.pca.fit(patches, num_components=1).explain(patches)._replace(residual=patches[:, 0] * 0)

    monkeypatch.setattr(heatmaps, "KINDS", {"blind": Blind, "pca": KINDS["pca"]})
    kind, merits = choose(waves(8), patching=PATCHING, kinds=("blind", "pca"), seed=0)
    assert kind == "pca"
    assert merits["blind"] == 0.5
    assert merits["pca"] > 0.8


def test_the_seed_decides():
    pictures, picture = waves(4), with_fault(waves(1, seed=9)[0])
    first, again = (fit(pictures, kind="pca", patching=PATCHING, seed=0).heat(picture) for _ in range(2))
    assert torch.equal(first.map, again.map)


def test_bad_input_is_refused():
    with pytest.raises(BadInput, match="good: expected at least 2 pictures, got 1"):
        fit(waves(1), kind="pca", patching=PATCHING, seed=0)
    with pytest.raises(BadInput, match="good: expected at least 4 pictures to choose with, got 3"):
        choose(waves(3), patching=PATCHING, kinds=("pca",), seed=0)
    with pytest.raises(BadInput, match="picture: expected at least 50 x 50, a patch"):
        fit(waves(2), kind="pca", patching=Patching(side=50, stride=25), seed=0)
    mapper = fit(waves(2), kind="pca", patching=PATCHING, seed=0)
    with pytest.raises(BadInput, match="channels"):
        mapper.heat(waves(1, channels=3)[0])
