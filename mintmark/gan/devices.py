"""Which device trains, and whether it must give the same bytes twice. Knows no environment."""

from typing import Literal

import torch

from mintmark.errors import BadInput

DeviceName = Literal["auto", "cpu", "cuda"]


def pick_device(name: DeviceName) -> torch.device:
    """The device of that name; "auto" takes a GPU where there is one.

    Raises:
        BadInput: "cuda" was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("device: expected a CUDA device, found none; use auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def fix_order(device: torch.device) -> None:
    """Make a GPU sum in a fixed order, so that the same inputs give the same bytes; a CPU does so anyway.

    cuBLAS also needs `CUBLAS_WORKSPACE_CONFIG=:4096:8` in the environment before its first use.
    """
    if device.type == "cuda":
        torch.use_deterministic_algorithms(mode=True)
        torch.backends.cudnn.benchmark = False


def allow_fast(device: torch.device) -> None:
    """Let a GPU choose its fastest convolutions by trial, which need not sum in the same order twice."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
