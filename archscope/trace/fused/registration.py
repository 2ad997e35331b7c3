"""Which kernels stand in for torch's, and their registration for the length of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from archscope.trace import torch_private
from archscope.trace.costs.recurrent import GATES
from archscope.trace.execution import Execution
from archscope.trace.fused import by_values
from archscope.trace.fused.attention import attention, attention_with_scores
from archscope.trace.fused.dropout import OTHER_KINDS, dropout, dropout_on_cuda
from archscope.trace.fused.indices import take_along_dim
from archscope.trace.fused.kept_whole import linear, one_kernel
from archscope.trace.fused.normalisation import instance_norm
from archscope.trace.fused.recurrence import recurrent_cell, recurrent_layer, recurrent_packed
from archscope.trace.fused.running import Run, runs
from archscope.trace.recorder import Recorder


def _kernels() -> dict[str, Callable[..., Any]]:
    kernels: dict[str, Callable[..., Any]] = {**by_values.KERNELS, **OTHER_KINDS}
    kernels["scaled_dot_product_attention"] = attention
    kernels["instance_norm"] = instance_norm
    kernels["take_along_dim"] = take_along_dim
    for cell in GATES:
        kernels[f"{cell}.input"] = recurrent_layer(cell)
        kernels[f"{cell}.data"] = recurrent_packed(cell)
        kernels[f"{cell}_cell"] = recurrent_cell(cell)
    for func in (torch.ops.aten.silu_backward.default, torch.ops.aten.mish_backward.default):
        kernels[func.__name__.removesuffix(".default")] = one_kernel(func)
    return kernels


_KERNELS = _kernels()


def _chosen(execution: Execution, on_data: bool) -> dict[str, Callable[..., Any]]:
    kernels: dict[str, Callable[..., Any]] = {**_KERNELS, "dropout": dropout}
    if on_data:
        return kernels
    kernels["linear"] = linear
    if execution.attention == "math":
        kernels["scaled_dot_product_attention"] = attention_with_scores
    if execution.device == "cuda":
        kernels["dropout"] = dropout_on_cuda
    return kernels


@contextmanager
def closed_forms(recorder: Recorder, execution: Execution) -> Iterator[None]:
    """For the length of a run, attention and recurrent operators go to their closed forms.

    The recorder has them too: in inference mode these operators reach it whole.
    """
    library = torch.library.Library("aten", "IMPL")
    key = "AutogradCPU" if recorder.on_data else "AutogradMeta"
    recorder.closed_forms = _chosen(execution, recorder.on_data)
    runs.append(Run(recorder, execution))
    try:
        for name, kernel in recorder.closed_forms.items():
            library.impl(name, kernel, key)
        yield
    finally:
        runs.pop()
        recorder.closed_forms = {}
        torch_private.destroy(library)
