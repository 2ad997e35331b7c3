"""What is learned: parameters by layer, each counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archscope.analyzers.frames import frame
from archscope.analyzers.layers import Layer, layers
from archscope.arguments import checked, recorded
from archscope.trace.records import Parameter, Trace

if TYPE_CHECKING:
    import pandas as pd


@checked(trace=recorded)
def parameters(trace: Trace) -> pd.DataFrame:
    """Parameters of every layer.

    Returns:
        One row per layer call, in the order of the run, with ``path``, ``kind``, ``call``,
        ``params`` and ``trainable_params`` (elements), ``weights`` and ``biases`` (elements of
        tensors of more and of at most one dimension; a normalisation's scale is neither),
        ``weight_bytes``, the ``formula`` of the weights, and ``shared``, the names of parameters
        used here that an earlier row lists. A layer that never ran has ``call`` 0.
    """
    rows = layers(trace)
    return frame([identity(row) | parameter_columns(row) for row in rows])


def identity(row: Layer) -> dict[str, Any]:
    """The columns that say which layer a row is."""
    return {"path": row.path, "kind": row.kind, "call": row.call}


def parameter_columns(row: Layer) -> dict[str, Any]:
    """The columns of the parameter analyzer for one layer."""
    held = row.parameters
    return {
        "params": sum(p.elements for p in held),
        "trainable_params": sum(p.elements for p in held if p.trainable),
        "weights": sum(p.elements for p in held if not is_bias(p)),
        "biases": sum(p.elements for p in held if is_bias(p)),
        "weight_bytes": sum(p.bytes for p in held),
        "formula": formula(row),
        "shared": ", ".join(row.shares),
    }


def is_bias(parameter: Parameter) -> bool:
    """Whether torch names this parameter a bias: "bias", "bias_hh_l0", "in_proj_bias"."""
    return "bias" in parameter.name.rpartition(".")[2]


def formula(row: Layer) -> str:
    """The weights of a layer as a product of its sizes, as the lecture writes them.

    A convolution (out, in, height, width) is "(height*width*in)*out", a linear layer
    (out, in) is "in*out"; several tensors are summed.
    """
    return " + ".join(_product(p.shape) for p in row.parameters if not is_bias(p))


def _product(shape: tuple[int, ...]) -> str:
    if len(shape) > 2:
        kernel = "*".join(map(str, shape[2:]))
        return f"({kernel}*{shape[1]})*{shape[0]}"
    return "*".join(map(str, reversed(shape)))
