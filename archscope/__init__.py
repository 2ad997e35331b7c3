"""archscope: what a PyTorch architecture costs, from one run on shapes alone.

>>> import archscope
>>> report = archscope.analyze("resnet50")
>>> report.totals["macs"]
4089184256
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from archscope._version import __version__
from archscope.errors import ArchscopeError

if TYPE_CHECKING:
    from archscope import analyzers, explorer, plots, study
    from archscope.analysis import analyze
    from archscope.comparison import compare
    from archscope.generation import generation_cost
    from archscope.gradients import gradient_flow, gradient_paths, gradient_through_time
    from archscope.measure import energy, latency
    from archscope.prediction import predict_latency
    from archscope.recurrent_depth import through_time
    from archscope.report import Report
    from archscope.scaling import memory_law
    from archscope.trace import Trace, trace

# Public names and where they live. They are looked up when first used, so that importing the
# package does not import torch.
_PUBLIC = {
    "Report": "archscope.report",
    "Trace": "archscope.trace",
    "analyze": "archscope.analysis",
    "analyzers": "archscope.analyzers",
    "compare": "archscope.comparison",
    "energy": "archscope.measure",
    "explorer": "archscope.explorer",
    "generation_cost": "archscope.generation",
    "gradient_flow": "archscope.gradients",
    "gradient_paths": "archscope.gradients",
    "gradient_through_time": "archscope.gradients",
    "latency": "archscope.measure",
    "memory_law": "archscope.scaling",
    "plots": "archscope.plots",
    "predict_latency": "archscope.prediction",
    "study": "archscope.study",
    "through_time": "archscope.recurrent_depth",
    "trace": "archscope.trace",
}

__all__ = [
    "ArchscopeError",
    "Report",
    "Trace",
    "__version__",
    "analyze",
    "analyzers",
    "compare",
    "energy",
    "explorer",
    "generation_cost",
    "gradient_flow",
    "gradient_paths",
    "gradient_through_time",
    "latency",
    "memory_law",
    "plots",
    "predict_latency",
    "study",
    "through_time",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'archscope' has no attribute '{name}'")
    module = importlib.import_module(_PUBLIC[name])
    value = module if name in ("analyzers", "explorer", "plots", "study") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
