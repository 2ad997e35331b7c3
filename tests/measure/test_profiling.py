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
