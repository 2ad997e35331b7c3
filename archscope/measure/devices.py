"""Devices that run and time a workload, each behind the same few methods.

A CUDA device works through its queue while the caller goes on, so there are two times::

    caller   | flush L2 | record | enqueue the kernels ...... | record | wait ......... |
    device              | event  |   kernel kernel   kernel ...        | event
                        |<------------------ wall ---------------------------------->|
                                 |<---------- device ----------------->|

A CPU's caller is the one who works: there both are the same.
"""

from __future__ import annotations

import gc
import os
import platform
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Protocol

import torch

from archscope.errors import ArchscopeError, InvalidInput, one_line
from archscope.machine import memory_available
from archscope.measure.kept import give_back
from archscope.measure.meters import Meter, meter_of_cpu, meter_of_gpu
from archscope.measure.sampling import Sample
from archscope.measure.sensors import CpuSensors, Sensors, sensors_of_gpu
from archscope.trace.inputs import each_once

# By dimensions: images, volumes.
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
_GRAPH_WARMUP = 3


class Device(Protocol):
    """Where a workload runs."""

    name: str  # as torch has it: "cpu", "cuda:0"
    title: str
    sensors: Sensors

    def now(self) -> float:
        """The clock, in seconds."""

    def place(self, value: Any) -> Any:
        """A module or a tensor on this device."""

    def sample(self, run: Callable[[], Any], *, cold: bool = False) -> Sample:
        """Run once and time it; ``cold`` with caches that hold nothing of the last run."""

    def captured(self, run: Callable[[], Any]) -> Callable[[], Any]:
        """The same run as one graph of kernels, launched at once."""

    def wait(self) -> None:
        """Until all that was run is done."""

    def idle(self, seconds: float) -> None:
        """Do nothing."""

    def meter(self) -> Meter:
        """The counter of the energy that this device takes."""

    def release(self) -> None:
        """Give back memory that nothing uses any more."""

    def spare(self) -> int | None:
        """Bytes beyond which a run ends the process; None where one that needs more raises."""


class Cpu:
    """The CPU, as many threads of it as torch uses. Device time is wall time."""

    name = "cpu"

    def __init__(self) -> None:
        self.title = cpu_title()
        self.sensors: Sensors = CpuSensors()

    def now(self) -> float:
        return perf_counter()

    def place(self, value: Any) -> Any:
        return value.to("cpu")

    def sample(self, run: Callable[[], Any], *, cold: bool = False) -> Sample:
        if cold:
            raise InvalidInput("cold caches are measured on CUDA devices only")
        start = perf_counter()
        run()
        seconds = perf_counter() - start
        return Sample(seconds, seconds)

    def captured(self, run: Callable[[], Any]) -> Callable[[], Any]:
        raise InvalidInput("graphs of kernels are for CUDA devices")

    def wait(self) -> None:
        pass

    def idle(self, seconds: float) -> None:
        sleep(seconds)

    def meter(self) -> Meter:
        return meter_of_cpu()

    def release(self) -> None:
        gc.collect()  # networks are often parts of cycles
        give_back()

    def spare(self) -> int | None:
        return memory_available()  # Linux promises more than there is, and then ends who takes it


class Cuda:
    """A GPU, timed by its own events."""

    def __init__(self, index: int):
        self.name = f"cuda:{index}"
        self._device = torch.device(self.name)
        properties = torch.cuda.get_device_properties(self._device)
        self.title = properties.name
        self._uuid = str(properties.uuid)
        self.sensors = sensors_of_gpu(self._uuid, None)
        # Overwriting twice as much as the cache holds leaves nothing of it.
        self._flush_bytes = 2 * getattr(properties, "L2_cache_size", 64 << 20)
        self._flushed: torch.Tensor | None = None
        self._side: torch.cuda.Stream | None = None

    def open(self) -> Cuda:
        """Begin to use it: from then on this process is among those that the driver lists.

        Raises:
            ArchscopeError: it refuses: another process has it for itself, or has its memory.
        """
        try:
            torch.cuda.synchronize(self._device)
        except RuntimeError as error:
            raise ArchscopeError(f"{self.name} cannot be used: {one_line(error)}") from error
        self.sensors = sensors_of_gpu(self._uuid, os.getpid())
        return self

    def now(self) -> float:
        return perf_counter()

    def place(self, value: Any) -> Any:
        return value.to(self._device)

    def sample(self, run: Callable[[], Any], *, cold: bool = False) -> Sample:
        with torch.cuda.device(self._device):
            if cold:
                self._flush()
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            start = perf_counter()
            begin.record()
            run()
            end.record()
            torch.cuda.synchronize()
            return Sample(begin.elapsed_time(end) / 1e3, perf_counter() - start)

    def captured(self, run: Callable[[], Any]) -> Callable[[], Any]:
        current = torch.cuda.current_stream(self._device)
        # One side stream for all captures: libraries keep a workspace for every stream. A capture
        # that fails leaves it the current one, which the outermost context puts right.
        side = self._side = self._side or torch.cuda.Stream(self._device)
        with torch.cuda.stream(current):
            side.wait_stream(current)
            with torch.cuda.stream(side):  # libraries choose their kernels before the capture
                for _ in range(_GRAPH_WARMUP):
                    run()
                _check_unsynchronised(run)
            current.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph, stream=side):
                    run()
            except RuntimeError as error:
                raise _why_not_captured(error) from error
        return _Replay(graph, run)

    def wait(self) -> None:
        torch.cuda.synchronize(self._device)

    def idle(self, seconds: float) -> None:
        sleep(seconds)

    def meter(self) -> Meter:
        return meter_of_gpu(self._uuid)

    def release(self) -> None:
        gc.collect()
        with suppress(RuntimeError):  # after a fault every call fails; the fault has been told
            torch.cuda.empty_cache()

    def spare(self) -> int | None:
        return None  # the driver refuses what does not fit

    def _flush(self) -> None:
        if self._flushed is None:
            self._flushed = torch.empty(self._flush_bytes, dtype=torch.int8, device=self._device)
        self._flushed.fill_(1)


@dataclass(frozen=True, slots=True)
class _Replay:
    """A graph, and the run whose weights and inputs it reads where they were at the capture."""

    graph: torch.cuda.CUDAGraph
    run: Callable[[], Any]

    def __call__(self) -> None:
        self.graph.replay()


def _check_unsynchronised(run: Callable[[], Any]) -> None:
    """A capture in which the caller waits for the device fails, and spoils torch's allocator and
    random numbers for the rest of the process; so what waits is found before.
    """
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():  # that this is a prototype
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        run()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise _why_not_captured(error) from error
    finally:
        torch.cuda.set_sync_debug_mode(mode)


def _why_not_captured(error: RuntimeError) -> Exception:
    """What went wrong first: the end of a capture that failed raises an error of its own."""
    first: BaseException = error
    while isinstance(first.__context__, Exception):
        first = first.__context__
    if isinstance(first, torch.OutOfMemoryError):
        return first
    return ArchscopeError(f"the run cannot be captured in a CUDA graph: {one_line(first)}")


def device_at_hand(name: str) -> Device:
    """The device of that name: "cpu", "cuda", "cuda:1".

    Raises:
        InvalidInput: there is none here.
        ArchscopeError: it is here, and refuses to be used.
    """
    kind, _, index = name.partition(":")
    if name == "cpu":
        return Cpu()
    if kind != "cuda" or (index and not index.isdecimal()):
        raise InvalidInput(
            f"device '{name}' is not known; it is cpu, cuda or cuda:N (for a card that is not "
            "here: archscope roofline, or latency --predict)"
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= count:
        here = f"{count} here" if count else "none here"
        raise InvalidInput(f"there is no {name}: torch {torch.__version__} finds {here}")
    return Cuda(int(index or 0)).open()


def place_all(value: Any, device: Device, channels_last: bool = False) -> Any:
    """Inputs, however they are nested, on a device; images with their channels last if asked."""

    def placed(item: Any) -> Any:
        found = device.place(item)
        if not isinstance(item, torch.Tensor):  # a packed sequence
            return found
        found = with_channels_last(found) if channels_last else found
        # A gradient that is wanted is wanted here, and not where the tensor came from.
        return found.detach().requires_grad_() if item.requires_grad else found

    return each_once(value, placed)


def with_channels_last(value: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) and volumes (N, C, D, H, W) in that layout; all else as it is."""
    layout = CHANNELS_LAST.get(value.dim())
    return value if layout is None else value.contiguous(memory_format=layout)


def cpu_title() -> str:
    """What the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
