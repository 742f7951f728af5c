"""How many processes of this machine train one model together, chosen by the environment, and how they meet.

MINTMARK_PROCESSES  how many; each takes a GPU of its own where there are any. 1 is the default

The stage then starts itself again under torchrun's own launcher. A stage that somebody else's torchrun started, on one
machine or many, joins that one's group instead. Not in params.yaml: it changes where a model is trained, and its
weights within rounding alone, so DVC must not rerun for it.
"""

import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from mintmark.errors import BadInput
from mintmark.gan.parallel import ALONE, Group

NAME = "MINTMARK_PROCESSES"
MEETING = "MINTMARK_MEETING"  # set by `_start` for the processes that it starts: the file where they meet
Section = TypeVar("Section")
PATIENCE = timedelta(hours=2)  # one process may write a checkpoint to slow storage while the others wait


def spread(module: str, run: Callable[[Section, Path], None]) -> Callable[[Section, Path], None]:
    """What a stage's `main` runs: `run` itself, or `python -m module` in as many processes as the environment asks for.

    Raises:
        BadInput: when run, that the environment names no number.
    """

    def start_or_run(params: Section, data_dir: Path) -> None:
        num = _num_to_start()
        if num > 1:
            _start(module, num=num)
        else:
            run(params, data_dir)

    return start_or_run


def _num_to_start() -> int:
    text = os.environ.get(NAME, "1")
    if not text.isdecimal() or int(text) < 1:
        raise BadInput(f"{NAME}: expected a whole number of at least 1, got {text!r}")
    return 1 if dist.is_torchelastic_launched() else int(text)


def _start(module: str, *, num: int) -> None:
    """Run `python -m module` in several processes under torchrun's launcher, to their end; if one fails, all end.

    Nothing listens beyond this machine: the processes meet in a file and speak over loopback. torchrun gives each a
    session of its own, out of reach of whoever kills this process group; so each holds the end of a pipe that closes
    when this process is gone, and then ends itself.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the failure is told below, in one line
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    reading_end, _ = os.pipe()
    os.dup2(reading_end, 0)
    with tempfile.TemporaryDirectory(prefix="mintmark-") as folder:
        os.environ |= {
            MEETING: f"{folder}/processes",
            "GLOO_SOCKET_IFNAME": loopback,
            "NCCL_SOCKET_IFNAME": loopback,
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # that store would listen on every interface
        }
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=num,
            run_id=module,
            rdzv_backend="c10d",
            rdzv_endpoint=f"{folder}/launcher",
            rdzv_configs={"store_type": "file"},
            local_addr="127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        try:
            elastic_launch(config, sys.executable)("-m", module)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            sys.exit(
                f"{module}: process {rank} of {num} ended with exit code {failure.exitcode}; see its message above"
            )


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The processes that torchrun started, for as long as the block lasts; this one alone where it started none.

    Args:
        device: Of the kind that trains; "cuda" becomes this process's own GPU.

    Raises:
        BadInput: there are more processes than GPUs.
    """
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    if device.type == "cuda":
        _take_gpu(int(os.environ["LOCAL_RANK"]))
    meeting = os.environ.get(MEETING)
    if meeting:
        threading.Thread(target=_end_with_starter, daemon=True).start()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(
        backend,
        init_method=Path(meeting).as_uri() if meeting else "env://",
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    try:
        yield Group(rank=rank, size=size)
    finally:
        dist.destroy_process_group()


def check_agreement(group: Group, *numbers: int) -> None:
    """Compare what every process must have in common.

    Raises:
        BadInput: some process has other numbers.
    """
    found = group.gather(torch.tensor([numbers]))
    if (found != found[0]).any():
        raise BadInput(
            f"torchrun: expected the same params, data, code and checkpoint for every process, got {found.tolist()}"
        )


def _take_gpu(number: int) -> None:
    if number >= torch.cuda.device_count():
        raise BadInput(
            f"{NAME}: expected at most {torch.cuda.device_count()}, one for each CUDA device of this machine"
        )
    torch.cuda.set_device(number)


def _end_with_starter() -> None:
    os.read(0, 1)  # unbuffered: a buffer's lock would trip the interpreter's own end
    os.killpg(0, signal.SIGKILL)
