"""Published weights: read from every format they come in, and refused in one line where they are anything else."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mintmark.errors import BadInput
from mintmark.fidelity.state_dict import fill_published, read_state_dict


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)


def write(path: Path, value: object, *, zipped: bool = True) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_both_of_pytorchs_formats_and_safetensors_give_the_same_tensors(tmp_path: Path, zipped):
    tensors = Small().state_dict()
    found = read_state_dict(write(tmp_path / "weights.pth", tensors, zipped=zipped))
    save_file(dict(tensors), tmp_path / "weights.safetensors")
    again = read_state_dict(tmp_path / "weights.safetensors")
    assert found.keys() == again.keys() == tensors.keys()
    assert all(torch.equal(found[name], again[name]) for name in found)


class Harmful:
    def __reduce__(self):
        return (Path.touch, (Path("harm"),))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "weights.pth", Harmful())
    with pytest.raises(BadInput, match=r"weights\.pth: expected a file of weights alone"):
        read_state_dict(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04" + bytes(50)])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_damaged_or_missing_file_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes):
    for written in (False, True):
        if written:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match="expected a file of weights alone") as refused:
            read_state_dict(tmp_path / name)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [[torch.zeros(1)], OrderedDict(weight=torch.zeros(1), epoch=3)])
def test_anything_but_named_tensors_is_refused(tmp_path: Path, value):
    with pytest.raises(BadInput, match="expected tensors by name"):
        read_state_dict(write(tmp_path / "weights.pth", value))


def test_a_network_is_filled_without_counters_and_spared_layers_and_answers_in_eval_mode(tmp_path: Path):
    source, network = Small(), Small()
    tensors = {name: one for name, one in source.state_dict().items() if not name.endswith("num_batches_tracked")}
    fill_published(network, tensors | {"fc.weight": torch.zeros(3)}, tmp_path, unused=("fc.",))
    assert torch.equal(network.conv.weight, source.conv.weight)
    assert not network.training
    assert not any(one.requires_grad for one in network.parameters())


@pytest.mark.parametrize("change", [{"more": torch.zeros(1)}, {"conv.weight": torch.zeros(2, 1, 5, 5)}])
def test_an_unknown_name_or_another_shape_is_refused_by_name(tmp_path: Path, change):
    with pytest.raises(BadInput, match=f"expected the weights of Small, got others: {next(iter(change))} differs"):
        fill_published(Small(), Small().state_dict() | change, tmp_path / "weights.pth")


def test_a_missing_name_is_refused_by_name(tmp_path: Path):
    tensors = Small().state_dict()
    del tensors["bn.running_var"]
    with pytest.raises(BadInput, match=r"bn\.running_var differs$"):
        fill_published(Small(), tensors, tmp_path / "weights.pth")
