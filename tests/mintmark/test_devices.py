import pytest
import torch

from mintmark.devices import pick_device, pick_precision
from mintmark.errors import BadInput


@pytest.mark.parametrize(
    ("name", "available", "expected"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, name, available, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert pick_device(name) == torch.device(expected)


def test_a_gpu_that_is_not_there_is_bad_input(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="device: expected a CUDA device, found none"):
        pick_device("cuda")


@pytest.mark.parametrize(
    ("name", "device", "able", "side", "expected"),
    [
        ("auto", "cuda", False, 8, torch.bfloat16),
        ("auto", "cpu", True, 8, torch.float32),
        ("auto", "cpu", True, 16, torch.bfloat16),
        ("auto", "cpu", False, 64, torch.float32),
        ("float32", "cuda", True, 64, torch.float32),
        ("bfloat16", "cpu", False, 8, torch.bfloat16),
    ],
)
def test_auto_takes_bfloat16_where_it_is_faster(monkeypatch, name, device, able, side, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able})
    assert pick_precision(name, device=torch.device(device), height=side, width=side) == expected
