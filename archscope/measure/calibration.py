"""A device's own ceilings, measured: matrix products per dtype, and memory.

The products are of square matrices of random numbers; the bandwidth is that of a copy far larger
than any cache, its bytes read and written (a CPU that reads a line before it writes it moves half
as much again).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from archscope.errors import ArchscopeError
from archscope.measure.devices import Device
from archscope.measure.environment import conditions, versions
from archscope.measure.latency import is_out_of_memory
from archscope.measure.sampling import Rules, collect
from archscope.measure.settings import running

_DTYPES = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
# Torch has no fast product of fp16 on most processors: one of this size takes a minute.
_ON_CPU = ("fp64", "fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Large enough to fill a device: rows of a square matrix, bytes of a copy's source."""

    matrix: int
    copy: int


CPU_SIZES = Sizes(matrix=2048, copy=256 << 20)
CUDA_SIZES = Sizes(matrix=8192, copy=2 << 30)


def calibrate(
    device: Device,
    *,
    threads: Sequence[int] = (),
    dtypes: Sequence[str] | None = None,
    sizes: Sizes | None = None,
    max_seconds: float = 2.0,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure a device's ceilings.

    Args:
        device: the device at hand.
        threads: numbers of threads of the CPU, each a row; torch's own choice by default.
        dtypes: of the matrix products; all by default, on a CPU fp64, fp32 and bf16.
        sizes: of the matrices and of the copy; those that fill the device by default.
        max_seconds: at most, for each figure.
        progress: told what is measured.

    Returns:
        A row per number of threads: ``tflops`` by dtype (None where the device does not run it),
        ``bandwidth_gb_s``, and the conditions.
    """
    on_cpu = device.name == "cpu"
    sizes = sizes or (CPU_SIZES if on_cpu else CUDA_SIZES)
    dtypes = dtypes or (_ON_CPU if on_cpu else tuple(_DTYPES))
    rules = Rules(max_seconds=max_seconds, max_warmup_seconds=max_seconds)
    rows = []
    for count in threads or (None,):
        before = conditions(device)
        tflops = {}
        for dtype in dtypes:
            if progress is not None:
                progress(f"{device.title}: matrix products in {dtype}")
            with running(tf32=dtype == "tf32", threads=count):
                tflops[dtype] = _product_rate(device, dtype, sizes.matrix, rules)
        with running(tf32=False, threads=count):
            if progress is not None:
                progress(f"{device.title}: memory bandwidth")
            bandwidth = _bandwidth(device, sizes.copy, rules)
            used = torch.get_num_threads()
        rows.append(
            {
                "device": device.name,
                "title": device.title,
                "threads": used if on_cpu else None,
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "tflops": tflops,
                "bandwidth_gb_s": bandwidth,
                "matrix": sizes.matrix,
                "copy_bytes": sizes.copy,
                **versions(),
                **{f"{name}_before": value for name, value in before.items()},
                **{f"{name}_after": value for name, value in conditions(device).items()},
            }
        )
    return rows


def _product_rate(device: Device, dtype: str, n: int, rules: Rules) -> float | None:
    """10^12 FLOP/s of a product of two n x n matrices, 2 n^3 FLOP; None if it does not run."""
    try:
        a, b = (device.place(torch.randn(n, n)).to(_DTYPES[dtype]) for _ in range(2))
        out = torch.empty_like(a)
        run = partial(torch.mm, a, b, out=out)
        return 2 * n**3 / _seconds(device, run, rules) / 1e12
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise ArchscopeError(f"{device.name} has too little memory to be calibrated") from error
        return None
    finally:
        device.release()


def _bandwidth(device: Device, size: int, rules: Rules) -> float:
    """10^9 bytes/s of a copy, which reads and writes ``size`` bytes."""
    source = device.place(torch.randn(size // 4))
    target = torch.empty_like(source)
    return 2 * size / _seconds(device, partial(target.copy_, source), rules) / 1e9


def _seconds(device: Device, run: Callable[[], Any], rules: Rules) -> float:
    samples = collect(partial(device.sample, run), device.now, rules)
    if samples.partial:  # half a calibration would pass for a whole one
        raise KeyboardInterrupt
    return samples.device.median
