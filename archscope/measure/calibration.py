"""A device's own ceilings, measured: matrix products per dtype, and memory.

The products are of square matrices of random numbers; the bandwidth is that of a copy far larger
than any cache, its bytes read and written (a CPU that reads a line before it writes it moves half
as much again).

On a CPU neither is all that a network can reach. Products and convolutions come from two libraries,
MKL and oneDNN, and on a processor that is not Intel's MKL may leave half of its vectors unused: the
rate is therefore the faster one's. And what an operator reads is often still in a cache where the
one before has put it: so the copy is timed again at sizes that caches hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import conv2d

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
    """Large enough to fill a device: rows of a square matrix, bytes of a copy's source.

    ``convolution`` is batch, channels and width of an image, ``cached`` are bytes of copies that
    the caches hold.
    """

    matrix: int
    copy: int
    convolution: tuple[int, int, int] | None = None
    cached: tuple[int, ...] = ()


CPU_SIZES = Sizes(
    matrix=2048, copy=256 << 20, convolution=(4, 256, 28), cached=(256 << 10, 1 << 20, 4 << 20)
)
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
        that of the faster kernel in ``kernels``; ``bandwidth_gb_s``; of a CPU ``cache_gb_s`` and
        ``cache_bytes``, which its last cache holds; and the conditions.
    """
    on_cpu = device.name == "cpu"
    sizes = sizes or (CPU_SIZES if on_cpu else CUDA_SIZES)
    dtypes = dtypes or (_ON_CPU if on_cpu else tuple(_DTYPES))
    rules = Rules(max_seconds=max_seconds, max_warmup_seconds=max_seconds)
    rows = []
    for count in threads or (None,):
        before = conditions(device)
        kernels: dict[str, dict[str, float | None]] = {}
        for dtype in dtypes:
            if progress is not None:
                progress(f"{device.title}: matrix products in {dtype}")
            with running(tf32=dtype == "tf32", threads=count):
                kernels[dtype] = _rates(device, dtype, sizes, rules)
        with running(tf32=False, threads=count):
            if progress is not None:
                progress(f"{device.title}: memory bandwidth")
            bandwidth = _bandwidth(device, sizes.copy, rules)
            cache = max((_bandwidth(device, size, rules) for size in sizes.cached), default=None)
            used = torch.get_num_threads()
        rows.append(
            {
                "device": device.name,
                "title": device.title,
                "threads": used if on_cpu else None,
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "tflops": {dtype: _highest(rates) for dtype, rates in kernels.items()},
                "kernels": kernels,
                "bandwidth_gb_s": bandwidth,
                "cache_gb_s": cache,
                "cache_bytes": cache_bytes() if on_cpu else None,
                "matrix": sizes.matrix,
                "copy_bytes": sizes.copy,
                **versions(),
                **{f"{name}_before": value for name, value in before.items()},
                **{f"{name}_after": value for name, value in conditions(device).items()},
            }
        )
    return rows


def cache_bytes() -> int | None:
    """What the CPU's last cache holds; None where the system does not tell."""
    found = {}
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            level, size = ((index / name).read_text().strip() for name in ("level", "size"))
        except OSError:
            continue
        found[int(level)] = int(size.rstrip("KMG")) << {"K": 10, "M": 20, "G": 30}[size[-1]]
    return found[max(found)] if found else None


def _rates(device: Device, dtype: str, sizes: Sizes, rules: Rules) -> dict[str, float | None]:
    """10^12 FLOP/s of each kernel. oneDNN has no convolution of fp64."""
    rates = {"mm": _product_rate(device, dtype, sizes.matrix, rules)}
    if sizes.convolution is not None and dtype != "fp64":
        rates["convolution"] = _convolution_rate(device, dtype, sizes.convolution, rules)
    return rates


def _highest(rates: dict[str, float | None]) -> float | None:
    return max((rate for rate in rates.values() if rate is not None), default=None)


def _convolution_rate(
    device: Device, dtype: str, size: tuple[int, int, int], rules: Rules
) -> float | None:
    """10^12 FLOP/s of a 3x3 convolution, 2 * 9 n c^2 w^2 FLOP; None if it does not run."""
    n, c, w = size
    try:
        image = device.place(torch.randn(n, c, w, w)).to(_DTYPES[dtype])
        weight = device.place(torch.randn(c, c, 3, 3)).to(_DTYPES[dtype])
        with torch.inference_mode():
            run = partial(conv2d, image, weight, padding=1)
            return 18 * n * c**2 * w**2 / _seconds(device, run, rules) / 1e12
    except RuntimeError:
        return None


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
