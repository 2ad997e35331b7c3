"""How often to run something: until it is warm, then until its median is known well enough.

::

    warm-up |  ...  |  five runs  |  five runs  |   measured   ...
                        medians within 2 %         interval narrow enough, or time is up

A network that is built again lies elsewhere in memory, and takes another time, by up to some per
cent: more runs of one build do not tell. And a machine has moods of many seconds, of which runs
within one second do not tell either. So a network is measured in several builds, over half of the
time at least::

    build | warm-up | a turn of runs | build | a turn | build | a turn | ...
                         median                median            median   -> their median, interval
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from archscope.measure.statistics import Summary, summary, summary_of_builds

_WINDOW = 5
BUILDS = 6  # the fewest whose range has their true median with 95 %: 1 - 2 / 2^6 = 97 %
_REWARMED = 3  # runs after a network was built again, which are not counted
_FEWEST = 3  # runs of a turn
_WARMUP_SECONDS = 10.0  # at most


@dataclass(frozen=True, slots=True)
class Rules:
    """When to stop. Times in seconds."""

    precision: float = 0.01  # half of the median's 95 % interval, in medians
    max_seconds: float = 20.0  # after the warm-up
    min_runs: int = 20
    max_runs: int = 10_000
    steady: float = 0.02  # by which the medians of two windows of the warm-up may differ
    max_warmup_seconds: float = _WARMUP_SECONDS
    max_warmup_runs: int = 200
    turn_seconds: float = 0.2  # of one build, where there are several
    turn_runs: int = 200  # at most
    least_share: float = 0.5  # of max_seconds, over which the turns are spread at least

    @classmethod
    def within(cls, max_seconds: float, precision: float = precision) -> Rules:
        """At most so long; the warm-up of a short measurement is short too."""
        warmup = min(_WARMUP_SECONDS, 10 * max_seconds)
        return cls(precision=precision, max_seconds=max_seconds, max_warmup_seconds=warmup)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: what the device worked and what the caller waited, in seconds."""

    device: float
    wall: float


@dataclass(slots=True)
class Samples:
    """What was measured. A ``partial`` one was interrupted."""

    taken: list[Sample] = field(default_factory=list)
    warmup: int = 0
    steady: bool = False  # before the first sample
    partial: bool = False
    starts: list[int] = field(default_factory=lambda: [0])  # of every build's turn, in ``taken``

    @property
    def device(self) -> Summary:
        """Of the device's time."""
        return self._summary([sample.device for sample in self.taken])

    @property
    def wall(self) -> Summary:
        """Of the time that the caller waits."""
        return self._summary([sample.wall for sample in self.taken])

    @property
    def precision(self) -> float:
        """Half of the width of the median's 95 % interval, in medians: how well it is known."""
        times = [sample.device for sample in self.taken], [sample.wall for sample in self.taken]
        return max(_known_to(self._turns(one)) for one in times)

    @property
    def builds(self) -> int:
        """How many builds of the network were measured."""
        return sum(start < len(self.taken) for start in self.starts)

    def _summary(self, times: list[float]) -> Summary:
        turns = self._turns(times)
        return summary_of_builds(turns) if len(turns) > 1 else summary(times)

    def _turns(self, times: list[float]) -> list[list[float]]:
        ends = [*self.starts[1:], len(times)]
        return [times[i:j] for i, j in zip(self.starts, ends, strict=True) if i < j]


def _known_to(turns: list[list[float]]) -> float:
    return summary([median(turn) for turn in turns] if len(turns) > 1 else turns[0]).precision


Progress = Callable[[Samples, float], None]  # so far, the warm-up too; most seconds that remain


def collect(
    take: Callable[[], Sample],
    now: Callable[[], float],
    rules: Rules,
    progress: Progress | None = None,
) -> Samples:
    """Warm up, then sample until the median is known to ``rules.precision`` or time is up.

    An interrupt ends it; what was measured by then is kept, marked partial.

    Args:
        take: runs once.
        now: the clock, in seconds.
        rules: when to stop.
        progress: called after every run, also those of the warm-up.
    """
    samples = Samples()
    with _interruptible(samples):
        _warm_up(take, now, rules, samples, progress)
        _until_known(take, now, rules, samples, progress)
    return samples


def collect_over_builds(
    build: Callable[[], Callable[[], Sample]],
    now: Callable[[], float],
    rules: Rules,
    progress: Progress | None = None,
    samples: Samples | None = None,
) -> Samples:
    """The same over several builds of a network, each measured for a turn.

    The turns end when the median of their medians is known to ``rules.precision``, from six on and
    after half of the time, or when time is up. A network whose building and warming take most of a
    sixth of the time is measured in one build.

    Args:
        build: makes the network anew and returns what runs it once; it has let go of the one
            before.
        now: the clock, in seconds.
        rules: when to stop; building again takes of that time.
        progress: called after every run, also those of the warm-up.
        samples: filled, and returned; where a build fails it has those of the builds before.
    """
    samples = Samples() if samples is None else samples
    with _interruptible(samples):
        began = now()
        take = build()
        building = now() - began
        walls = _warm_up(take, now, rules, samples, progress)
        # A first run is where a compiler works.
        again = building + walls[0] + _REWARMED * walls[-1]
        turn = rules.max_seconds / BUILDS - again
        if turn < _FEWEST * walls[-1]:
            _until_known(take, now, rules, samples, progress)
            return samples
        start = now()
        _turn(take, now, rules, samples, progress, turn, start + rules.max_seconds)
        while not _known(samples, now() - start, rules):
            del take  # one network at a time has to fit
            take = build()
            for _ in range(_REWARMED):
                take()
            samples.starts.append(len(samples.taken))
            _turn(take, now, rules, samples, progress, turn, start + rules.max_seconds)
    return samples


@contextmanager
def _interruptible(samples: Samples) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        samples.partial = True


def _turn(
    take: Callable[[], Sample],
    now: Callable[[], float],
    rules: Rules,
    samples: Samples,
    progress: Progress | None,
    most: float,
    ends: float,
) -> None:
    """The runs of one build: enough for its median, and for at most so many seconds; the time of
    all builds ends then.
    """
    start, first = now(), len(samples.taken)
    while True:
        samples.taken.append(take())
        runs, seconds = len(samples.taken) - first, now() - start
        if progress is not None:
            progress(samples, max(ends - now(), most - seconds, 0.0))
        enough = runs >= rules.min_runs and seconds >= rules.turn_seconds
        out_of_time = runs >= _FEWEST and seconds >= most
        if enough or out_of_time or runs >= rules.turn_runs:
            return


def _known(samples: Samples, seconds: float, rules: Rules) -> bool:
    """Whether the median over the builds is known, or time is up."""
    if samples.builds < BUILDS:
        return False
    if seconds >= rules.max_seconds or len(samples.taken) >= rules.max_runs:
        return True
    return seconds >= rules.least_share * rules.max_seconds and samples.precision <= rules.precision


def _until_known(
    take: Callable[[], Sample],
    now: Callable[[], float],
    rules: Rules,
    samples: Samples,
    progress: Progress | None,
) -> None:
    start = now()
    while not _enough(samples, now() - start, rules):
        samples.taken.append(take())
        if progress is not None:
            progress(samples, max(rules.max_seconds - (now() - start), 0.0))


def _warm_up(
    take: Callable[[], Sample],
    now: Callable[[], float],
    rules: Rules,
    samples: Samples,
    progress: Progress | None,
) -> list[float]:
    """Run until two windows of runs are alike, or time is up; how long the caller waited."""
    start = now()
    walls: list[float] = []
    while True:
        walls.append(take().wall)
        samples.warmup += 1
        if len(walls) >= 2 * _WINDOW:
            before, after = median(walls[-2 * _WINDOW : -_WINDOW]), median(walls[-_WINDOW:])
            samples.steady = abs(after - before) <= rules.steady * before
        seconds = now() - start
        out_of_time = seconds >= rules.max_warmup_seconds
        if samples.steady or out_of_time or samples.warmup >= rules.max_warmup_runs:
            return walls
        if progress is not None:
            left = max(rules.max_warmup_seconds - seconds, 0.0) + rules.max_seconds
            progress(samples, left)


def _enough(samples: Samples, seconds: float, rules: Rules) -> bool:
    runs = len(samples.taken)
    if runs == 0:
        return False
    if seconds >= rules.max_seconds or runs >= rules.max_runs:
        return True
    # The interval is looked at ever more rarely: sorting all samples at each would take longer
    # than a short run.
    looks = runs >= rules.min_runs and runs % max(rules.min_runs // 2, runs // 10) == 0
    return looks and samples.precision <= rules.precision
