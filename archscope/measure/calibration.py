"""A device's own ceilings, measured: matrix products per dtype, memory, and launches.

The products are of square matrices of random numbers; the bandwidth is that of a copy far larger
than any cache, its bytes read and written (a CPU that reads a line before it writes it moves half
as much again); a launch is an operator on one element, one of many in a row.

On a CPU neither is all that a network can reach. Products and convolutions come from two libraries,
MKL and oneDNN, and on a processor that is not Intel's MKL may leave half of its vectors unused: the
rate is therefore the faster one's. And what an operator reads is often still in a cache where the
one before has put it: so the copy is timed again at sizes that caches hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import conv2d

from archscope.errors import ArchscopeError, is_out_of_memory
from archscope.measure.devices import Device
from archscope.measure.environment import around, conditions, disturbance
from archscope.measure.sampling import Rules, collect
from archscope.measure.settings import TORCH_DTYPES, running

_LAUNCHES = 200
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
        ``cache_bytes``, which its last cache holds; ``launch_us``; and the conditions. An
        interrupt ends it: what was measured by then is kept, with ``status`` "partial".
    """
    on_cpu = device.name == "cpu"
    sizes = sizes or (CPU_SIZES if on_cpu else CUDA_SIZES)
    dtypes = dtypes or (_ON_CPU if on_cpu else tuple(TORCH_DTYPES))
    rules = Rules(max_seconds=max_seconds, max_warmup_seconds=max_seconds)
    told = progress or (lambda line: None)
    rows: list[dict[str, Any]] = []
    for count in threads or (None,):
        before = conditions(device)
        found = _nothing(device, count)
        status = "ok"
        try:
            _measure(device, count, dtypes, sizes, rules, told, found)
        except KeyboardInterrupt:
            if not found["tflops"] and not rows:
                raise
            status = "partial"
        rows.append(_row(device, found, sizes, status, before, conditions(device)))
        if status == "partial":
            break
    return rows


def _nothing(device: Device, threads: int | None) -> dict[str, Any]:
    """A row's figures before any was measured."""
    return {
        "threads": threads,
        "tflops": {},
        "kernels": {},
        "bandwidth_gb_s": None,
        "cache_gb_s": None,
        "cache_bytes": cache_bytes() if device.name == "cpu" else None,
        "launch_us": None,
    }


def _row(
    device: Device,
    found: dict[str, Any],
    sizes: Sizes,
    status: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> dict[str, Any]:
    return {
        "device": device.name,
        "title": device.title,
        "status": status,
        **found,
        "matrix": sizes.matrix,
        "copy_bytes": sizes.copy,
        "disturbed": disturbance(before, after),
        **around(before, after),
    }


def _measure(
    device: Device,
    threads: int | None,
    dtypes: Sequence[str],
    sizes: Sizes,
    rules: Rules,
    told: Callable[[str], None],
    found: dict[str, Any],
) -> None:
    """Fill ``found`` in, figure by figure, so that an interrupt leaves those before it."""
    kernels = 1 if sizes.convolution is None else 2
    figures = kernels * len(dtypes) + 2 + len(sizes.cached)

    def tell(what: str, done: int) -> None:
        most = (figures - done) * (rules.max_seconds + rules.max_warmup_seconds)
        told(f"{device.title}: {what}, at most {most:.0f} s more")

    for i, dtype in enumerate(dtypes):
        with running(tf32=dtype == "tf32", threads=threads):
            found["threads"] = torch.get_num_threads() if device.name == "cpu" else None
            tell(f"matrix products in {dtype}", i * kernels)
            found["kernels"][dtype] = _rates(device, dtype, sizes, rules)
        found["tflops"][dtype] = _highest(found["kernels"][dtype])
    with running(tf32=False, threads=threads):
        tell("memory bandwidth", len(dtypes) * kernels)
        found["bandwidth_gb_s"] = _bandwidth(device, sizes.copy, rules)
        cached = (_bandwidth(device, size, rules) for size in sizes.cached)
        found["cache_gb_s"] = max(cached, default=None)
        tell("launches", figures - 1)
        found["launch_us"] = _launch_us(device, rules)


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
        image = _random(device, n, c, w, w).to(TORCH_DTYPES[dtype])
        weight = _random(device, c, c, 3, 3).to(TORCH_DTYPES[dtype])
        with torch.inference_mode():
            run = partial(conv2d, image, weight, padding=1)
            return 18 * n * c**2 * w**2 / _seconds(device, run, rules) / 1e12
    except RuntimeError:
        return None


def _product_rate(device: Device, dtype: str, n: int, rules: Rules) -> float | None:
    """10^12 FLOP/s of a product of two n x n matrices, 2 n^3 FLOP; None if it does not run."""
    try:
        a, b = (_random(device, n, n).to(TORCH_DTYPES[dtype]) for _ in range(2))
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
    try:
        source = _random(device, size // 4)
        target = torch.empty_like(source)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ArchscopeError(f"{device.name} has too little memory to be calibrated") from error
    return 2 * size / _seconds(device, partial(target.copy_, source), rules) / 1e9


def _random(device: Device, *shape: int) -> torch.Tensor:
    """Made on the device: the host may have less memory, and takes seconds for 2 GiB."""
    return device.place(torch.empty(0)).new_empty(shape).normal_()


def _launch_us(device: Device, rules: Rules) -> float:
    """Microseconds that an operator takes which has nothing to do."""
    nothing = device.place(torch.zeros(1))

    def run() -> None:
        for _ in range(_LAUNCHES):
            nothing.zero_()

    return 1e6 * _seconds(device, run, rules) / _LAUNCHES


def _seconds(device: Device, run: Callable[[], Any], rules: Rules) -> float:
    samples = collect(partial(device.sample, run), device.now, rules)
    if samples.partial:  # half a sample is no figure
        raise KeyboardInterrupt
    return samples.device.median
