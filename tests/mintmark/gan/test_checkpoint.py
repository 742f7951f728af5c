import itertools

import pytest
import torch

from mintmark import weights
from mintmark.errors import BadInput
from mintmark.gan import checkpoint
from mintmark.gan.state import initial_state
from mintmark.gan.training import train

HISTORY = torch.tensor([[1.0, 0.1 + 0.2], [2.0, 1 / 3]], dtype=torch.float64)


def fresh(config, seed=0):
    return initial_state((8, 8, 1), num_classes=3, config=config, seed=seed, device=torch.device("cpu"))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("steps_before", [0, 1, 5])
def test_a_restored_training_ends_at_the_same_bits(tmp_path, toy_images, tiny_config, precision, steps_before):
    images, codes = toy_images().tensors()
    config, path = tiny_config(precision=precision), tmp_path / "key" / "checkpoint.safetensors"
    state = fresh(config)
    steps = train(images, codes, config=config, seed=0, state=state)
    for _ in itertools.islice(steps, steps_before):
        pass
    checkpoint.save(path, state, HISTORY)
    restored = fresh(config, seed=7)
    assert torch.equal(checkpoint.restore(path, restored), HISTORY)
    again = train(images, codes, config=config, seed=7, state=restored)
    for one, other in itertools.islice(zip(steps, again, strict=False), 4):
        assert (one.number, one.generator_loss, one.penalty) == (other.number, other.generator_loss, other.penalty)
    for name in ("generator", "discriminator", "average"):
        pairs = zip(getattr(state, name).parameters(), getattr(restored, name).parameters(), strict=True)
        assert all(torch.equal(left, right) for left, right in pairs)


def test_saving_replaces_the_last_checkpoint_and_leaves_nothing_else(tmp_path, tiny_config):
    state, path = fresh(tiny_config()), tmp_path / "key" / "checkpoint.safetensors"
    checkpoint.save(path, state, HISTORY[:1])
    checkpoint.save(path, state, HISTORY)
    assert [one.name for one in path.parent.iterdir()] == ["checkpoint.safetensors"]
    assert len(checkpoint.restore(path, state)) == 2


def test_another_file_is_no_checkpoint(tmp_path, tiny_config):
    path = tmp_path / "other.safetensors"
    weights.save(path, {"a": torch.zeros(1)}, {"kind": "other"})
    with pytest.raises(BadInput, match=r"other\.safetensors: expected a checkpoint of this recipe"):
        checkpoint.restore(path, fresh(tiny_config()))
