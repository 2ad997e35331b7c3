"""The CUDA device, on GPUs on paper that refuse what real ones refuse."""

import gc
import weakref

import pytest
import torch
from paper_cuda import ENQUEUE, Gpus

from archscope.errors import ArchscopeError, InvalidInput
from archscope.measure.devices import Cuda, device_at_hand


@pytest.fixture
def gpus(monkeypatch):
    return Gpus().install(monkeypatch)


class Weights:
    """Memory that kernels read."""


def flushes(cuda, gpus, seconds):
    """What overwrites the cache takes so long."""

    class Flushed:
        def fill_(self, value):
            gpus.kernel(seconds, cuda.name)

    cuda._flushed = Flushed()


@pytest.mark.parametrize("index", [0, 1])
def test_device_time_is_of_the_kernels_and_wall_time_of_the_caller(gpus, index):
    cuda = Cuda(index)

    def run():
        gpus.clock += 0.1  # the caller works before its first kernel, and the device waits
        gpus.kernel(0.5, cuda.name)
        gpus.kernel(0.25, cuda.name)

    found = cuda.sample(run)
    assert found.device == pytest.approx(0.1 + 0.75 + ENQUEUE)
    assert found.wall == pytest.approx(found.device)
    assert gpus._device == 0


def test_the_cache_is_emptied_before_the_time_begins(gpus):
    cuda = Cuda(0)
    flushes(cuda, gpus, 5.0)
    found = cuda.sample(lambda: gpus.kernel(0.5), cold=True)
    assert found.device == found.wall == pytest.approx(0.5 + ENQUEUE)
    assert gpus.clock > 5.5


def test_work_from_before_is_not_in_the_time(gpus):
    cuda = Cuda(0)
    gpus.kernel(3.0)
    assert cuda.sample(lambda: gpus.kernel(0.5)).wall == pytest.approx(0.5 + ENQUEUE)


@pytest.mark.parametrize("index", [0, 1])
def test_a_graph_replays_and_keeps_what_it_reads(gpus, index):
    cuda, weights = Cuda(index), Weights()
    freed = weakref.ref(weights)
    replay = cuda.captured(lambda kept=weights: gpus.kernel(0.5, cuda.name, kept))
    del weights
    gc.collect()
    assert freed() is not None
    assert cuda.sample(replay).device == pytest.approx(0.5 + ENQUEUE)
    del replay
    gc.collect()
    assert freed() is None


def test_captures_share_one_side_stream(gpus):
    cuda = Cuda(0)
    cuda.captured(lambda: gpus.kernel(0.5))
    first = cuda._side
    cuda.captured(lambda: gpus.kernel(0.5))
    assert gpus.captured_on is cuda._side is first is not gpus.current_stream()


def test_a_run_that_waits_for_the_device_is_refused_before_it_is_captured(gpus):
    with pytest.raises(ArchscopeError, match="in a CUDA graph: called a synchronizing"):
        Cuda(0).captured(gpus.item)
    assert gpus.captures == 0 and gpus.sync_mode == 0


def test_a_capture_that_fails_tells_what_went_wrong_first_and_leaves_the_stream(gpus):
    cuda, before = Cuda(1), gpus.current_stream("cuda:1")

    def run():
        if gpus.current_stream("cuda:1").graph is not None:
            gpus.item("cuda:1")

    with pytest.raises(ArchscopeError, match="graph: CUDA error: operation not permitted when str"):
        cuda.captured(run)
    assert gpus.current_stream("cuda:1") is before and gpus._device == 0


def test_too_little_memory_for_a_capture_is_out_of_memory(gpus):
    def run():
        graph = gpus.current_stream().graph
        if graph is not None:
            graph.broken = True
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Cuda(0).captured(run)


def test_memory_is_given_back_also_of_what_is_in_a_cycle(gpus):
    weights = Weights()
    weights.itself, freed = weights, weakref.ref(weights)
    del weights
    Cuda(0).release()
    assert freed() is None and gpus.emptied == 1


def test_after_a_fault_the_fault_is_what_is_told(gpus):
    cuda, gpus.fault = Cuda(0), RuntimeError("CUDA error: an illegal memory access")
    cuda.release()
    with pytest.raises(RuntimeError, match="illegal"):
        cuda.wait()


def test_a_gpu_that_refuses_is_told_in_one_line(gpus):
    gpus.fault = RuntimeError("CUDA error: all CUDA-capable devices are busy\nCompile with ...")
    with pytest.raises(ArchscopeError, match=r"cuda:1 cannot be used: CUDA error: all .* busy$"):
        device_at_hand("cuda:1")


def test_a_gpu_beyond_the_last_is_not_here(gpus):
    assert device_at_hand("cuda:1").name == "cuda:1"
    with pytest.raises(InvalidInput, match=r"there is no cuda:2: .* finds 2 here"):
        device_at_hand("cuda:2")
