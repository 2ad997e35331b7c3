"""What a caption says: input, batch, precision, protocol, device, date and what an operation is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archscope.plots.points import listed, text

if TYPE_CHECKING:
    import pandas as pd

    from archscope.trace.records import Trace

_ABOUT = ["device", "torch", "date"]  # of measured gradients

CONVENTIONS = {
    "flops": (
        "FLOPs: 2 per multiply-accumulate, plus bias, normalisation, activation, pooling, softmax "
        "and elementwise operations."
    ),
    "macs": "A MAC is one multiply and one add; biases, normalisation and activation are none.",
}


def caption(*sentences: str) -> str:
    """Sentences one after the other; empty ones are left out."""
    return " ".join(sentence for sentence in sentences if sentence)


def conditions(frame: pd.DataFrame) -> str:
    """Input, batch and dtype of the counts."""
    shapes = [_sample(shape) for shape in _values(frame, "input_shape")]
    batches = [str(batch) for batch in _values(frame, "batch")]
    parts = [
        f"Input {listed(list(dict.fromkeys(shapes)))}" if shapes else "",
        f"batch {', '.join(batches)}" if batches else "",
        listed([str(dtype) for dtype in _values(frame, "dtype")]),
    ]
    return _sentence(", ".join(part for part in parts if part))


def accuracy(frame: pd.DataFrame, protocol: str) -> str:
    """Whose accuracies, by which protocol."""
    drawn = frame[frame["top1"].notna()]
    sources = [_publisher(source) for source in _values(drawn, "accuracy_source")]
    whose = f", from {listed(list(dict.fromkeys(sources)), 4)}" if sources else ""
    how = f", {protocol}" if protocol else ", protocol not stated"
    return f"Top-1 accuracy{how}{whose}."


def measured(frame: pd.DataFrame) -> str:
    """On what device, when, with which versions."""
    devices = _values(frame, "device_title") or _values(frame, "device")
    dates = sorted({str(date)[:10] for date in _values(frame, "date")})
    versions = [f"torch {version}" for version in _values(frame, "torch")]
    when = f"{dates[0]} to {dates[-1]}" if len(dates) > 1 else "".join(dates) or "date not recorded"
    where = listed([str(device) for device in devices]) or "a device that was not recorded"
    return f"Measured on {', '.join([where, *versions, when])}."


def run(trace: Trace) -> str:
    """Inputs, batch and mode of one run."""
    inputs = listed(
        [f"{'x'.join(map(str, s)) or 'scalar'} {dtype}" for _, s, dtype in trace.inputs]
    )
    optimizer = trace.options.get("optimizer")
    update = f", optimizer {optimizer}" if optimizer else ""
    return f"Input {inputs or 'none'}, batch {trace.batch}, {trace.mode}{update}."


def gradients(tables: Sequence[pd.DataFrame]) -> str:
    """Where and when gradients were measured, if the tables know, and at which inputs."""
    import pandas as pd

    about = pd.DataFrame([{n: t.attrs.get(n) for n in _ABOUT} for t in tables], columns=_ABOUT)
    told = dict.fromkeys(text(table.attrs["conditions"]) for table in tables)
    # A stored table's conditions end with what the first sentence says.
    runs = list(dict.fromkeys(line.partition(", measured on ")[0] for line in told if line))
    where = measured(about) if about["date"].notna().any() else ""
    return caption(where, _sentence("; ".join(runs)))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def disturbances(frame: pd.DataFrame) -> str:
    """A sentence on rows that something made slower."""
    if "disturbed" not in frame:
        return ""
    reasons = {part for row in frame["disturbed"] for part in text(row).split(", ") if part}
    # One of each kind: "others took 3.1 of 4 CPUs" and "others took 3.2 of 4 CPUs" are the same.
    kinds = {re.sub(r"[\d.]+", "", reason): reason for reason in sorted(reasons, reverse=True)}
    found = sorted(kinds.values())
    return f"× disturbed or unsteady ({listed(found)})." if found else ""


def _values(frame: pd.DataFrame, column: str) -> Sequence[Any]:
    """What a column has, each value once."""
    if column not in frame:
        return []
    plain = (_plain(value) for value in frame[column])
    return list(dict.fromkeys(value for value in plain if _known(value)))


def _plain(value: Any) -> Any:
    """Shapes that came out of a file are lists or arrays."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(value) if isinstance(value, list) else value


def _known(value: Any) -> bool:
    return value is not None and value == value and value != "" and str(value) != "<NA>"


def _sample(shape: Any) -> str:
    """The shape of one sample: 3x224x224; a stored table has shapes as text, 1x3x224x224."""
    sizes = [str(size) for size in shape] if isinstance(shape, tuple) else str(shape).split("x")
    return "x".join(sizes[1:] or sizes)


def _publisher(source: Any) -> str:
    """The paper, site or file without its table, page or entry."""
    source = str(source)
    if source.startswith(("github.com/", "gist.github.com/", "torchvision")):
        return source.split(" ")[0]
    return source.partition(": ")[0].partition(", Table")[0].partition(", Fig")[0]
