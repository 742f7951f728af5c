"""Heat maps of pictures of any size, from a detector of patches that has seen good pictures alone.

Patches of all places are one kind to it: it serves surfaces and repeated parts, and does not know where in a picture
something belongs. A picture scores as its worst patch does. Which detector is used may be chosen on good pictures that
hold a spot spoilt on purpose; no real fault is needed, and none is seen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch.nn import functional

from mintmark.anomaly import memory, nearest, pca
from mintmark.anomaly.corruptions import corrupt
from mintmark.anomaly.descent import Training
from mintmark.anomaly.detector import Detector
from mintmark.anomaly.patches import Patching, cut, stitch
from mintmark.data.images import to_unit
from mintmark.data.pictures import Picture
from mintmark.errors import BadInput
from mintmark.intervals import auc
from mintmark.progress import track

MOST_PATCHES = 10_000  # that a detector is fitted on, at random
BLOCK_PATCHES = 1024  # of a picture, that are looked at together
LEAST_PICTURES = 2
COMPONENTS = 32
PASTE = "paste"
SPOTS: Mapping[str, float] = {PASTE: 1.0, "erase_block": 1.0, "shuffle_pixels": 0.5, "add_noise": 0.2, "invert": 0.5}
SPOT = 0.5  # of the side of a patch
NEIGHBOURHOOD = 0.25  # of the side of a patch: over which heat is averaged, as single pixels are noisy

Patches = Float[torch.Tensor, "patches channels side side"]


class Heat(NamedTuple):
    """How hot a picture is.

    Attributes:
        map: Of each pixel, 0 or more: how far it lies from what the detector expected, in units of [-1, 1], averaged
            over its neighbourhood.
        score: The detector's, of the worst patch.
    """

    map: Float[torch.Tensor, "_height _width"]
    score: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeatMapper:
    """A detector of patches, how pictures are cut for it, and how many channels they must have."""

    detector: Detector
    patching: Patching
    channels: int

    def heat(self, picture: Picture) -> Heat:
        """Where a picture differs from the good ones.

        Raises:
            BadInput: it is smaller than a patch, or has other channels.
        """
        pixels, (height, width) = to_unit(picture[None])[0], picture.shape[:2]
        worst = 0.0

        def residuals() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            nonlocal worst
            for corners in self.patching.corners(height, width).split(BLOCK_PATCHES):
                patches = cut(pixels, corners, side=self.patching.side)
                worst = max(worst, self.detector.score(patches).max().item())
                yield self.detector.explain(patches).residual, corners

        stitched = stitch(residuals(), height=height, width=width)
        return Heat(averaged(stitched, side=round(NEIGHBOURHOOD * self.patching.side)), worst)


def averaged(heat: Float[torch.Tensor, "height width"], *, side: int) -> Float[torch.Tensor, "height width"]:
    """The mean over a square about each pixel, of a side that is made odd; beyond the border there is nothing."""
    reach = side // 2
    return functional.avg_pool2d(heat[None, None], 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)[
        0, 0
    ]


def _pca(patches: Patches, _seed: int) -> Detector:
    most = min(len(patches) - 1, patches[0].numel() - 1)
    return pca.fit(patches, num_components=max(1, min(COMPONENTS, most)))


def _nearest(patches: Patches, _seed: int) -> Detector:
    return nearest.fit(patches, num_neighbours=1)


def _memory(patches: Patches, seed: int) -> Detector:
    training = Training(steps=300, batch_size=64, learning_rate=3e-3, weight_decay=0.0)
    return memory.fit(patches, width=16, memory_size=2000, place_weight=0.0, training=training, seed=seed)


KINDS: Mapping[str, Callable[[Patches, int], Detector]] = {"pca": _pca, "nearest": _nearest, "memory": _memory}
CHOICES = ("pca", "nearest")  # the memory takes many times as long, and was never the best where it was tried


def fit(good: Sequence[Picture], *, kind: str, patching: Patching, seed: int) -> HeatMapper:
    """A detector of one kind, fitted on patches of good pictures.

    Args:
        good: All with the same channels, of any sizes.
        kind: One of `KINDS`.
        patching: How they, and later ones, are cut.
        seed: Which patches are taken, where they are too many, and of the detector.

    Raises:
        BadInput: there are fewer than two pictures, or one is smaller than a patch.
    """
    if len(good) < LEAST_PICTURES:
        raise BadInput(f"good: expected at least {LEAST_PICTURES} pictures, got {len(good)}")
    rng = np.random.default_rng(seed)
    corners = [patching.corners(*picture.shape[:2]) for picture in good]
    taken = rng.permutation(sum(len(some) for some in corners))[:MOST_PATCHES]
    parts, first = [], 0
    for picture, some in zip(good, corners, strict=True):
        rows = np.sort(taken[(taken >= first) & (taken < first + len(some))]) - first
        first += len(some)
        if len(rows):
            parts.append(cut(to_unit(picture[None])[0], some[torch.from_numpy(rows)], side=patching.side))
    return HeatMapper(detector=KINDS[kind](torch.cat(parts), seed), patching=patching, channels=good[0].shape[2])


def choose(
    good: Sequence[Picture], *, patching: Patching, kinds: Sequence[str], seed: int
) -> tuple[str, dict[str, float]]:
    """The kind whose heat is best at spots spoilt on purpose in good pictures, and what each kind came to.

    Each kind is fitted on every other picture. Of the rest, each is scored as it is and with each spot. What counts is
    the mean of two AUROCs: of spoilt against untouched pictures, and of pixels in the spot against those beside it.

    Raises:
        BadInput: there are fewer than four pictures, or one is smaller than a patch.
    """
    if len(good) < 2 * LEAST_PICTURES:
        raise BadInput(f"good: expected at least {2 * LEAST_PICTURES} pictures to choose with, got {len(good)}")
    rng, side = np.random.default_rng(seed), max(1, round(SPOT * patching.side))
    spoilt = [spoil(picture, name=name, side=side, rng=rng) for picture in good[1::2] for name in SPOTS]
    found = {
        kind: _merit(fit(good[::2], kind=kind, patching=patching, seed=seed), good[1::2], spoilt)
        for kind in track(kinds, "choice")
    }
    return max(found, key=lambda kind: found[kind]), found


class Spoilt(NamedTuple):
    """A picture with a spot, and where that is."""

    picture: Picture
    inside: np.ndarray


def spoil(picture: Picture, *, name: str, side: int, rng: np.random.Generator) -> Spoilt:
    """A square somewhere takes what is elsewhere, turned by half (CutPaste, Li et al. 2021), or is corrupted."""
    height, width = picture.shape[:2]
    (top, above), (left, beside) = (rng.integers(0, length - side + 1, 2) for length in (height, width))
    where = np.s_[top : top + side, left : left + side]
    changed, inside = picture.copy(), np.zeros((height, width), bool)
    if name == PASTE:
        changed[where] = picture[above : above + side, beside : beside + side][::-1, ::-1]
    else:
        changed[where] = corrupt(picture[where][None], name=name, strength=SPOTS[name], rng=rng)[0]
    inside[where] = True
    return Spoilt(changed, inside)


def _merit(mapper: HeatMapper, good: Sequence[Picture], spoilt: Sequence[Spoilt]) -> float:
    untouched = np.array([mapper.heat(picture).score for picture in good])
    found = [mapper.heat(one.picture) for one in spoilt]
    of_pictures = auc(np.array([one.score for one in found]), untouched)
    of_pixels = [
        auc(heat.map.numpy()[one.inside], heat.map.numpy()[~one.inside])
        for heat, one in zip(found, spoilt, strict=True)
    ]
    return (of_pictures + float(np.mean(of_pixels))) / 2
