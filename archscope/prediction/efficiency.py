"""How much of its roof each kind of operator reaches: the model, and the ones that are shipped.

The time of a run is the sum over kinds k of operators::

    t = sum_k  compute_k C_k + memory_k M_k + launch_k N_k

with C_k the seconds that its arithmetic takes at the device's peak rate, M_k those that its
compulsory traffic takes at the peak bandwidth, and N_k its launches. The coefficients are fitted to
measured latencies and never negative, so that more work never takes less time. An operator's share
of the roof thus grows with its size, as it does on real devices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from archscope.devices import LEARNED, Device, device_from
from archscope.prediction.work import Work


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Of one kind of operator: times its compute and memory seconds; seconds a launch.

    ``families`` is how many families of networks it was learned from. With none it is a guess.
    """

    compute: float
    memory: float
    launch: float
    families: int

    def seconds(self, work: Work) -> float:
        """What this work takes."""
        return self.compute * work.compute + self.memory * work.memory + self.launch * work.launches


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Errors on families that had no part in the fit; relative, 0.1 is 10 %.

    ``low`` and ``high`` are the 5 % and 95 % quantiles of measured over predicted, ``coverage``
    the share of rows that such an interval, made without their family, holds.
    """

    rows: int
    families: int
    median: float
    p90: float
    rank_correlation: float
    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Learned on one device, in one setting."""

    device: Device
    dtype: str
    mode: str
    kinds: Mapping[str, Coefficients]
    held_out: HeldOut
    batches: tuple[int, ...]
    shortest_ms: float  # of the latencies that were learned from
    longest_ms: float
    conditions: Mapping[str, Any]

    def seconds(self, works: Iterable[Work]) -> float:
        """What a run of this work takes."""
        return sum(self.kinds[work.kind].seconds(work) for work in works)

    def guessed(self, works: Iterable[Work]) -> float:
        """The share of a run's time in kinds that no measured network has."""
        times = {work.kind: self.kinds[work.kind].seconds(work) for work in works}
        whole = sum(times.values())
        unknown = sum(time for kind, time in times.items() if not self.kinds[kind].families)
        return unknown / whole if whole else 0.0


@cache
def efficiencies() -> tuple[Efficiency, ...]:
    """What was learned, and is shipped, device by device."""
    return tuple(_read(entry) for entry in json.loads(LEARNED.read_text(encoding="utf-8")))


def written(found: Sequence[Efficiency]) -> str:
    """The text of the table that ``efficiencies`` reads."""
    return json.dumps([_rounded(asdict(one)) for one in found], indent=1) + "\n"


def _read(entry: Mapping[str, Any]) -> Efficiency:
    kinds = {kind: Coefficients(**values) for kind, values in entry["kinds"].items()}
    return Efficiency(
        **{
            **entry,
            "device": device_from(entry["device"]),
            "kinds": kinds,
            "held_out": HeldOut(**entry["held_out"]),
            "batches": tuple(entry["batches"]),
        }
    )


def _rounded(value: Any) -> Any:
    """Five digits, more than any of these figures has."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
