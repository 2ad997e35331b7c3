"""What stands below a comparison: without it, the numbers could not be trusted or compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import floor
from string import ascii_lowercase
from typing import Any

from archscope.comparison.order import SUFFIX
from archscope.published import PROTOCOLS
from archscope.report.convention import CONVENTION
from archscope.report.numbers import shape

Row = Mapping[str, Any]

_FEW = 6  # exceptions or sources that are named one by one


def caption(
    every_row: Sequence[Row], names: Sequence[str], about: Mapping[Any, Any]
) -> Iterator[str]:
    """What a reader of these columns must know: conditions, conventions, protocols, failures.

    Args:
        every_row: a dictionary per network.
        names: the columns that are shown.
        about: ``attrs`` of the comparison.
    """
    rows = [row for row in every_row if row["input_shape"] is not None]
    shown = {name.removesuffix(SUFFIX) for name in names}
    if rows:
        yield f"{_inputs(rows)}, {_values_of(rows, 'dtype')}, batch {_values_of(rows, 'batch')}."
    gaps = [
        f"{row['model']} {floor(1e4 * row['coverage']) / 100:.2f} %"
        for row in rows
        if row["coverage"] is not None and row["coverage"] < 1
    ]
    if gaps:
        more = f" and {len(gaps) - _FEW} more" if len(gaps) > _FEW else ""
        yield f"Cost formulas cover not all of {', '.join(gaps[:_FEW])}{more}."
    if shown & {"macs", "flops", "activations"}:
        yield CONVENTION
    yield _sentences(shown)
    if shown & {"top1", "top5", "top1_per_mparams", "pareto"}:
        yield from _about_accuracy(rows, shown, about)
    if shown & {"latency_ms_p50", "throughput_per_s", "energy_mj", "power_w"}:
        yield from _about_measurements(rows, shown)
    if any(name.endswith(SUFFIX) for name in names):
        yield f"x is in multiples of {about.get('relative_to', 'one network')}."
    yield from about.get("notes", ())
    remarks = {row["model"]: row["remarks"] for row in rows if row.get("remarks")}
    for model, reason in (about.get("failed", {}) | remarks).items():
        yield reason if reason.startswith(model) else f"{model}: {reason}"


def _sentences(shown: set[str]) -> str:
    found = []
    if "peak_bytes" in shown:
        found.append("Peak is all that is alive at once in inference.")
    if "training_peak_bytes" in shown:
        found.append("Training peak is that of a forward and a backward pass, no optimizer.")
    if shown & {"depth", "shortest_path"}:
        found.append("Longest and shortest path count weight layers.")
    if "effective_depth" in shown:
        found.append("Effective depth weights path lengths by gradient, with random weights.")
    return " ".join(found)


def _inputs(rows: Sequence[Row]) -> str:
    """Input 3x224x224 (3x227x227 for alexnet); several sizes if there are too many to name."""
    taken = dict.fromkeys((shape(row["input_shape"][1:]), row["model"]) for row in rows)
    samples = Counter(sample for sample, _ in taken)
    (usual, _), *others = samples.most_common()
    exceptions = [(sample, model) for sample, model in taken if sample != usual]
    if len(exceptions) > _FEW:
        return f"Input {usual} of {samples[usual]} networks, others of {len(others)} other sizes"
    named = [f"{sample} for {model}" for sample, model in exceptions]
    return f"Input {usual} ({', '.join(named)})" if named else f"Input {usual}"


def _values_of(rows: Sequence[Row], name: str) -> str:
    return ", ".join(dict.fromkeys(str(row[name]) for row in rows))


def _about_accuracy(
    rows: Sequence[Row], shown: set[str], about: Mapping[Any, Any]
) -> Iterator[str]:
    known = [row for row in rows if row["top1"] is not None]
    if not known:
        return
    wanted = _wanted(about)
    marks = protocol_marks(rows, about)
    others = ", ".join(f"{mark} {name or 'not stated'}" for name, mark in marks.items())
    besides = f", except {others}: protocols do not compare" if others else ""
    yield f"Accuracy as published, {wanted}{besides}."
    if "top1_per_mparams" in shown:
        yield "% per Mparam is top-1 accuracy over millions of parameters."
    if "pareto" in shown:
        yield (
            "* on the front: no other of its protocol has more top-1 for as few MACs, or as much "
            "for fewer."
        )
    sources: dict[str, list[str]] = {}
    for row in known:
        sources.setdefault(row["accuracy_source"], []).append(row["model"])
    if len(sources) <= _FEW:
        listed = [
            f"{source} ({', '.join(dict.fromkeys(models))})" for source, models in sources.items()
        ]
        yield f"Sources: {'; '.join(listed)}."
    else:
        yield f"{len(sources)} sources are in the column accuracy_source."


def _about_measurements(rows: Sequence[Row], shown: set[str]) -> Iterator[str]:
    devices = dict.fromkeys(row["device"] for row in rows if row["device"] is not None)
    if devices:
        energy = "; energy is per sample" if "energy_mj" in shown else ""
        yield f"Measured on {', '.join(devices)}{energy}."
    for row in rows:
        if row.get("disturbed"):
            yield f"! {row['model']}: {row['disturbed']}."


def protocol_marks(rows: Sequence[Row], about: Mapping[Any, Any]) -> dict[str | None, str]:
    """A letter for every protocol but the wanted one; None is a protocol that is not stated."""
    found = dict.fromkeys(row["protocol"] for row in rows if row["top1"] is not None)
    others = [name for name in found if name != _wanted(about)]
    return dict(zip(others, ascii_lowercase, strict=False))


def _wanted(about: Mapping[Any, Any]) -> str:
    """The protocol of the accuracies that are shown unmarked."""
    return about.get("protocol", PROTOCOLS[0])
