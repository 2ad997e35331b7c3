"""Settings of torch that change how fast a network runs; afterwards they are as they were."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from archscope.errors import InvalidInput
from archscope.measure.kept import memory_kept
from archscope.trace.isolation import random_state_kept

# Of tensors, by the names of ``archscope.devices.DTYPES``.
TORCH_DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
_BACKENDS: Any = torch.backends  # whose modules are replaced when they are imported
_GPU = (_BACKENDS.cuda.matmul, _BACKENDS.cudnn.conv, _BACKENDS.cudnn.rnn)
_CPU = (_BACKENDS.mkldnn.matmul, _BACKENDS.mkldnn.conv, _BACKENDS.mkldnn.rnn)


@contextmanager
def running(*, tf32: bool, threads: int | None) -> Iterator[None]:
    """Products of float32 in TF32 or not at all, on so many threads of the CPU; freed memory is
    kept. Random numbers go on afterwards as if none had been drawn inside.

    Raises:
        InvalidInput: many more threads than processors; with some 10^5 the process would crash.
    """
    most = 16 * (os.cpu_count() or 1)
    if threads is not None and threads > most:
        raise InvalidInput(f"threads must be {most} or fewer on this machine, not {threads}")
    precision, count = _Precision.now(), torch.get_num_threads()
    try:
        _choose(tf32)
        if threads is not None:
            torch.set_num_threads(threads)
        with memory_kept(), random_state_kept():
            yield
    finally:
        precision.restore()
        torch.set_num_threads(count)


def _choose(tf32: bool) -> None:
    """TF32 is a GPU's; on the CPU float32 is float32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    for setting in _GPU:
        setting.fp32_precision = "tf32" if tf32 else "ieee"
    for setting in _CPU:
        setting.fp32_precision = "ieee"


@dataclass(frozen=True, slots=True)
class _Precision:
    """Of products of float32. Since torch 2.9 there are two interfaces to it, and where they
    disagree, torch refuses to be asked by the older one: so both are set to say the same.
    """

    products: str | bool  # of the older interface; a bool where it tells no more
    cudnn: bool  # likewise
    newer: tuple[str, ...]

    @classmethod
    def now(cls) -> _Precision:
        newer = tuple(setting.fp32_precision for setting in (*_GPU, *_CPU))
        disagreeing = (newer[0] != "tf32", newer[1] != "tf32")
        return cls(
            _asked(torch.get_float32_matmul_precision, _asked(_products, disagreeing[0])),
            _asked(lambda: torch.backends.cudnn.allow_tf32, disagreeing[1]),
            newer,
        )

    def restore(self) -> None:
        """The older interface first: it changes what the newer one says."""
        if isinstance(self.products, str):
            torch.set_float32_matmul_precision(self.products)
        else:
            torch.backends.cuda.matmul.allow_tf32 = self.products
        torch.backends.cudnn.allow_tf32 = self.cudnn
        for setting, value in zip((*_GPU, *_CPU), self.newer, strict=True):
            setting.fp32_precision = value


def _products() -> bool:
    return torch.backends.cuda.matmul.allow_tf32


def _asked(question: Callable[[], Any], otherwise: Any) -> Any:
    """The older interface's answer, or what it must be where it disagrees with the newer one."""
    try:
        return question()
    except RuntimeError:
        return otherwise
