"""Two real processes under torchrun against one; and, without any process, who draws which rows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mintmark.errors import BadInput
from mintmark.gan.augmentation import Augmentation, augment
from mintmark.gan.batches import BalancedSampler
from mintmark.gan.parallel import ALONE, Group
from mintmark.gan.training import train

ROOT = Path(__file__).resolve().parents[3]
GROUPS = [Group(rank=rank, size=3) for rank in range(3)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes found; a distance is a share of the way that the weights went, after 1 and after 20 steps."""
    path = tmp_path_factory.mktemp("parallel") / "found.json"
    script = Path(__file__).with_name("two_processes.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(script), str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(path.read_text())


@pytest.mark.pipeline
def test_two_processes_take_the_steps_of_one(measured):
    """Up to rounding: in double precision nothing else is left, so all losses, penalties and draws are shared right."""
    assert measured["size"] == 2
    compared = {name: max(distance) for name, distance in measured.items() if name.startswith("float64_")}
    assert len(compared) == 6
    assert max(compared.values()) < 1e-8, compared


@pytest.mark.pipeline
def test_in_single_precision_they_agree_within_the_stated_tolerance(measured):
    one_step, twenty_steps = measured["non_saturating"]
    assert one_step < 1e-5
    assert twenty_steps < 1e-4
    assert measured["first_gradient"] < 2e-5
    assert max(measured["float32"]) < 0.03  # Adam makes whole steps of rounding, where a gradient is nearly zero


@pytest.mark.pipeline
@pytest.mark.parametrize("broken", ["without_average", "without_gather"])
def test_the_comparison_notices_what_is_not_shared(measured, broken):
    assert min(measured[f"float32_{broken}"]) > 0.1


@pytest.mark.pipeline
def test_the_processes_hold_the_same_bits_and_stop_together(measured):
    assert measured["same_everywhere"]
    assert measured["both_stop"]
    assert measured["both_refuse"]


def test_a_batch_that_cannot_be_shared_out_is_refused(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    steps = train(images, codes, config=tiny_config(batch_size=12), seed=0, group=Group(rank=0, size=5))
    with pytest.raises(BadInput, match="batch_size must be a multiple of the 5 processes, got 12"):
        next(steps)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def interleaved(parts: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(parts, dim=1).flatten(0, 1)


def test_alone_every_row_is_mine():
    rows = torch.arange(6)
    assert torch.equal(ALONE.mine(rows), rows)
    assert ALONE.gather(rows) is rows
    assert ALONE.leads


def test_the_processes_share_out_one_batch(toy_images):
    images, codes = toy_images().tensors()
    sampler = BalancedSampler(images, codes, 3)
    whole = sampler.draw(12, rng=seeded())
    parts = [sampler.draw(12, rng=seeded(), group=group) for group in GROUPS]
    assert torch.equal(interleaved([part.images for part in parts]), whole.images)
    assert torch.equal(interleaved([part.codes for part in parts]), whole.codes)


def test_each_process_augments_its_rows_as_one_would_and_draws_as_much():
    images = torch.rand((24, 3, 8, 8), generator=torch.Generator().manual_seed(1)) * 2 - 1
    strong = Augmentation(translation=0.25, cutout=0.5, colour=0.5)
    rng = seeded()
    whole = augment(images, strong, rng=rng)
    for group in GROUPS:
        own = seeded()
        assert torch.equal(augment(group.mine(images), strong, rng=own, group=group), group.mine(whole))
        assert torch.equal(own.get_state(), rng.get_state())
