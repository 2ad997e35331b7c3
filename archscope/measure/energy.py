"""What a network takes in joules: windows of many runs between two readings of a counter.

::

    idle        | runs ......... | runs ......... | runs ......... |
    |<- 5 s ->| |<--- >= 5 s --->|<--- >= 5 s --->|<--- >= 5 s --->|
    P_idle        E / samples      E / samples      E / samples

Net energy is what is left of a window without idle power for as long as it lasted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from archscope.arguments import (
    above_zero,
    checked,
    device_or_name,
    function,
    mapping,
    positive,
    positives,
    reference_or_module,
    text,
)
from archscope.errors import ArchscopeError, InvalidInput
from archscope.measure.devices import Device, device_at_hand
from archscope.measure.environment import around, conditions, disturbance
from archscope.measure.failures import OutOfMemory, check_memory, failures_told
from archscope.measure.latency import trace_of
from archscope.measure.meters import Meter
from archscope.measure.progress import Paced, Progress
from archscope.measure.settings import running
from archscope.measure.workload import Setting, check_batches, inputs_or_sample, workload
from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from archscope.sources.inputs import Input

LEAST_WINDOW = 5.0  # s
_CHUNK = 0.2  # s of runs between two looks at the clock
_LOOK = 30.0  # s, within which no counter begins again twice: RAPL's hold 65 kJ or more
_WARMUP = 3


@dataclass(frozen=True, slots=True)
class Window:
    """What went through the counter in some time."""

    joules: float
    seconds: float
    runs: int

    @property
    def power(self) -> float:
        """Mean, in W."""
        return self.joules / self.seconds


@checked(
    model=reference_or_module,
    kwargs=mapping,
    device=device_or_name,
    batch=positives,
    dtype=text,
    mode=text,
    window=above_zero,
    repeats=positive,
    progress=function,
)
def energy(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input: Input = None,
    device: str | Device = "cuda",
    batch: int | Sequence[int] = 1,
    dtype: str = "fp32",
    mode: str = "inference",
    window: float = LEAST_WINDOW,
    repeats: int = 3,
    progress: Progress | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Measure the energy of a network per sample, batch size by batch size.

    Args:
        model: a reference, or a module (which is copied, and stays as it was).
        inputs: what to call it with, their batch included, as for ``archscope.analyze``. A
            reference has its own.
        kwargs: keyword inputs beside them.
        input: the shape of one sample instead, of which batches are made: (3, 320, 320).
        device: "cuda", "cuda:N", or "cpu" where its counter can be read.
        batch: one batch size of a reference or of ``input``, or several.
        dtype: of weights and inputs.
        mode: "inference", or "training": one forward and backward pass.
        window: seconds of each window, 5 or more.
        repeats: windows of each batch size, 3 or more.
        progress: told what is measured.
        options: options of a reference.

    Returns:
        A row per batch size: ``status`` ("ok", "out of memory", or "partial" when interrupted);
        ``energy_mj``, the median window's energy per sample, with ``energy_mj_low`` and ``_high``,
        the least and the greatest; ``net_energy_mj`` without idle power; ``power_w``,
        ``idle_power_w``; and the conditions. ``disturbed`` says what made it other than the
        device alone would be, if anything did.

    Raises:
        InvalidInput: windows too short for the counter, or too few.
        ArchscopeError: nothing here counts energy, or the counter stands still.
    """
    from archscope.analyzers.frames import frame

    return frame(
        energy_rows(
            model,
            inputs_or_sample(inputs, input, kwargs),
            device=device,
            batch=batch,
            setting=Setting(dtype, mode),
            window=window,
            repeats=repeats,
            progress=progress,
            options=options,
        )
    )


def energy_rows(
    model: str | nn.Module,
    inputs: Any,
    *,
    device: str | Device,
    batch: int | Sequence[int],
    setting: Setting,
    window: float,
    repeats: int,
    progress: Progress | None,
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The rows of ``energy``; ``inputs`` as ``inputs_or_sample`` has them."""
    if window < LEAST_WINDOW:
        raise InvalidInput(
            f"a window of {window:g} s is too short: the counter moves in steps of up to 0.1 s, "
            f"which is 2 % of {LEAST_WINDOW:g} s; give {LEAST_WINDOW:g} s or more"
        )
    if repeats < 3:
        raise InvalidInput(f"{repeats} windows show no spread; give 3 or more")
    at_hand = device_at_hand(device) if isinstance(device, str) else device
    setting.check(at_hand)
    meter = at_hand.meter()
    meter.joules()  # or the reason why there is none, before anything is built
    batches = [batch] if isinstance(batch, int) else list(batch)
    check_batches(model, inputs, batches)
    each = (repeats + 1) * window
    rows: list[dict[str, Any]] = []
    with running(tf32=setting.dtype == "tf32", threads=setting.threads):
        # A batch size that the model refuses is told before the others are measured.
        traces = [trace_of(model, inputs, size, at_hand, setting, options) for size in batches]
        for size, trace in zip(batches, traces, strict=True):
            left = (len(batches) - len(rows)) * each
            try:
                name = model if isinstance(model, str) else trace.model
                told = _Told(progress, at_hand, f"{name} batch {size}", left)
                run = partial(workload, model, inputs, size, at_hand, setting, options)
                row = _row(name, run, trace, at_hand, meter, setting, window, repeats, told)
            except KeyboardInterrupt:  # before a window of this batch size was full
                if not rows:
                    raise
                rows[-1]["status"] = "partial"
                break
            rows.append(row)
            if row["status"] == "partial":
                break
    return rows


class _Told:
    """Tells how long it may still take."""

    def __init__(self, progress: Progress | None, device: Device, what: str, seconds: float):
        self._tell, self._device, self._what = Paced(progress, device.now), device, what
        self._until = device.now() + seconds
        self._tell.at_once(f"{what}: building, then {seconds:.0f} s")

    def window(self, number: int, of: int) -> None:
        left = max(self._until - self._device.now(), 0.0)
        where = f"window {number} of {of}" if number else "the idle device"
        self._tell.at_once(f"{self._what}: {where}, about {left:.0f} s more")


def _row(
    model: str,
    build: Callable[[], Callable[[], Any]],
    trace: Trace,
    device: Device,
    meter: Meter,
    setting: Setting,
    window: float,
    repeats: int,
    told: _Told,
) -> dict[str, Any]:
    """The measurement of one batch size; out of memory is a result like any other."""
    told.window(0, repeats)
    idle = idle_window(device, meter, window)
    before = conditions(device)
    status = "ok"
    windows: list[Window] = []
    try:
        check_memory(trace, device)
        with failures_told(model, setting, device):
            for one in busy_windows(build(), device, meter, window, repeats):
                windows.append(one)
                told.window(min(len(windows) + 1, repeats), repeats)
    except KeyboardInterrupt:
        if not windows:
            raise
        status = "partial"
    except OutOfMemory:
        status = "out of memory"
    device.release()
    after = conditions(device)
    return {
        "model": model,
        "device": device.name,
        "device_title": device.title,
        "meter": meter.title,
        "batch": trace.batch,
        "dtype": setting.dtype,
        "mode": setting.mode,
        "status": status,
        **columns(windows, idle, trace.batch),
        "disturbed": disturbance(before, after),
        **around(before, after),
    }


def idle_window(device: Device, meter: Meter, seconds: float) -> Window:
    """What the device takes while it does nothing."""
    device.wait()
    start, joules = device.now(), meter.joules()
    while (left := seconds - (device.now() - start)) > 0:
        device.idle(min(left, _LOOK))
        meter.joules()
    return Window(meter.joules() - joules, device.now() - start, 0)


def busy_windows(
    run: Callable[[], Any], device: Device, meter: Meter, seconds: float, repeats: int
) -> Iterator[Window]:
    """Windows of runs one after the other, each of at least so many seconds.

    Raises:
        ArchscopeError: the counter stood still in one of them.
    """
    chunk = _runs_in(_CHUNK, run, device)
    for _ in range(repeats):
        found = _busy(run, chunk, device, meter, seconds)
        if found.joules <= 0:
            raise ArchscopeError(
                f"{meter.title} did not move within {found.seconds:.1f} s of runs: its readings "
                "are not to be trusted"
            )
        yield found


def columns(windows: Sequence[Window], idle: Window, batch: int) -> dict[str, Any]:
    """A row's numbers; None where nothing was measured."""
    per_sample = [1e3 * one.joules / one.runs / batch for one in windows]
    net = [1e3 * (one.joules - idle.power * one.seconds) / one.runs / batch for one in windows]
    return {
        "energy_mj": median(per_sample) if windows else None,
        "energy_mj_low": min(per_sample, default=None),
        "energy_mj_high": max(per_sample, default=None),
        "net_energy_mj": median(net) if windows else None,
        "power_w": median(one.power for one in windows) if windows else None,
        "idle_power_w": idle.power,
        "windows": len(windows),
        "window_s": min((one.seconds for one in windows), default=None),
        "runs": sum(one.runs for one in windows),
    }


def _runs_in(seconds: float, run: Callable[[], Any], device: Device) -> int:
    """How many runs fill that time, once the device is warm."""
    for _ in range(_WARMUP):
        run()
    device.wait()
    start = device.now()
    run()
    device.wait()
    return max(int(seconds / max(device.now() - start, 1e-6)), 1)


def _busy(
    run: Callable[[], Any], chunk: int, device: Device, meter: Meter, seconds: float
) -> Window:
    runs = 0
    start, joules = device.now(), meter.joules()
    looked = start
    while (now := device.now()) - start < seconds:
        if now - looked >= _LOOK:
            meter.joules()
            looked = now
        for _ in range(chunk):
            run()
        device.wait()  # so that the queue does not run ahead of the clock
        runs += chunk
    return Window(meter.joules() - joules, device.now() - start, runs)
