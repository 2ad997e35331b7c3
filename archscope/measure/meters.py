"""Counters of energy: NVIDIA's driver's, the processor's (RAPL), or none, which says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from archscope.errors import ArchscopeError
from archscope.measure.nvml import Gpu, open_gpu

POWERCAP = Path("/sys/class/powercap")


class Meter(Protocol):
    """A counter that only grows."""

    title: str

    def joules(self) -> float:
        """Its count now.

        Raises:
            ArchscopeError: there is nothing to read.
        """


class NoMeter:
    """Where no counter can be read."""

    title = "none"

    def __init__(self, reason: str):
        self._reason = reason

    def joules(self) -> float:
        raise ArchscopeError(f"energy cannot be measured here: {self._reason}")


class NvmlMeter:
    """The driver's count of a whole board since it was loaded (Volta and later)."""

    title = "the driver's energy counter of the board (NVML)"

    def __init__(self, gpu: Gpu):
        self._gpu = gpu

    def joules(self) -> float:
        millijoules = self._gpu.ask("nvmlDeviceGetTotalEnergyConsumption", self._gpu.board)
        if millijoules is None:
            raise ArchscopeError("energy cannot be measured here: the GPU's counter has no answer")
        return millijoules / 1e3


class Rapl:
    """The sum over all processor packages; each counter begins again at its range."""

    title = "the processor packages' counters (RAPL)"

    def __init__(self, packages: Sequence[Path]):
        self._packages = [path / "energy_uj" for path in packages]
        self._ranges = [_number(path / "max_energy_range_uj") for path in packages]
        self._last = list(map(_number, self._packages))
        self._sum = 0

    def joules(self) -> float:
        try:
            now = list(map(_number, self._packages))
        except (OSError, ValueError) as error:
            raise ArchscopeError(f"energy cannot be measured here any more: {error}") from error
        for after, before, around in zip(now, self._last, self._ranges, strict=True):
            self._sum += after - before if after >= before else after - before + around
        self._last = now
        return self._sum / 1e6


def meter_of_gpu(uuid: str, library: Any = None) -> Meter:
    """NVML's counter of a GPU, where it has one of its own."""
    try:
        gpu = open_gpu(uuid, library)
    except ImportError:
        return NoMeter("the package nvidia-ml-py is not installed")
    except Exception as error:  # NVML's own errors are only known where it is installed
        return NoMeter(f"NVIDIA's driver does not answer ({error})")
    if gpu.divided:
        return NoMeter("the GPU is divided (MIG), and its counter is of all instances together")
    if gpu.ask("nvmlDeviceGetTotalEnergyConsumption", gpu.board) is None:
        return NoMeter("the GPU has no energy counter (they begin with Volta)")
    return NvmlMeter(gpu)


def meter_of_cpu(powercap: Path = POWERCAP) -> Meter:
    """RAPL's counters, where they can be read."""
    packages = [path for path in sorted(powercap.glob("intel-rapl:*")) if _is_package(path)]
    if not packages:
        return NoMeter(f"the processor has no energy counter (RAPL) in {powercap}")
    try:
        return Rapl(packages)
    except PermissionError:
        return NoMeter(f"the energy counters in {powercap} are for root only")
    except (OSError, ValueError) as error:
        return NoMeter(f"the energy counters in {powercap} cannot be read ({error})")


def _is_package(path: Path) -> bool:
    """Cores and memory are parts of a package ("intel-rapl:0:0"); "psys" holds all of them."""
    if path.name.count(":") > 1:
        return False
    try:
        return (path / "name").read_text().startswith("package")
    except OSError:
        return True


def _number(path: Path) -> int:
    return int(path.read_text())
