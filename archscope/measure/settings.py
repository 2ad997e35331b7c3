"""Settings of torch that change how fast a network runs; afterwards they are as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from archscope.errors import InvalidInput


@contextmanager
def running(*, tf32: bool, threads: int | None) -> Iterator[None]:
    """Matrix products of float32 in TF32 or not at all, on so many threads of the CPU.

    Raises:
        InvalidInput: many more threads than processors; with some 10^5 the process would crash.
    """
    most = 16 * (os.cpu_count() or 1)
    if threads is not None and threads > most:
        raise InvalidInput(f"threads must be {most} or fewer on this machine, not {threads}")
    before = (
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
        torch.get_num_threads(),
    )
    try:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        if threads is not None:
            torch.set_num_threads(threads)
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, count = before
        torch.set_num_threads(count)
