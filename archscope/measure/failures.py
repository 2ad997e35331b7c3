"""What ends a run: too little memory, found out before where it can be, or a model's own code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archscope.analyzers.memory import peak_bytes
from archscope.errors import ArchscopeError, first_line, is_out_of_memory
from archscope.measure.devices import Device
from archscope.measure.workload import Setting
from archscope.trace.records import Trace


class OutOfMemory(Exception):
    """The device, or the machine, has too little memory for a run."""


@contextmanager
def failures_told(model: str, setting: Setting, device: Device) -> Iterator[None]:
    """Make whatever the code of a model raises inside one of two.

    Raises:
        OutOfMemory: that was it.
        ArchscopeError: anything else, in one line.
    """
    try:
        yield
    except ArchscopeError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory from error
        raise failed(model, setting, device, error) from error


def failed(model: str, setting: Setting, device: Device, error: BaseException) -> ArchscopeError:
    """What to tell of a network that runs on shapes, but not for real in this setting."""
    line = first_line(error)
    if not line or not isinstance(error, RuntimeError):
        line = f"{type(error).__name__}: {line}".removesuffix(": ")
    return ArchscopeError(
        f"{model} does not run in {setting.dtype}, {setting.mode}, on {device.name}: {line}"
    )


def check_memory(trace: Trace, device: Device) -> None:
    """Find out before a run that the system would end the process in it.

    Raises:
        OutOfMemory: the run needs more than there is.
    """
    spare = device.spare()
    if spare is not None and peak_bytes(trace) > spare:
        raise OutOfMemory
