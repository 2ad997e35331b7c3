"""What a worker does with a task, on whatever machine: the results of its cells, one by one."""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope._version import __version__
from archscope.errors import ArchscopeError, InvalidInput, is_out_of_memory
from archscope.report.numbers import memory
from archscope.study.analyses import MEASURED, RUNS
from archscope.study.keys import fingerprint, version
from archscope.study.records import Cell, Result, Setting, Task

if TYPE_CHECKING:
    from archscope.measure.workload import Sample
    from archscope.measure.workload import Setting as Run
    from archscope.report import Report

_REASON = 500  # characters


def results_of(task: Task, started: Callable[[], object] = lambda: None) -> Iterator[Result]:
    """Carry out a task: a result for each of its cells, each as soon as it is there.

    A network that cannot be built, run or measured is a failed result and raises nothing.

    Args:
        task: what to do, and the versions and files that it was planned with.
        started: called when the run that the cells share is done, before the first result.
    """
    clock, most = _Clock(), task.limits.memory_bytes
    try:
        _check_plan(task)
        answers = _answers(task)
    except (Exception, RecursionError) as error:
        for cell in task.cells:
            yield _result(cell, clock.taken(len(task.cells)), {}, reason_of(error, most))
        return
    shared = clock.taken(len(task.cells))
    started()
    for cell in task.cells:
        clock = _Clock()
        try:
            values = json.loads(json.dumps(answers[cell.analysis]()))  # as it will be kept
            yield _result(cell, clock.taken() + shared, values)
        except (Exception, RecursionError) as error:
            yield _result(cell, clock.taken() + shared, {}, reason_of(error, most))


def failure(cell: Cell, reason: str, *, attempts: int = 1) -> Result:
    """The result of a cell whose worker did not live to tell."""
    return Result(
        cell.key,
        "failed",
        reason=reason[:_REASON],
        environment=environment(),
        finished=_now(),
        attempts=attempts,
    )


def reason_of(error: BaseException, limit: int | None = None) -> str:
    """One line that says what went wrong; ``limit`` is the memory that there was, in bytes."""
    line = " ".join(str(error).split())
    if _lacked_memory(error):
        most = memory(limit) if limit else "there is"
        line = f"needs more memory than {most}: {line.rstrip(': ')}"
    elif not isinstance(error, ArchscopeError):
        line = f"{type(error).__name__}: {line}"
    return "".join(sign if sign.isprintable() else "?" for sign in line[:_REASON])


def _lacked_memory(error: BaseException | None) -> bool:
    """Whether that is why, or why what it wraps was raised."""
    if error is None:
        return False
    told = not isinstance(error, ArchscopeError) and is_out_of_memory(error)
    return told or _lacked_memory(error.__cause__)


@cache
def environment() -> Mapping[str, Any]:
    """The versions and the machine that a result came from."""
    packages = ("torch", "torchvision", "timm", "transformers", "numpy")
    return {
        "archscope": __version__,
        **{package: version(package) for package in packages},
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


# -- the runs --------------------------------------------------------------------------------------


def _check_plan(task: Task) -> None:
    """Refuse to answer for versions or files other than those in the cells' keys."""
    here = fingerprint(task.setting.reference)
    for name, planned in task.fingerprint.items():
        if here.get(name) != planned:
            is_file = ("." in name and os.sep in name) or name.endswith((".py", ".json", ".pt2"))
            raise InvalidInput(
                f"{name} has changed since the study was planned; resume it to plan anew"
                if is_file or name.endswith(" files")
                else f"{name} is {here.get(name)} here and was planned with {planned}"
            )


def _answers(task: Task) -> Mapping[str, Callable[[], dict[str, Any]]]:
    """What answers each analysis; a run that several share is done here, once."""
    _seed()
    kind = RUNS[task.cells[0].analysis]
    if kind == "trace":
        return _traced(task.setting, _report(task.setting, task.setting.mode))
    if kind == "training":
        return {"training": lambda: _training(task.setting)}
    if kind == "effective_depth":
        return {"effective_depth": lambda: _effective_depth(task.setting)}
    return {analysis: lambda: _measured(task) for analysis in MEASURED}


def _seed() -> None:
    """Some networks, such as detectors, do as much work as they find objects; some draw layers."""
    import torch

    torch.manual_seed(0)
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)


def _traced(setting: Setting, report: Report) -> Mapping[str, Callable[[], dict[str, Any]]]:
    from archscope.comparison.row import DERIVED, identity

    known = identity(report) | _origin(setting)

    def answer(analysis: str) -> dict[str, Any]:
        found = DERIVED[analysis](report)
        if report.trace.mode == "training":
            found = _of_training(analysis, found, report)
        return known | found

    return {analysis: partial(answer, analysis) for analysis in DERIVED}


def _of_training(analysis: str, found: dict[str, Any], report: Report) -> dict[str, Any]:
    if analysis == "memory":
        return {"training_peak_bytes": found["peak_bytes"]}
    if analysis == "compute":
        return found | {name: report.sums[name] for name in _BACKWARD}
    return found


_BACKWARD = ("backward_macs", "backward_flops", "recomputed_macs", "recomputed_flops")


def _origin(setting: Setting) -> dict[str, Any]:
    """Where a network comes from, and whether it is as it was when its accuracy was published."""
    from archscope.comparison.origin import origin

    found = origin(setting.reference)
    own = _is_own_input(setting)
    return {"family": found.family, "source": found.source, "year": found.year, "own_input": own}


def _training(setting: Setting) -> dict[str, Any]:
    from archscope.comparison.row import DERIVED, identity

    report = _report(setting, "training")
    found = identity(report)
    # Not its parameters: with auxiliary heads there are more of them in training.
    same = {name: found[name] for name in ("batch", "input_shape", "dtype")}
    peak = DERIVED["memory"](report)["peak_bytes"]
    return same | _origin(setting) | {"training_peak_bytes": peak}


def _report(setting: Setting, mode: str) -> Report:
    from archscope.analysis import analyze

    return analyze(
        setting.reference,
        batch=setting.batch,
        input=_input(setting),
        mode=mode,
        execution={"dtype": "fp32" if setting.dtype == "tf32" else setting.dtype},
        **setting.options,
    )


def _effective_depth(setting: Setting) -> dict[str, Any]:
    from archscope.comparison.row import network_row

    row = network_row(
        setting.reference,
        batch=setting.batch,
        input=_input(setting),
        analyses=("effective_depth",),
        **setting.options,
    )
    if row["remarks"]:
        raise ArchscopeError(row["remarks"])
    names = ("batch", "input_shape", "effective_depth")  # it is measured in the network's own dtype
    return {name: row[name] for name in names} | _origin(setting)


def _measured(task: Task) -> dict[str, Any]:
    if task.cells[0].analysis == "energy":
        return _energy(task)
    return _latency(task)


def _latency(task: Task) -> dict[str, Any]:
    from archscope.measure.latency import latency_rows

    setting, how = task.setting, task.measurement
    (row,) = latency_rows(
        setting.reference,
        _sample(setting),
        device=task.device,
        batch=setting.batch,
        setting=_run(setting, how.threads),
        precision=how.precision,
        max_seconds=how.max_seconds,
        progress=None,
        options=setting.options,
    )
    return _kept(setting, row)


def _energy(task: Task) -> dict[str, Any]:
    from archscope.measure.energy import LEAST_WINDOW, energy_rows

    setting = task.setting
    (row,) = energy_rows(
        setting.reference,
        _sample(setting),
        device=task.device,
        batch=setting.batch,
        setting=_run(setting),
        window=LEAST_WINDOW,
        repeats=3,
        progress=None,
        options=setting.options,
    )
    return _kept(setting, row)


def _run(setting: Setting, threads: int | None = None) -> Run:
    """How a network is run in a setting."""
    from archscope.measure.workload import Setting as Run

    return Run(setting.dtype or "fp32", setting.mode, threads=threads)


def _sample(setting: Setting) -> Sample | None:
    """What batches are made of, None for the network's own input."""
    from archscope.measure.workload import inputs_or_sample

    return inputs_or_sample(None, _input(setting))


def _kept(setting: Setting, row: dict[str, Any]) -> dict[str, Any]:
    """A measurement without its single samples; one that was not taken is a failure."""
    if row["status"] != "ok":
        raise ArchscopeError(row["status"])
    without = ("samples_ms", "wall_samples_ms")
    kept = {name: row[name] for name in row if name not in without}
    return kept | _origin(setting) | {"date": _now()}


def _input(setting: Setting) -> Any:
    if setting.inputs:
        return list(setting.inputs)
    if setting.size is None:
        return None
    image = _image(setting.reference, setting.text_of_options)
    return (*image[:-2], setting.size, setting.size)


def _is_own_input(setting: Setting) -> bool:
    if setting.inputs or setting.options:
        return False
    own = (setting.size, setting.size)
    return setting.size is None or _image(setting.reference, setting.text_of_options)[-2:] == own


@cache
def _image(reference: str, options: str) -> tuple[int, ...]:
    """The shape of one image that a network takes, without the batch."""
    from archscope.sources.grammar import own_sample

    known = own_sample(reference, json.loads(options))
    shapes = _built_sample(reference, options) if known is None else known
    if len(shapes) != 1 or len(shapes[0]) < 3:
        raise InvalidInput(f"the input of {reference} is not one image, so it has no size to set")
    return shapes[0]


def _built_sample(reference: str, options: str) -> tuple[tuple[int, ...], ...]:
    from archscope.sources import resolve
    from archscope.trace import inputs as given

    subject = resolve(reference, options=json.loads(options))
    positional, named = given.normalise(tuple(subject.inputs)) if subject.inputs else ((), {})
    shapes = given.shapes_of((positional, {**named, **subject.kwargs}))
    return tuple(shape[1:] for shape in shapes)


# -- what it took ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Taken:
    """Seconds on the wall, and of the process."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __add__(self, other: _Taken) -> _Taken:
        return _Taken(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)


class _Clock:
    def __init__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def taken(self, shared_by: int = 1) -> _Taken:
        wall, process = self.began
        return _Taken(
            (time.perf_counter() - wall) / shared_by, (time.process_time() - process) / shared_by
        )


def reset_peak_rss() -> None:
    """Let the peak count from here on, where Linux allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_rss() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _result(cell: Cell, taken: _Taken, values: Mapping[str, Any], reason: str = "") -> Result:
    return Result(
        cell.key,
        "failed" if reason else "done",
        values,
        reason,
        environment(),
        _now(),
        taken.seconds,
        taken.cpu_seconds,
        _peak_rss(),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
