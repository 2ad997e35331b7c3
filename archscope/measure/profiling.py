"""One pass as plain events: what torch's profiler saw, read from the trace that it exports.

The export (Chrome's trace format) is the profiler's documented, stable side. On a GPU it has the
kernels, the runtime's calls and, in ``correlation``, which call launched which kernel (CUPTI).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import nn

# torch.profiler.record_function takes 6 us a call, which in a network of small layers is a fifth
# of the time; this one takes 0.6 us. Private; tested with torch 2.13.
from torch._C._profiler import _RecordFunctionFast
from torch.profiler import ProfilerActivity, profile

from archscope.errors import ArchscopeError
from archscope.measure.attribution import Events, Kernel, Launch, Operator, Span, Wait

_PASS = "archscope::pass"
_FIRST = "archscope::first"
_CALL = "archscope::call::"
_NODE = "autograd::engine::evaluate_function"
_WORK = ("kernel", "gpu_memcpy", "gpu_memset")
_RUNTIME = ("cuda_runtime", "cuda_driver")
_HOST = ("cpu_op", "user_annotation")
_LAUNCHES = ("Launch", "Memcpy", "Memset")
_UNKNOWN = -1

# Kineto reports that it starts and stops on stderr, as an error.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")


def profiled_pass(
    network: nn.Module, run: Callable[[], Any], *, on_cpu: bool
) -> tuple[Events, float]:
    """Run once under the profiler, without synchronising inside.

    Args:
        network: whose module calls are noted.
        run: runs it, and waits for the device at the end.
        on_cpu: there are no kernels to record.

    Returns:
        What the profiler saw, and the seconds of the pass by the caller's own clock.

    Raises:
        ArchscopeError: the profiler has no record of the pass, or on a GPU of any kernel.
    """
    activities = [ProfilerActivity.CPU] + ([] if on_cpu else [ProfilerActivity.CUDA])
    calls: list[tuple[str, int]] = []
    with profile(activities=activities, acc_events=True) as profiler, _noted(network, calls):
        with _RecordFunctionFast(_FIRST):  # the first event of a thread makes its queue
            pass
        start = perf_counter()
        with _RecordFunctionFast(_PASS):
            run()
        seconds = perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        trace = json.loads(path.read_text(encoding="utf-8"))
    found = events_of(trace["traceEvents"], calls)
    if not on_cpu and not found.kernels:
        raise ArchscopeError(
            "the profiler saw no kernels: it needs CUPTI and the permission to use it, or the run "
            "launches none"
        )
    return found, seconds


def events_of(trace: Sequence[Mapping[str, Any]], calls: Sequence[tuple[str, int]]) -> Events:
    """The events of a trace in Chrome's format.

    Args:
        trace: its ``traceEvents``; times in microseconds.
        calls: path and number of every module call, in the order of their marks.

    Raises:
        ArchscopeError: the pass itself is not in it.
    """
    complete = [event for event in trace if event.get("ph") == "X"]
    work = [event for event in complete if event.get("cat") in _WORK]
    correlated = {event.get("args", {}).get("correlation") for event in work}
    thread = _threads(complete)
    marks = [
        event for event in complete if event["name"] == _PASS and "gpu" not in event.get("cat", "")
    ]
    if not marks:
        raise ArchscopeError("the profiler has no record of the pass")
    whole = marks[0]
    origin = whole["ts"]

    def span(event: Mapping[str, Any]) -> tuple[int, int]:
        start = round(1e3 * (event["ts"] - origin))
        return start, start + round(1e3 * event["dur"])

    spans, operators, launches, kernels, waits = [], [], [], [], []
    for event in complete:
        category, name = event.get("cat"), event["name"]
        arguments = event.get("args", {})
        start, end = span(event)
        if category in _HOST:
            if name.startswith(_CALL):
                path, call = calls[int(name.removeprefix(_CALL))]
                spans.append(Span(path, call, event["tid"], start, end))
            elif category == "cpu_op" and name not in (_PASS, _FIRST):
                number = arguments.get("Sequence number")
                node = name.startswith(_NODE) or bool(arguments.get("Fwd thread id"))
                operators.append(Operator(event["tid"], start, end, number, node))
        elif category in _RUNTIME:
            correlation = arguments.get("correlation", _UNKNOWN)
            if "Synchronize" in name and thread(event) == whole["tid"]:
                waits.append(Wait(start, end))
            elif correlation in correlated or any(word in name for word in _LAUNCHES):
                launches.append(Launch(correlation, thread(event), start))
        elif category in _WORK:
            kernels.append(Kernel(arguments.get("correlation", _UNKNOWN), start, end))
    _, end = span(whole)
    return Events(0, end, whole["tid"], spans, operators, launches, kernels, waits)


def _threads(complete: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], int]:
    """The thread of a call of the runtime, by the number that operators have.

    CUPTI knows threads by other numbers, which kineto translates where it can; where it could not,
    the operator that made the call tells ("External id").
    """
    host = [event for event in complete if event.get("cat") in _HOST]
    known = {event["tid"] for event in host}
    callers = {event.get("args", {}).get("External id"): event["tid"] for event in host}

    def thread(event: Mapping[str, Any]) -> int:
        if event["tid"] in known:
            return event["tid"]
        return callers.get(event.get("args", {}).get("External id", _UNKNOWN), event["tid"])

    return thread


@contextmanager
def _noted(network: nn.Module, calls: list[tuple[str, int]]) -> Iterator[None]:
    """Mark every module call; ``nn.Module.__call__`` is put back afterwards.

    Hooks would do, but that ``nn.TransformerEncoder`` takes another path where it sees them.
    """
    original = nn.Module.__call__
    names = {id(module): path for path, module in network.named_modules()}
    times: dict[str, int] = {}

    def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        path = names.get(id(module), type(module).__name__)
        times[path] = times.get(path, 0) + 1
        calls.append((path, times[path]))
        with _RecordFunctionFast(f"{_CALL}{len(calls) - 1}"):
            return original(module, *args, **kwargs)

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]
