"""How often to run something: until it is warm, then until its median is known well enough.

::

    warm-up |  ...  |  five runs  |  five runs  |   measured   ...
                        medians within 2 %         interval narrow enough, or time is up
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from archscope.measure.statistics import Summary, summary

_WINDOW = 5


@dataclass(frozen=True, slots=True)
class Rules:
    """When to stop. Times in seconds."""

    precision: float = 0.01  # half of the median's 95 % interval, in medians
    max_seconds: float = 20.0  # after the warm-up
    min_runs: int = 20
    max_runs: int = 10_000
    steady: float = 0.02  # by which the medians of two windows of the warm-up may differ
    max_warmup_seconds: float = 10.0
    max_warmup_runs: int = 200


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

    @property
    def device(self) -> Summary:
        """Of the device's time."""
        return summary([sample.device for sample in self.taken])

    @property
    def wall(self) -> Summary:
        """Of the time that the caller waits."""
        return summary([sample.wall for sample in self.taken])


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
    try:
        _warm_up(take, now, rules, samples, progress)
        start = now()
        while not _enough(samples, now() - start, rules):
            samples.taken.append(take())
            if progress is not None:
                progress(samples, max(rules.max_seconds - (now() - start), 0.0))
    except KeyboardInterrupt:
        samples.partial = True
    return samples


def _warm_up(
    take: Callable[[], Sample],
    now: Callable[[], float],
    rules: Rules,
    samples: Samples,
    progress: Progress | None,
) -> None:
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
            return
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
    return looks and max(samples.device.precision, samples.wall.precision) <= rules.precision
