"""The analyses of a study, and which of them share one run of the network."""

from __future__ import annotations

from archscope.errors import UnknownName

# Analysis -> the run that it needs. Runs on shapes are "trace" and "training".
RUNS = {
    "compute": "trace",
    "memory": "trace",
    "depth": "trace",
    "training": "training",
    "effective_depth": "effective_depth",
    "latency": "latency",
    "energy": "energy",
}
ANALYSES = tuple(RUNS)
DEFAULT = ("compute", "memory", "depth")
MEASURED = ("latency", "energy")  # on a device, with nothing else on it


def check_analysis(name: str) -> str:
    """The name of an analysis; "effective-depth" will do for "effective_depth".

    Raises:
        UnknownName: there is no such analysis.
    """
    known = name.replace("-", "_")
    if known not in RUNS:
        raise UnknownName("analysis", name, ANALYSES)
    return known
