"""The errors of predicted latency as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.prediction_fit import Learned, by_family, least_alone


def reported(learned: Sequence[Learned]) -> str:
    """A page of markdown: a section for each setting of each device."""
    head = (
        "# Predicted latency\n\n"
        "Every network is predicted by a model that saw no network of its family "
        "(leave-one-family-out); the error of the fit on its own rows is not shown. "
        "Error: |predicted / measured - 1|. Made by `python -m benchmarks.prediction report`.\n"
    )
    return "\n".join([head, *(_section(one) for one in learned)])


def _section(one: Learned) -> str:
    efficiency, held = one.efficiency, one.efficiency.held_out
    about = efficiency.conditions
    device = efficiency.device
    rounds = sorted({latency.rounds for latency in one.latencies})
    return (
        f"## {device.title}\n\n"
        f"{about['date']}; torch {about['torch']}; {about['system']}; {efficiency.dtype}, "
        f"{efficiency.mode}, eager, batch {', '.join(map(str, efficiency.batches))}; "
        f"{held.rows} latencies of {held.families} families, {efficiency.shortest_ms:.2f} to "
        f"{efficiency.longest_ms:.0f} ms, the quickest of {'-'.join(map(str, rounds))} "
        f"round{'s' * (rounds != [1])}; {one.disturbed} disturbed rows were not used.\n"
        f"Ceilings: fp32 {device.peaks['fp32'] / 1e9:.0f} GFLOP/s, memory "
        f"{device.bandwidth / 1e9:.1f} GB/s"
        + (f", cache {device.cache_bandwidth / 1e9:.0f} GB/s" if device.cache_bandwidth else "")
        + f".\n\n{_summary(one)}\n"
        f"90 % of measured over predicted lie in {held.low:.2f} to {held.high:.2f}; such an "
        f"interval, made without a family, holds {_percent(held.coverage)} of its rows.\n\n"
        f"{_families(one)}\n"
        f"{_unseen(one)}"
        "What each kind reaches: times its seconds at the peaks, and a launch "
        "(learned from so many families; with none a guess).\n\n"
        f"{_kinds(one)}"
    )


def _summary(one: Learned) -> str:
    held = one.efficiency.held_out
    middle_alone, p90_alone = least_alone(one)
    return _table(
        ("", "median error", "90 % of errors below", "rank correlation"),
        [
            (
                "efficiency by kind of operator",
                _percent(held.median),
                _percent(held.p90),
                f"{held.rank_correlation:.3f}",
            ),
            ("the least time by one factor", _percent(middle_alone), _percent(p90_alone), ""),
        ],
    )


def _families(one: Learned) -> str:
    return _table(
        ("family left out", "rows", "median error", "largest", "predicted / measured"),
        [
            (family, str(rows), _percent(middle), _percent(most), f"{ratio:.2f}")
            for family, rows, middle, most, ratio in by_family(one)
        ],
    )


def _kinds(one: Learned) -> str:
    return _table(
        ("kind of operator", "compute", "memory", "us a launch", "families"),
        [
            (kind, f"{c.compute:.2f}", f"{c.memory:.2f}", f"{1e6 * c.launch:.1f}", str(c.families))
            for kind, c in one.efficiency.kinds.items()
        ],
    )


def _unseen(one: Learned) -> str:
    """Networks of another package, which were predicted by the model that is shipped."""
    if not one.unseen:
        return ""
    held = one.efficiency.held_out
    ratios = [
        latency.seconds / seconds
        for latency, seconds in zip(one.unseen, one.unseen_predicted, strict=True)
    ]
    inside = sum(held.low <= ratio <= held.high for ratio in ratios)
    errors = sorted(abs(1 / ratio - 1) for ratio in ratios)
    lines = [
        (
            f"{latency.model}, batch {latency.batch}",
            f"{1e3 * latency.seconds:.4g}",
            f"{1e3 * seconds:.4g}",
            f"{seconds / latency.seconds:.2f}",
        )
        for latency, seconds in zip(one.unseen, one.unseen_predicted, strict=True)
    ]
    table = _table(("never in the fit", "measured ms", "predicted ms", "ratio"), lines)
    return (
        f"{len(ratios)} latencies of networks of timm that had no part in the fit: median error "
        f"{_percent(median(errors))}, largest {_percent(errors[-1])}, {inside} inside the "
        f"interval.\n\n{table}\n"
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)) + "\n"
