"""Settings of torch that change how fast a network runs; afterwards they are as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def running(*, tf32: bool, threads: int | None) -> Iterator[None]:
    """Matrix products of float32 in TF32 or not at all, on so many threads of the CPU."""
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
