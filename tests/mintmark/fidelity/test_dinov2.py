"""The DINOv2 transformer: sized by its file, with and without registers, and by hand where it can be. Tiny weights."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mintmark.errors import BadInput
from mintmark.fidelity.dinov2 import DEVIATION, MEAN, Dinov2, load_dinov2

# Of dinov2_vits14_pretrain.pth.
SMALL = {
    "cls_token": (1, 1, 384),
    "pos_embed": (1, 1370, 384),
    "patch_embed.proj.weight": (384, 3, 14, 14),
    "patch_embed.proj.bias": (384,),
    "blocks.11.norm1.weight": (384,),
    "blocks.11.attn.qkv.weight": (1152, 384),
    "blocks.11.attn.qkv.bias": (1152,),
    "blocks.11.attn.proj.weight": (384, 384),
    "blocks.11.ls1.gamma": (384,),
    "blocks.11.norm2.bias": (384,),
    "blocks.11.mlp.fc1.weight": (1536, 384),
    "blocks.11.mlp.fc2.weight": (384, 1536),
    "blocks.11.ls2.gamma": (384,),
    "norm.weight": (384,),
}


def tensors_of(network: Dinov2) -> dict[str, torch.Tensor]:
    """Random tensors under the published names, with the token of the training that no feature needs."""
    generator = torch.Generator().manual_seed(0)
    found = {name: torch.randn(one.shape, generator=generator) * 0.1 for name, one in network.state_dict().items()}
    return found | {"mask_token": torch.zeros(1, network.num_features)}


def tiny(*, registers: int = 0, positions: int = 25, patch: int = 14) -> Dinov2:
    return Dinov2(width=128, depth=2, patch=patch, positions=positions, hidden=96, registers=registers)


def write(path: Path, network: Dinov2) -> Path:
    torch.save(tensors_of(network), path)
    return path


def images(num: int = 2, side: int = 224) -> torch.Tensor:
    return torch.rand(num, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_names_and_sizes_are_the_published_ones():
    network = Dinov2(width=384, depth=12, patch=14, positions=37 * 37, hidden=1536, registers=0)
    found = network.state_dict()
    assert {name: tuple(found[name].shape) for name in SMALL} == SMALL
    assert len(found) == 4 + 12 * 14 + 2
    assert sum(one.numel() for one in network.parameters()) + 384 == 22_056_576  # with the mask token


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("patch", [14, 32])
def test_size_is_read_off_the_file(tmp_path: Path, registers: int, patch: int):
    network = load_dinov2(write(tmp_path / "weights.pth", tiny(registers=registers, patch=patch)))
    assert (network.num_features, len(network.blocks), network.patch) == (128, 2, patch)
    assert (network.register_tokens is None) == (registers == 0)
    features = network(images(side=20))
    assert features.shape == (2, 128)
    torch.testing.assert_close(network(images(side=20)[:1]), features[:1])


def test_without_blocks_the_feature_is_the_normalised_class_token_and_its_position():
    network = Dinov2(width=64, depth=0, patch=14, positions=256, hidden=8, registers=0).eval()
    with torch.no_grad():
        network.cls_token.normal_(generator=torch.Generator().manual_seed(0))
        network.pos_embed.fill_(0.5)
    expected = functional.layer_norm(network.cls_token[0, 0] + 0.5, (64,), eps=1e-6)
    torch.testing.assert_close(network(images())[0], expected)


def test_one_block_follows_the_equations_of_a_transformer(tmp_path: Path):
    """Attention by head, scaled residuals, normalisation first; written out for one image."""
    network = load_dinov2(write(tmp_path / "weights.pth", tiny(positions=256)))
    tokens = torch.randn(1, 5, 128, generator=torch.Generator().manual_seed(2))
    weights = network.blocks[0].state_dict()

    def linear(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        scaled = centred / (x.var(dim=-1, keepdim=True, correction=0) + 1e-6).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    query, key, value = linear("attn.qkv", norm("norm1", tokens[0])).split(128, dim=1)
    heads = []
    for part in (slice(0, 64), slice(64, 128)):
        scores = (query[:, part] @ key[:, part].T / 8).softmax(dim=1)
        heads.append(scores @ value[:, part])
    after = tokens[0] + weights["ls1.gamma"] * linear("attn.proj", torch.cat(heads, dim=1))
    hidden = functional.gelu(linear("mlp.fc1", norm("norm2", after)))
    after = after + weights["ls2.gamma"] * linear("mlp.fc2", hidden)
    torch.testing.assert_close(network.blocks[0](tokens)[0], after)


def test_learnt_positions_of_this_size_are_taken_as_they_are_and_others_resampled():
    as_learnt, finer = tiny(positions=256), tiny(positions=37 * 37)
    assert as_learnt._positions() is as_learnt.pos_embed
    with torch.no_grad():
        ramp = torch.linspace(0, 1, 37)
        finer.pos_embed[:, 1:] = ramp.repeat_interleave(37)[None, :, None]
    found = finer._positions()
    assert found.shape == (1, 257, 128)
    rows = found[0, 1:, 0].reshape(16, 16)
    torch.testing.assert_close(rows, rows[:, :1].expand(16, 16))  # what varied from row to row still does
    assert bool((rows[1:, 0] > rows[:-1, 0]).all())


def test_pixels_go_in_by_imagenets_mean_and_deviation(tmp_path: Path):
    network, seen = load_dinov2(write(tmp_path / "weights.pth", tiny())), []
    network.patch_embed.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.tensor(MEAN)[None, :, None, None].expand(1, 3, 10, 10))
    assert seen[0].shape == (1, 3, 224, 224)
    torch.testing.assert_close(seen[0], torch.zeros(1, 3, 224, 224), atol=1e-6, rtol=0)
    network(torch.ones(1, 3, 10, 10))
    expected = (1 - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
    torch.testing.assert_close(seen[1][0, :, 5, 5], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pos_embed": torch.zeros(1, 8, 128)}, "a square of positions, got 128 and 7"),
        ({"patch_embed.proj.weight": torch.zeros(100, 3, 14, 14)}, "a width in heads of 64"),
        ({"blocks.0.mlp.fc1.weight": None}, "with plain MLPs, got others"),
        ({"blocks.1.ls1.gamma": None}, r"got others: blocks\.1\.ls1\.gamma differs"),
    ],
)
def test_a_file_of_another_network_is_refused(tmp_path: Path, change, message: str):
    found = tensors_of(tiny()) | change
    torch.save({name: one for name, one in found.items() if one is not None}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match=message):
        load_dinov2(tmp_path / "other.pth")
