"""torch.cuda on paper: GPUs with streams, events and graphs that are as strict as the real ones.

A kernel is put at the end of a stream and takes its time there, while the caller goes on. What the
real ones refuse is refused here: an elapsed time of events that are not over, a wait during a
capture; and what they would let pass and do wrong is an error: a replay that reads freed memory.
"""

import weakref
from contextlib import contextmanager
from types import SimpleNamespace

import torch

ENQUEUE = 1e-6  # s of the caller for each kernel


class Stream:
    def __init__(self, device, gpus):
        self.device, self._gpus, self.until, self.graph = torch.device(device), gpus, 0.0, None

    def wait_stream(self, other):
        assert self.device == other.device
        self.until = max(self.until, other.until)


class Event:
    def __init__(self, gpus, enable_timing=False):
        self._gpus, self._timing, self.at, self.device = gpus, enable_timing, None, None

    def record(self):
        stream = self._gpus.current_stream()
        assert stream.graph is None
        self.at, self.device = max(stream.until, self._gpus.clock), stream.device

    def elapsed_time(self, end):
        if not (self._timing and end._timing) or self.at is None or end.at is None:
            raise RuntimeError("Both events must be created with 'enable_timing=True' and recorded")
        if max(self.at, end.at) > self._gpus.clock:
            raise RuntimeError("Both events must be completed before calculating elapsed time.")
        assert self.device == end.device
        return 1e3 * (end.at - self.at)


class Graph:
    def __init__(self, gpus):
        self._gpus, self.kernels, self.reads, self.broken = gpus, [], [], False

    def capture_end(self):
        stream = self._gpus.current_stream()
        stream.graph = None
        if self.broken:
            raise RuntimeError("CUDA error: operation failed due to a previous error\nmore")

    def replay(self):
        assert all(memory() is not None for memory in self.reads), "it reads what was freed"
        for seconds, device in self.kernels:
            self._gpus.kernel(seconds, device)


class Gpus:
    """``install`` puts them in the place of torch's."""

    def __init__(self, count=2):
        self.clock, self.sync_mode, self.emptied, self.fault = 0.0, 0, 0, None
        self.captures, self.captured_on = 0, None
        self._device = 0
        self._current = [Stream(f"cuda:{i}", self) for i in range(count)]

    def install(self, monkeypatch):
        names = (
            *("current_stream", "synchronize", "empty_cache", "graph", "stream", "device"),
            *("get_sync_debug_mode", "set_sync_debug_mode", "get_device_properties"),
        )
        for name in names:
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "Event", lambda **how: Event(self, **how))
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream(device, self))
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: Graph(self))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(self._current))
        monkeypatch.setattr("archscope.measure.devices.perf_counter", lambda: self.clock)
        return self

    def kernel(self, seconds, device="cuda:0", reads=None):
        """Enqueued on the current stream of that device."""
        stream = self._current[torch.device(device).index]
        if stream.graph is not None:
            stream.graph.kernels.append((seconds, device))
            if reads is not None:
                stream.graph.reads.append(weakref.ref(reads))
            return
        self.clock += ENQUEUE
        stream.until = max(stream.until, self.clock) + seconds

    def item(self, device="cuda:0"):
        """The caller waits for a value, as ``Tensor.item`` does."""
        stream = self._current[torch.device(device).index]
        if self.sync_mode:
            raise RuntimeError("called a synchronizing CUDA operation")
        if stream.graph is not None:
            stream.graph.broken = True
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        self.synchronize(device)

    def current_stream(self, device=None):
        return self._current[self._index(device)]

    def synchronize(self, device=None):
        if self.fault is not None:
            raise self.fault
        stream = self._current[self._index(device)]
        assert stream.graph is None
        self.clock = max(self.clock, stream.until)

    def empty_cache(self):
        if self.fault is not None:
            raise self.fault
        self.emptied += 1

    def get_device_properties(self, device):
        return SimpleNamespace(name="paper", uuid=f"paper-{device}", L2_cache_size=1024)

    def get_sync_debug_mode(self):
        return self.sync_mode

    def set_sync_debug_mode(self, mode):
        self.sync_mode = {"error": 2}.get(mode, mode)

    @contextmanager
    def device(self, device):
        before, self._device = self._device, self._index(device)
        try:
            yield
        finally:
            self._device = before

    @contextmanager
    def stream(self, stream):
        device, before = self._device, self._current[stream.device.index]
        self.set_stream(stream)
        try:
            yield
        finally:
            self.set_stream(before)
            self._device = device

    def set_stream(self, stream):
        self._device = stream.device.index
        self._current[self._device] = stream

    def graph(self, graph, stream):
        return Capture(self, graph, stream)

    def _index(self, device):
        return self._device if device is None else torch.device(device).index


class Capture:
    """As torch's: where the end of a capture fails, its stream stays the current one."""

    def __init__(self, gpus, graph, stream):
        self.gpus, self.graph, self.stream = gpus, graph, stream

    def __enter__(self):
        self.gpus.captures += 1
        self.gpus.captured_on = self.stream
        self.gpus.synchronize()
        self.before = self.gpus.current_stream()
        self.gpus.set_stream(self.stream)
        self.stream.graph = self.graph

    def __exit__(self, *error):
        self.graph.capture_end()
        self.gpus.set_stream(self.before)
