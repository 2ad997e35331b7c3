"""What is told of a model that failed in a run: of which layer, on which shapes, and why."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.errors import (
    ArchscopeError,
    InvalidInput,
    TraceFailed,
    is_out_of_memory,
    one_line,
)
from archscope.trace.modules import CallStack
from archscope.trace.values import DataDependent


def explained(
    error: BaseException,
    model: str,
    shapes: Sequence[tuple[int, ...]],
    calls: CallStack,
    on_data: bool,
) -> ArchscopeError:
    """The error to raise in place of one that a model raised.

    Args:
        error: what it raised.
        model: what it is called.
        shapes: of its input tensors.
        calls: which know the layer that failed.
        on_data: it ran on data, not on shapes alone.
    """
    given = ", ".join("x".join(map(str, shape)) for shape in shapes)
    if is_out_of_memory(error):
        return TraceFailed(
            f"{model} ran out of memory on {'data' if on_data else 'shapes'} of {given}; "
            f"a smaller input or batch may fit: {one_line(error)}"
        )
    if "NestedTensorImpl" in str(error):
        return InvalidInput(
            f"{model} computes with nested tensors of the strided layout, which have no one shape; "
            "make them jagged or padded"
        )
    refused = isinstance(error, RuntimeError | TypeError | ValueError | IndexError)
    refused = refused and not isinstance(error, RecursionError)
    where = f"{model} {'does not accept' if refused else 'raised on'} the input "
    where += (given or "(no tensors)") + _layer(calls)
    kind = InvalidInput if refused else TraceFailed
    return kind(f"{where}: {type(error).__name__}: {one_line(error)}")


def wants_data(error: BaseException) -> bool:
    """Whether a run on data may get past what a run on shapes raised."""
    if isinstance(error, DataDependent | NotImplementedError):
        return True
    text = str(error).lower()
    return any(
        sign in text
        for sign in (
            *("meta tensor", "meta device", "device meta", "nestedtensor"),
            "unallocated storage",  # tolist() of a shape
        )
    )


def _layer(calls: CallStack) -> str:
    failed = calls.failed_in
    if failed is None or not failed.path:
        return ""
    got = ", ".join("x".join(map(str, shape)) for shape in failed.input_shapes)
    settings = f"({failed.detail})" if failed.detail else ""
    return f": layer {failed.path} {failed.kind}{settings} got {got or 'no tensors'}"
