"""Devices that run and time a workload, each behind the same few methods.

A CUDA device works through its queue while the caller goes on, so there are two times::

    caller   | flush L2 | record | enqueue the kernels ...... | record | wait ......... |
    device              | event  |   kernel kernel   kernel ...        | event
                        |<------------------ wall ---------------------------------->|
                                 |<---------- device ----------------->|

A CPU's caller is the one who works: there both are the same.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Protocol

import torch
from torch import nn

from archscope.errors import ArchscopeError, InvalidInput
from archscope.measure.meters import Meter, meter_of_cpu, meter_of_gpu
from archscope.measure.sampling import Sample
from archscope.measure.sensors import CpuSensors, Sensors, sensors_of_gpu

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
        pass


class Cuda:
    """A GPU, timed by its own events."""

    def __init__(self, index: int):
        self.name = f"cuda:{index}"
        self._device = torch.device(self.name)
        properties = torch.cuda.get_device_properties(self._device)
        self.title = properties.name
        self._uuid = f"GPU-{properties.uuid}"
        self.sensors = sensors_of_gpu(self._uuid, os.getpid())
        # Overwriting twice as much as the cache holds leaves nothing of it.
        self._flush_bytes = 2 * getattr(properties, "L2_cache_size", 64 << 20)
        self._flushed: torch.Tensor | None = None

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
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):  # libraries choose their kernels before the capture
            for _ in range(_GRAPH_WARMUP):
                run()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.device(self._device), torch.cuda.graph(graph):
                run()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            line = str(error).splitlines()[0]
            raise ArchscopeError(f"the run cannot be captured in a CUDA graph: {line}") from error
        return graph.replay

    def wait(self) -> None:
        torch.cuda.synchronize(self._device)

    def idle(self, seconds: float) -> None:
        sleep(seconds)

    def meter(self) -> Meter:
        return meter_of_gpu(self._uuid)

    def release(self) -> None:
        torch.cuda.empty_cache()

    def _flush(self) -> None:
        if self._flushed is None:
            self._flushed = torch.empty(self._flush_bytes, dtype=torch.int8, device=self._device)
        self._flushed.fill_(1)


def device_at_hand(name: str) -> Device:
    """The device of that name: "cpu", "cuda", "cuda:1".

    Raises:
        InvalidInput: there is none here.
    """
    kind, _, index = name.partition(":")
    if name == "cpu":
        return Cpu()
    if kind != "cuda" or (index and not index.isdecimal()):
        raise InvalidInput(
            f"device '{name}' is not known; it is cpu, cuda or cuda:N (of any other, roofline and "
            "latency --predict say what they can)"
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= count:
        here = f"{count} here" if count else "none here"
        raise InvalidInput(f"there is no {name}: torch {torch.__version__} finds {here}")
    return Cuda(int(index or 0))


def place_all(value: Any, device: Device, layout: torch.memory_format | None = None) -> Any:
    """Inputs, however they are nested, on a device; images of four dimensions in that layout."""
    if isinstance(value, torch.Tensor):
        placed = device.place(value)
        if layout is not None and placed.dim() == 4:
            placed = placed.contiguous(memory_format=layout)
        return placed
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return device.place(value)
    if isinstance(value, dict):
        return {name: place_all(item, device, layout) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(place_all(item, device, layout) for item in value)
    return value


def cpu_title() -> str:
    """What the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
