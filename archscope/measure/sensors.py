"""What a device tells of itself: clocks, temperature, power, throttling, who else uses it.

A device that tells nothing has ``NoSensors``, whose readings are empty.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from archscope.measure.nvml import Gpu, open_gpu


@dataclass(frozen=True, slots=True)
class Reading:
    """The device at one moment; None is what it does not tell."""

    clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    temperature_c: int | None = None
    power_limit_w: float | None = None
    throttled: tuple[str, ...] = ()  # reasons why it runs slower than it could
    other_processes: int | None = None
    at_s: float | None = None  # when, on a clock of its own
    others_cpu_s: float | None = None  # CPU time of all other processes so far
    throttle_count: int | None = None  # how often the processor was too hot so far


class Sensors(Protocol):
    """What can be read of a device."""

    driver: str

    def read(self) -> Reading:
        """The device now."""


class NoSensors:
    """Of a device that tells nothing."""

    driver = ""

    def read(self) -> Reading:
        return Reading()


class CpuSensors:
    """Of the CPU, as Linux shows them; what it does not show stays None."""

    driver = ""

    def __init__(self, root: Path = Path("/"), own_cpu_s: Callable[[], float] | None = None):
        """Read below ``root``; ``own_cpu_s`` is what this process used, to be taken off."""
        self._root = root
        self._own_cpu_s = own_cpu_s or (lambda: sum(os.times()[:4]))

    def read(self) -> Reading:
        busy = self._busy_s()
        return Reading(
            clock_mhz=self._clock(),
            temperature_c=self._temperature(),
            at_s=monotonic(),
            others_cpu_s=None if busy is None else busy - self._own_cpu_s(),
            throttle_count=self._throttle_count(),
        )

    def _busy_s(self) -> float | None:
        """Of all CPUs since they started, what a hypervisor took from them included."""
        for line in self._lines("proc/stat"):
            name, *ticks = line.split()
            if name == "cpu" and len(ticks) >= 8:
                user, nice, system, _, _, irq, softirq, stolen = map(int, ticks[:8])
                return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")
        return None

    def _clock(self) -> int | None:
        lines = self._lines("proc/cpuinfo")
        clocks = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
        return round(sum(clocks) / len(clocks)) if clocks else None

    def _temperature(self) -> int | None:
        zones = self._root.glob("sys/class/thermal/thermal_zone*")
        for zone in sorted(path.relative_to(self._root) for path in zones):
            kind = " ".join(self._lines(f"{zone}/type")).lower()
            found = self._lines(f"{zone}/temp")  # some have none to tell at times
            if found and ("pkg" in kind or "cpu" in kind):
                return round(int(found[0]) / 1e3)
        return None

    def _throttle_count(self) -> int | None:
        found = self._lines("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count")
        return int(found[0]) if found else None

    def _lines(self, path: str) -> list[str]:
        try:
            return (self._root / path).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []


# Bits of nvmlDeviceGetCurrentClocksEventReasons that mean "slower than it could"; an idle GPU or
# clocks that somebody set are no disturbance.
_THROTTLED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "thermal (software)",
    0x40: "thermal (hardware)",
    0x80: "power brake",
}


class Nvml:
    """A GPU through NVIDIA's management library. Clocks and heat are the whole board's."""

    def __init__(self, gpu: Gpu, process: int | None):
        """``process`` is ours and uses the GPU; None where no process of ours does yet."""
        self._gpu, self._process = gpu, process
        self.driver = _text(gpu.ask("nvmlSystemGetDriverVersion"))

    def read(self) -> Reading:
        ask, nvml, board = self._gpu.ask, self._gpu.library, self._gpu.board
        limit = ask("nvmlDeviceGetEnforcedPowerLimit", board)
        return Reading(
            clock_mhz=ask("nvmlDeviceGetClockInfo", board, nvml.NVML_CLOCK_SM),
            memory_clock_mhz=ask("nvmlDeviceGetClockInfo", board, nvml.NVML_CLOCK_MEM),
            temperature_c=self._temperature(),
            power_limit_w=None if limit is None else limit / 1e3,
            throttled=tuple(name for bit, name in _THROTTLED.items() if self._reasons() & bit),
            other_processes=self._others(),
        )

    def _temperature(self) -> int | None:
        """In 2026 the first name is to go with CUDA 14, and older packages lack the second."""
        ask, sensor = self._gpu.ask, self._gpu.library.NVML_TEMPERATURE_GPU
        found = ask("nvmlDeviceGetTemperature", self._gpu.board, sensor)
        return ask("nvmlDeviceGetTemperatureV", self._gpu.board, sensor) if found is None else found

    def _reasons(self) -> int:
        """The second name is that of drivers before 535, and is to go with CUDA 14."""
        found = self._gpu.ask("nvmlDeviceGetCurrentClocksEventReasons", self._gpu.board)
        if found is None:
            found = self._gpu.ask("nvmlDeviceGetCurrentClocksThrottleReasons", self._gpu.board)
        return found or 0

    def _others(self) -> int | None:
        """In a container the driver may know us by another number, or show no process at all."""
        answer = self._gpu.ask("nvmlDeviceGetComputeRunningProcesses", self._gpu.handle)
        running = None if answer is None else [one.pid for one in answer]
        if running is None or self._process is None:
            return None if running is None else len(running)
        if self._process in running:
            return sum(one != self._process for one in running)
        return len(running) - 1 if running else None


def _text(answer: Any) -> str:
    """Old versions of the package answer in bytes."""
    return answer.decode() if isinstance(answer, bytes) else str(answer or "")


def sensors_of_gpu(uuid: str, process: int | None) -> Sensors:
    """NVML's, or none where it is not installed or does not answer."""
    try:
        return Nvml(open_gpu(uuid), process)
    except Exception:  # NVML's own errors are only known where it is installed
        return NoSensors()
