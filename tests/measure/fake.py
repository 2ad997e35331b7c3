"""A device whose clock and times are known."""

from collections.abc import Iterable, Iterator

from archscope.measure.sampling import Sample
from archscope.measure.sensors import NoSensors, Reading


class Script:
    """Sensors that read what they are told to, the last reading for ever."""

    driver = "1.0"

    def __init__(self, *readings: Reading):
        self.readings = list(readings)

    def read(self):
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


class Fake:
    """Every run takes the next of the given seconds: wall time, device time a half of it."""

    name = "cuda:0"
    title = "fake"

    def __init__(self, seconds: Iterable[float | BaseException], sensors=None):
        self.seconds: Iterator[float | BaseException] = iter(seconds)
        self.sensors = sensors or NoSensors()
        self.clock = self.each_wait = 0.0
        self.memory = None
        self.runs = self.graphs = self.released = 0
        self.cold = []

    def now(self):
        return self.clock

    def place(self, value):
        return value

    def sample(self, run, *, cold=False):
        self.cold.append(cold)
        self.runs += 1
        took = next(self.seconds)
        if isinstance(took, BaseException):
            raise took
        self.clock += took
        return Sample(took / 2, took)

    def captured(self, run):
        self.graphs += 1
        return run

    def wait(self):
        self.clock += self.each_wait

    def idle(self, seconds):
        self.clock += seconds

    def meter(self):
        return Watts(self)

    def release(self):
        self.released += 1

    def spare(self):
        return self.memory


class Watts:
    """10 W of idling, and 2 J for every run on top."""

    title = "known joules"

    def __init__(self, device):
        self.device = device
        self.done = 0

    def joules(self):
        return 10 * self.device.clock + 2 * self.done

    def run(self):
        """Half a second of work."""
        self.device.clock += 0.5
        self.done += 1
