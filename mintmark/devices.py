"""Which device trains, at which precision, and whether it must give the same bytes twice. Knows no environment."""

from typing import Literal

import torch

from mintmark.errors import BadInput

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["auto", "float32", "bfloat16"]

BFLOAT16_PIXELS = 256  # on a CPU, smaller images gain little from bfloat16: their layers are all overhead
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")  # without them a CPU emulates bfloat16, slower than float32


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


def pick_precision(name: PrecisionName, *, device: torch.device, height: int, width: int) -> torch.dtype:
    """The type of convolutions and products; "auto" takes bfloat16 where it is faster.

    That is on a GPU, and for images of at least `BFLOAT16_PIXELS` pixels on a CPU that has the instructions.
    """
    if name == "auto":
        able = device.type == "cuda" or any(torch.cpu.get_capabilities().get(one) for one in BFLOAT16_INSTRUCTIONS)
        large = device.type == "cuda" or height * width >= BFLOAT16_PIXELS
        name = "bfloat16" if able and large else "float32"
    return torch.bfloat16 if name == "bfloat16" else torch.float32


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
