"""From measured latencies to the efficiencies that archscope ships, and their held-out errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.analysis import analyze
from archscope.analyzers.roofline import estimate
from archscope.calibrated import device_of
from archscope.devices import Device
from archscope.measure.ceilings import listed
from archscope.prediction.efficiency import Efficiency
from archscope.prediction.fitting import Measured, fit, judge, left_out, predicted
from archscope.prediction.work import works
from archscope.trace.records import Op
from benchmarks.prediction_measure import DATA, read
from benchmarks.prediction_networks import UNSEEN_FAMILY

LEAST_BUSY = 0.95  # share of the threads' time, below which a row on several threads is disturbed


@dataclass(frozen=True)
class Latency:
    """One network at one setting: the quickest of its undisturbed rounds, in seconds."""

    family: str
    model: str
    batch: int
    seconds: float
    rounds: int


@dataclass(frozen=True)
class Learned:
    """One setting of one device: what was measured, what was left out, what was predicted."""

    efficiency: Efficiency
    latencies: tuple[Latency, ...]
    disturbed: int  # rows that were not used
    predicted: NDArray[np.float64]  # seconds, each without its own family
    unseen: tuple[Latency, ...]  # which had no part in the fit
    unseen_predicted: NDArray[np.float64]


def learn(told: Callable[[str], None]) -> list[Learned]:
    """Fit every setting of every table."""
    found = []
    for table in sorted(DATA.glob("latency-*.csv")):
        about = json.loads(table.with_suffix(".json").read_text())
        for calibration in about["ceilings"]:
            threads = calibration["threads"]
            latencies, disturbed = _quickest(read(table), threads)
            if latencies:
                told(f"{table.stem}, threads {threads}: {len(latencies)} latencies")
                device = _device(table.stem.partition("-")[2], about, calibration)
                found.append(_learned(about, device, latencies, disturbed, told))
    return found


def _learned(
    about: dict[str, Any],
    device: Device,
    latencies: tuple[Latency, ...],
    disturbed: int,
    told: Callable[[str], None],
) -> Learned:
    known = tuple(one for one in latencies if one.family != UNSEEN_FAMILY)
    unseen = tuple(one for one in latencies if one.family == UNSEEN_FAMILY)
    rows = [_row(one, device) for one in known]
    told("fitting without each family in turn")
    apart = left_out(rows)
    milliseconds = [1e3 * one.seconds for one in known]
    kinds = fit(rows)
    efficiency = Efficiency(
        device=device,
        dtype="fp32",
        mode="inference",
        kinds=kinds,
        held_out=judge(rows, apart),
        batches=tuple(sorted({one.batch for one in known})),
        shortest_ms=min(milliseconds),
        longest_ms=max(milliseconds),
        conditions=_conditions(about),
    )
    new = predicted(kinds, [_row(one, device) for one in unseen])
    return Learned(efficiency, known, disturbed, apart, unseen, new)


def _row(one: Latency, device: Device) -> Measured:
    ops = _operators(one.model, one.batch, device.kind)
    return Measured(one.family, works(ops, device), one.seconds)


def _device(name: str, about: dict[str, Any], calibration: dict[str, Any]) -> Device:
    """The ceilings that the efficiencies are of: a GPU's card, else as calibrated."""
    threads = calibration["threads"]
    card = None if threads else listed(about["title"])
    if card is not None:
        return card
    titled = {**calibration, "title": about["processor"]}
    found = device_of(titled, source="calibrated")
    return replace(found, name=f"{name}-{threads}t" if threads else name)


def _conditions(about: dict[str, Any]) -> dict[str, Any]:
    names = ("torch", "cuda", "cudnn", "system", "cpu_capability")
    environment = {name: about["environment"].get(name) for name in names}
    return {
        "title": about["title"],
        "processor": about["processor"],
        "method": about["method"],
        "date": max(row["date"] for row in about["ceilings"])[:10],
        **environment,
    }


def _quickest(rows: list[dict[str, str]], threads: int | None) -> tuple[tuple[Latency, ...], int]:
    """Of every network and batch, and how many rows were disturbed."""
    times: dict[tuple[str, str, int], list[float]] = {}
    disturbed = 0
    for row in rows:
        if row["status"] != "ok" or row["threads"] != str(threads or ""):
            continue
        seconds = _seconds(row)
        if seconds is None:
            disturbed += 1
            continue
        key = (row["family"], row["model"], int(row["batch"]))
        times.setdefault(key, []).append(seconds)
    found = tuple(Latency(*key, min(taken), len(taken)) for key, taken in sorted(times.items()))
    return found, disturbed


def _seconds(row: dict[str, str]) -> float | None:
    """On one thread the process's own time, which nothing else on the machine is part of."""
    if row["threads"] == "1":
        return float(row["cpu_ms_p50"]) / 1e3
    if row["busy"] and float(row["busy"]) < LEAST_BUSY:
        return None
    return float(row["latency_ms_p50"]) / 1e3


@cache
def _operators(model: str, batch: int, kind: str) -> tuple[Op, ...]:
    execution = {"device": "cpu" if kind == "cpu" else "cuda"}
    return analyze(model, batch=batch, execution=execution).trace.ops


def by_family(learned: Learned) -> Iterator[tuple[str, int, float, float, float]]:
    """Family, rows, median and largest error, median of predicted over measured."""
    for family in sorted({one.family for one in learned.latencies}):
        mine = [at for at, one in enumerate(learned.latencies) if one.family == family]
        measured = np.array([learned.latencies[at].seconds for at in mine])
        ratio = learned.predicted[mine] / measured
        errors = np.abs(ratio - 1)
        yield (
            family,
            len(mine),
            float(np.median(errors)),
            float(errors.max()),
            float(np.median(ratio)),
        )


def least_alone(learned: Learned) -> tuple[float, float]:
    """Median and 90 % quantile of the error with one efficiency for all; families left out."""
    device = learned.efficiency.device
    least = np.array(
        [_least(_operators(one.model, one.batch, device.kind), device) for one in learned.latencies]
    )
    measured = np.array([one.seconds for one in learned.latencies])
    families = np.array([one.family for one in learned.latencies])
    errors = np.empty(len(measured))
    for family in set(families):
        mine = families == family
        factor = np.median(measured[~mine] / least[~mine])
        errors[mine] = np.abs(factor * least[mine] / measured[mine] - 1)
    return float(np.median(errors)), float(np.quantile(errors, 0.9))


def _least(ops: tuple[Op, ...], device: Device) -> float:
    return estimate(ops, device).time
