"""Under what conditions a number was measured: machine, versions, settings."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Any

import torch

from archscope._version import __version__
from archscope.measure.devices import Device, cpu_title


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
