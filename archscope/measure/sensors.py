"""What a device tells of itself: clocks, temperature, power, throttling, who else uses it.

A device that tells nothing has ``NoSensors``, whose readings are empty.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """The device at one moment; None is what it does not tell."""

    clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    temperature_c: int | None = None
    power_limit_w: float | None = None
    throttled: tuple[str, ...] = ()  # reasons why it runs slower than it could
    other_processes: int | None = None


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
    """A GPU through NVIDIA's management library (package nvidia-ml-py)."""

    def __init__(self, uuid: str, process: int, library: Any = None):
        """Open the GPU of that UUID; ``process`` is ours, all others are others."""
        self._nvml = library if library is not None else importlib.import_module("pynvml")
        self._nvml.nvmlInit()
        self._handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
        self._process = process
        self.driver = str(self._nvml.nvmlSystemGetDriverVersion())

    def read(self) -> Reading:
        nvml, handle = self._nvml, self._handle
        reasons = self._ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle) or 0
        running = self._ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle)
        limit = self._ask(nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
        return Reading(
            clock_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
            memory_clock_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM),
            temperature_c=self._ask(
                nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU
            ),
            power_limit_w=None if limit is None else limit / 1e3,
            throttled=tuple(name for bit, name in _THROTTLED.items() if reasons & bit),
            other_processes=(
                None if running is None else sum(one.pid != self._process for one in running)
            ),
        )

    def _ask(self, question: Any, *arguments: Any) -> Any:
        """The answer, or None from a GPU that does not tell."""
        try:
            return question(*arguments)
        except self._nvml.NVMLError:
            return None


def sensors_of_gpu(uuid: str, process: int) -> Sensors:
    """NVML's, or none where it is not installed or does not answer."""
    try:
        return Nvml(uuid, process)
    except Exception:  # NVML's own errors are only known where it is installed
        return NoSensors()
