"""Under what conditions a number was measured: machine, versions, settings."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Any

import torch

from archscope._version import __version__
from archscope.measure.devices import Device, cpu_title

_CPUS_OF_OTHERS = 0.1  # of all CPUs; more of them disturb


def versions() -> dict[str, Any]:
    """Of everything that decides how fast a network runs, and the date, in UTC. None is what is
    not there.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "archscope": __version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def environment() -> dict[str, Any]:
    """The machine as ``archscope env`` shows it."""
    from archscope.measure.devices import Cuda

    found: dict[str, Any] = {
        **versions(),
        "cpu": cpu_title(),
        "cpu_cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": torch.backends.mkldnn.is_available(),
    }
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [Cuda(index) for index in range(count)]
    found["gpus"] = [{"name": gpu.name, "title": gpu.title, **conditions(gpu)} for gpu in gpus]
    return found


def conditions(device: Device) -> dict[str, Any]:
    """What a device says of itself now."""
    now = device.sensors.read()
    return {
        "driver": device.sensors.driver or None,
        "clock_mhz": now.clock_mhz,
        "memory_clock_mhz": now.memory_clock_mhz,
        "temperature_c": now.temperature_c,
        "power_limit_w": now.power_limit_w,
        "throttled": ", ".join(now.throttled),
        "other_processes": now.other_processes,
        "at_s": now.at_s,
        "others_cpu_s": now.others_cpu_s,
        "throttle_count": now.throttle_count,
    }


def around(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The columns of a measurement that say where and when, and its ``conditions`` around it."""
    return {
        **versions(),
        **{f"{name}_before": value for name, value in before.items()},
        **{f"{name}_after": value for name, value in after.items()},
    }


def disturbance(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What made a measurement slower than the device can be; nothing if nothing did."""
    found = {reason for now in (before, after) for reason in now["throttled"].split(", ") if reason}
    if any(now["other_processes"] for now in (before, after)):
        found.add("other processes")
    if (after["throttle_count"] or 0) > (before["throttle_count"] or 0):
        found.add("thermal")
    cpus, here = _cpus_of_others(before, after), os.cpu_count() or 1
    if cpus > _CPUS_OF_OTHERS * here:
        found.add(f"other processes took {cpus:.1f} of {here} CPUs")
    return ", ".join(sorted(found))


def _cpus_of_others(before: dict[str, Any], after: dict[str, Any]) -> float:
    """CPUs that other processes kept busy on average between two readings."""
    if before["others_cpu_s"] is None or after["others_cpu_s"] is None:
        return 0.0
    seconds = after["at_s"] - before["at_s"]
    return (after["others_cpu_s"] - before["others_cpu_s"]) / seconds if seconds > 0 else 0.0
