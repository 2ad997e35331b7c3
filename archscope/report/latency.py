"""Measured latency as a table and as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archscope.report.drawing import table
from archscope.report.numbers import count, percent
from archscope.report.table import Table

_FEWEST = 6  # runs whose range has the true median with 95 %: 1 - 2 / 2^6 = 97 %


def latency_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per batch size, what is to be said of it below, the conditions in the caption."""
    first = rows[0]
    cells = [_cells(row) for row in rows]
    # A column that says nothing in any row, or on the CPU what another says, is left out.
    shown = [name for name in cells[0] if any(row[name] for row in cells)]
    if first["device"] == "cpu" and "wall ms" in shown:
        shown.remove("wall ms")
    if "form" in shown:  # steps are what matters there, and lines have an end
        shown = [name for name in shown if name not in ("FLOP/s", "% peak")]
    found = table(
        f"{first['model']} on {first['device_title']}",
        shown,
        [[row[name] for name in shown] for row in cells],
        left=("form",),
        caption=_caption(rows),
    )
    return replace(
        found,
        rows=tuple(
            replace(drawn, below=tuple(filter(None, [_remarks(row)])))
            for drawn, row in zip(found.rows, rows, strict=True)
        ),
    )


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    rate, step = row["achieved_gflops"], row["latency_ms_per_step"]
    interval = f"{_number(row['latency_ms_low'])}-{_number(row['latency_ms_high'])}"
    return {
        "batch": str(row["batch"]),
        "form": row["form"] or "",
        "p50 ms": _number(row["latency_ms_p50"]),
        "95 % interval": interval if row["runs"] else "",
        "IQR": _number(row["latency_ms_iqr"], 2),
        "p95": _number(row["latency_ms_p95"]),
        "wall ms": _number(row["wall_ms_p50"]),
        "runs": str(row["runs"]),
        "per s": _number(row["throughput_per_s"]),
        "FLOP/s": "" if rate is None else count(round(1e9 * rate)),
        "% peak": percent(row["compute_share"] or 0),
        "us/step": "" if step is None else f"{1e3 * step:.1f}",
    }


def layers_table(found: Mapping[str, Any]) -> Table:
    """Own times of all modules; with the gap they are the whole."""
    rows = [row for row in found["layers"] if row["self_ms"] or row["total_ms"]]
    cells = [_layer_cells(row) for row in rows]
    headings = ["module", "self ms", "total ms", "%", _kernels(found), "FLOP/s", "bound", "% roof"]
    kept = [i for i in range(len(headings)) if any(row[i] for row in cells)]
    whole = _number(found["whole_ms"])
    footer = ["whole", whole, whole, "100.0", "", "", "", ""]
    return table(
        f"{found['model']} on {found['device_title']}",
        [headings[i] for i in kept],
        [[row[i] for i in kept] for row in cells],
        left=("bound",),
        footer=[footer[i] for i in kept],
        caption=list(_layers_caption(found)),
    )


def _kernels(found: Mapping[str, Any]) -> str:
    return "ops" if found["device"] == "cpu" else "kernels"


def _layer_cells(row: Mapping[str, Any]) -> list[str]:
    rate, roof = row["achieved_gflops"], row["roofline_share"]
    return [
        row["path"],
        _milliseconds(row["self_ms"]),
        _milliseconds(row["total_ms"]),
        percent(row["share"]),
        str(row["kernels"] or ""),
        count(round(1e9 * rate)) if rate else "",
        row["bound"] or "",
        f"{100 * roof:.0f}" if roof else "",
    ]


def _milliseconds(value: float) -> str:
    """Microseconds are the least that a table shows."""
    return f"{value:.3f}" if value < 100 else f"{value:.1f}"


def _layers_caption(found: Mapping[str, Any]) -> Iterator[str]:
    sample = "x".join(map(str, found["input_shape"]))
    works = (
        "Self is the time of a module's own operators"
        if found["device"] == "cpu"
        else "Self is the time of the kernels that a module launched itself"
    )
    if found["mode"] == "training":
        works += ", forward and backward"
    yield (
        f"{found['dtype']}, {found['mode']}; first input {sample}, random data. {works}; total is "
        "with the modules inside and with the caller's time there, for which the device waited: "
        "all of that is (host). Self times and the gap are the whole, which the caller's clock "
        f"saw {100 * found['unexplained']:+.1f} % off."
    )
    yield (
        f"The median of {found['passes']} profiled passes. Profiling changed a pass by "
        f"{100 * found['slowdown']:+.1f} % against {_number(found['undisturbed_ms'])} ms."
    )
    yield (
        f"Bound and % roof: the least time by the roofline ({found['ceilings']}) over self; what a "
        "cache holds can be faster."
        if found["ceilings"]
        else "No ceilings are known for this device: `archscope device calibrate` measures them."
    )
    told = _remarks({**found, "runs": found["passes"]})
    yield f"{_conditions(found)}{' Remarks: ' + told + '.' if told else ''}"


def _remarks(row: Mapping[str, Any]) -> str:
    found = [row["status"]] if row["status"] != "ok" else []
    if row["runs"] and not row["steady"]:
        found.append("never steady")
    if row.get("builds") == 1 and row["runs"] < _FEWEST:
        found.append(f"the interval is the range of {row['runs']} run{'s' * (row['runs'] > 1)}")
    found += [f"disturbed: {row['disturbed']}"] if row["disturbed"] else []
    return ", ".join(found)


def _caption(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    first = rows[0]
    switches = [
        name.replace("_", " ")
        for name in ("channels_last", "compile", "graph", "cold")
        if first[name]
    ]
    step = "forward" if first["mode"] == "inference" else "forward and backward, no optimizer"
    setting = ", ".join([first["dtype"], first["mode"], *switches, step])
    sample = "x".join(map(str, first["input_shape"]))
    times = (
        "On the CPU the device's time is the caller's"
        if first["device"] == "cpu"
        else "p50 to p95 by the device's events, wall time until the caller has the result"
    )
    return [
        f"{setting}; first input {sample}, random data. {times}. {_median(rows)}",
        _conditions(first),
    ]


def _median(rows: Sequence[Mapping[str, Any]]) -> str:
    builds = [row["builds"] for row in rows if row["builds"]]
    least, most = min(builds, default=1), max(builds, default=1)
    if most == 1:
        return "p50 is the median, with its 95 % interval from order statistics."
    number = str(most) if least == most else f"{least} to {most}"
    return f"p50 is the median of {number} builds of the network; the interval has 95 % of them."


def _conditions(row: Mapping[str, Any]) -> str:
    cuda = f", CUDA {row['cuda']}, driver {row['driver_before']}" if row["cuda"] else ""
    threads = f"{row['threads']} CPU thread{'s' * (row['threads'] > 1)}"
    return f"{row['date'][:10]}, torch {row['torch']}{cuda}, {threads}."


def _number(value: float | None, digits: int = 4) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:.0f}"
