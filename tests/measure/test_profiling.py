"""The profiler's export as events: written by hand as a GPU's is, and of a real pass on the CPU."""

import pytest
from torch import nn

from archscope.errors import ArchscopeError
from archscope.measure.attribution import attribute
from archscope.measure.profiling import events_of, profiled_pass

CALLER, ENGINE, STREAM = 100, 200, 7


def event(category, name, start, duration, thread=CALLER, **arguments):
    return {
        "ph": "X",
        "cat": category,
        "name": name,
        "ts": 5e9 + start,
        "dur": duration,
        "tid": thread,
        "args": {key.replace("_", " "): value for key, value in arguments.items()},
    }


# As kineto writes a linear layer's training on a GPU; times in microseconds.
GPU = [
    {"ph": "M", "name": "process_name"},
    event("cpu_op", "archscope::pass", 0, 1000),
    event("gpu_user_annotation", "archscope::pass", 60, 500, STREAM),
    event("cpu_op", "archscope::call::0", 10, 200),
    event("cpu_op", "aten::linear", 20, 100, Sequence_number=4, Fwd_thread_id=0),
    event("cuda_runtime", "cudaLaunchKernel", 40, 5, correlation=11),
    event("cuda_runtime", "cudaEventRecord", 50, 1, correlation=12),
    event("kernel", "gemm", 60, 100, STREAM, correlation=11),
    event(
        "cpu_op",
        "autograd::engine::evaluate_function: AddmmBackward0",
        300,
        80,
        ENGINE,
        Sequence_number=4,
        Fwd_thread_id=1,
    ),
    event("cuda_driver", "cuLaunchKernelEx", 310, 5, ENGINE, correlation=13),
    event("cuda_runtime", "cudaMemsetAsync", 320, 5, ENGINE, correlation=14),
    event("kernel", "gemm_dgrad", 330, 200, STREAM, correlation=13),
    event("gpu_memset", "Memset", 530, 10, STREAM, correlation=14),
    event("cuda_runtime", "cudaDeviceSynchronize", 400, 590, correlation=15),
]


def test_a_gpu_s_trace_is_read_as_kineto_writes_it():
    times = attribute(events_of(GPU, [("fc", 1)]), on_cpu=False)
    spent = times.calls["fc", 1]
    assert times.whole == 1_000_000
    assert spent.own == (100 + 200 + 10) * 1000
    assert spent.backward == 210_000
    assert spent.kernels == 3
    assert times.launch == (60 - 40 + 330 - 310) * 1000
    assert times.idle == (990 - 540) * 1000
    assert times.own + times.host + times.launch + times.idle == pytest.approx(times.whole)


def whole(category, name, start, duration, pid, tid, **arguments):
    """An event with all that kineto writes of it in torch 2.11 to 2.13."""
    found = event(category, name, start, duration, tid, **arguments)
    return {**found, "pid": pid}


def kernel_event(name, start, duration, correlation, external, **graph):
    shape = {"grid": [132, 1, 1], "block": [384, 1, 1], "shared memory": 0}
    where = {"device": 0, "context": 1, "stream": STREAM, "queued": 0}
    numbers = {"External id": external, "correlation": correlation, **graph}
    found = whole("kernel", name, start, duration, 0, STREAM)
    return {**found, "args": {**numbers, **where, **shape, "registers per thread": 168}}


CUPTI_CALLER, CUPTI_ENGINE = 139_911_425_763_136, 139_905_010_190_016  # as pthread has them
TRAINING = [
    {"ph": "M", "name": "thread_name", "pid": 0, "tid": STREAM, "args": {"name": "stream 7"}},
    {"ph": "X", "cat": "Trace", "name": "PyTorch Profiler (0)", "ts": 5e9, "dur": 1010},
    whole("overhead", "Activity Buffer Request", -20, 10, -1, 0),
    whole("cpu_op", "archscope::first", -5, 1, 1, CALLER, External_id=1),
    whole("cpu_op", "archscope::pass", 0, 1000, 1, CALLER, External_id=2),
    whole("cpu_op", "archscope::call::0", 10, 300, 1, CALLER, External_id=3),
    whole(
        *("cpu_op", "aten::linear", 20, 250, 1, CALLER),
        **{"External_id": 4, "Sequence_number": 4, "Fwd_thread_id": 0},
    ),
    # The runtime's events have the threads of CUPTI where kineto does not know them.
    whole(
        *("cuda_runtime", "cudaOccupancyMaxActiveBlocksPerMultiprocessor", 25, 2, 1, CUPTI_CALLER),
        **{"External_id": 4, "cbid": 251, "correlation": 10},
    ),
    whole(
        *("cuda_runtime", "cudaLaunchKernelExC", 40, 5, 1, CUPTI_CALLER),
        **{"External_id": 4, "cbid": 430, "correlation": 11},
    ),
    {"ph": "s", "id": 11, "pid": 1, "tid": CUPTI_CALLER, "ts": 5e9 + 40, "cat": "ac2g"},
    kernel_event("gemm", 60, 100, 11, 4),
    # A library that replays a graph of its own: one launch, many kernels.
    whole(
        *("cuda_runtime", "cudaGraphLaunch", 150, 9, 1, CUPTI_CALLER),
        **{"External_id": 4, "cbid": 311, "correlation": 12},
    ),
    kernel_event("step", 170, 20, 12, 4, **{"graph id": 5, "graph node id": 1}),
    kernel_event("step", 200, 20, 12, 4, **{"graph id": 5, "graph node id": 2}),
    whole("cpu_op", "archscope::call::1", 350, 50, 1, CALLER, External_id=5),
    # A call that kineto has no name for launches as well.
    whole(
        *("cuda_driver", "INVALID", 360, 5, 1, CUPTI_CALLER),
        **{"External_id": 5, "cbid": 9999, "correlation": 13},
    ),
    kernel_event("relu", 370, 30, 13, 5),
    whole(
        *("cpu_op", "autograd::engine::evaluate_function: AddmmBackward0", 420, 80, 1, ENGINE),
        **{"External_id": 6, "Sequence_number": 4, "Fwd_thread_id": 1},
    ),
    whole(
        *("cuda_runtime", "cudaLaunchKernel", 430, 5, 1, CUPTI_ENGINE),
        **{"External_id": 6, "cbid": 211, "correlation": 14},
    ),
    kernel_event("dgrad", 450, 200, 14, 6),
    whole(
        *("cuda_runtime", "cudaStreamSynchronize", 440, 20, 1, CUPTI_ENGINE),
        **{"External_id": 6, "cbid": 131, "correlation": 15},
    ),
    whole(
        *("cuda_runtime", "cudaDeviceSynchronize", 520, 470, 1, CUPTI_CALLER),
        **{"External_id": 2, "cbid": 165, "correlation": 16},
    ),
    {**whole("cuda_sync", "Context Sync", 650, 340, 0, 1_000_007), "args": {"stream": -1}},
    {"ph": "i", "s": "g", "name": "Record Window End", "pid": "", "tid": "", "ts": 5e9 + 1010},
]


def test_threads_graphs_and_nameless_launches_of_a_real_trace_are_understood():
    found = events_of(TRAINING, [("fc", 1), ("relu", 1)])
    assert {launch.thread for launch in found.launches} == {CALLER, ENGINE}
    assert len(found.waits) == 1  # the engine's own is no wait of the caller
    times = attribute(found, on_cpu=False)
    fc, relu = times.calls["fc", 1], times.calls["relu", 1]
    assert (fc.own, fc.backward, fc.kernels) == (340_000, 200_000, 4)
    assert (relu.own, relu.kernels) == (30_000, 1)
    assert times.outside.own == 0
    assert times.launch == (20 + 10 + 10 + 10 + 20) * 1000
    assert times.idle == (990 - 650) * 1000
    assert times.own + times.host + times.launch + times.idle == pytest.approx(times.whole)


def test_a_gpu_on_which_no_kernel_is_seen_is_refused(monkeypatch):
    import torch

    def without_cupti(activities, **how):
        return torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], **how)

    monkeypatch.setattr("archscope.measure.profiling.profile", without_cupti)
    model, x = nn.Linear(2, 2), torch.ones(1, 2)
    with pytest.raises(ArchscopeError, match="saw no kernels: it needs CUPTI"):
        profiled_pass(model, lambda: model(x), on_cpu=False)


def test_a_trace_without_the_pass_is_refused():
    with pytest.raises(ArchscopeError, match="no record"):
        events_of(GPU[3:], [("fc", 1)])


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x):
        return self.inner(self.inner(x))


def test_a_real_pass_has_every_call_and_leaves_modules_as_they_were():
    import torch

    model, x, before = Twice(), torch.randn(2, 8), nn.Module.__call__
    events, seconds = profiled_pass(model, lambda: model(x).sum().backward(), on_cpu=True)
    times = attribute(events, on_cpu=True)
    assert nn.Module.__call__ is before
    assert set(times.calls) == {("", 1)} | {
        (path, call) for path in ("inner", "inner.0", "inner.1") for call in (1, 2)
    }
    assert times.parents["inner.0", 2] == ("inner", 2)
    assert times.calls["inner.0", 1].backward > 0 and times.calls["inner.1", 2].backward > 0
    assert times.whole / 1e9 == pytest.approx(seconds, rel=0.02, abs=5e-5)
