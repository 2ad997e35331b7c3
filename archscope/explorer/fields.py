"""The columns of a comparison as the page shows them: titles, kinds of numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# How a value is written: 4.09G, 97.8 MiB, 76.13 % (of 76.13, or as a share of 0.7613), 152, 2015.
Kind = Literal["count", "bytes", "percent", "share", "whole", "year", "number", "text", "flag"]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the comparison.

    Attributes:
        name: of the frame's column.
        title: for people.
        kind: how its values are written.
        unit: behind a number, where the kind does not say it.
        better: 1 where more is better, -1 where less is better, 0 where neither is.
        accuracy: whether it only compares within one protocol of evaluation.
        about: a sentence on what it is.
    """

    name: str
    title: str
    kind: Kind
    unit: str = ""
    better: int = 0
    accuracy: bool = False
    about: str = ""


KNOWN = (
    Field("model", "Model", "text"),
    Field("family", "Family", "text"),
    Field("source", "Source", "text", about="where the model comes from"),
    Field("year", "Year", "year", about="of publication"),
    Field("batch", "Batch", "whole", about="samples that run together"),
    Field("input_shape", "Input", "text", about="the first, with the batch"),
    Field("dtype", "Data type", "text"),
    Field("params", "Parameters", "count", better=-1),
    Field("trainable_params", "Trainable parameters", "count", better=-1),
    Field("macs", "MACs", "count", better=-1, about="multiply-accumulates of the whole batch"),
    Field("flops", "FLOPs", "count", better=-1, about="floating-point operations of the batch"),
    Field("activations", "Activations", "count", better=-1, about="elements of all outputs"),
    Field("weight_bytes", "Weight memory", "bytes", better=-1),
    Field("peak_bytes", "Peak memory, inference", "bytes", better=-1),
    Field("training_peak_bytes", "Peak memory, training", "bytes", better=-1),
    Field("depth", "Depth", "whole", about="weight layers on the longest path"),
    Field("shortest_path", "Shortest path", "whole", about="weight layers on the shortest path"),
    Field("paths", "Paths", "count", about="routes from input to output"),
    Field("mean_path", "Mean path", "number", about="mean length of all paths"),
    Field("effective_depth", "Effective depth", "number", about="by the gradient that arrives"),
    Field("coverage", "Coverage", "share", about="of operators and elements, by cost formulas"),
    Field("top1", "Top-1 accuracy", "percent", better=1, accuracy=True),
    Field("top5", "Top-5 accuracy", "percent", better=1, accuracy=True),
    Field("protocol", "Protocol", "text", about="how the accuracy was evaluated"),
    Field("accuracy_source", "Accuracy from", "text"),
    Field(
        "top1_per_mparams",
        "Top-1 per M parameters",
        "number",
        unit="%/M",
        better=1,
        accuracy=True,
        about="information density, Canziani et al., arXiv:1605.07678",
    ),
    Field("device", "Device", "text", about="on which latency and energy were measured"),
    Field("latency_ms_p50", "Latency, median", "number", unit="ms", better=-1),
    Field("throughput_per_s", "Throughput", "number", unit="/s", better=1, about="samples"),
    Field("energy_mj", "Energy per sample", "number", unit="mJ", better=-1),
    Field("power_w", "Power", "number", unit="W", better=-1),
    Field("pareto", "On the front", "flag", about="of top-1 against MACs within its protocol"),
    Field("status", "Status", "text", about="ok, or why there are no figures"),
    Field("remarks", "Remarks", "text", about="why some figures are missing"),
)

# As a column's name ends: the unit, and which way is better.
_UNITS = {"ms": ("ms", -1), "mj": ("mJ", -1), "w": ("W", -1), "per_s": ("/s", 1)}
_WORDS = {"cpu": "CPU", "gpu": "GPU", "macs": "MACs", "flops": "FLOPs"}
_UNIT = re.compile(r"_(ms|mj|w|per_s)(?=_|$)")


def unnamed(name: str, kind: Kind) -> Field:
    """A column that a comparison does not have by itself, titled by its name.

    Args:
        name: of the column; it may tell the unit, as wall_ms_p50 and net_energy_mj do.
        kind: what its values are.
    """
    if kind == "number" and name.endswith("_bytes"):
        return Field(name, _title(name.removesuffix("_bytes")), "bytes", better=-1)
    unit = _UNIT.search(name) if kind == "number" else None
    if unit is None:
        return Field(name, _title(name), kind)
    written, better = _UNITS[unit[1]]
    return Field(name, _title(_UNIT.sub("", name, count=1)), kind, written, better)


def _title(name: str) -> str:
    text = " ".join(_WORDS.get(word, word) for word in name.split("_")).strip()
    return text[:1].upper() + text[1:] or "Unnamed"
