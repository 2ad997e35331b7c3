"""An operator in closed form: one record forward, one backward, nothing of what is inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from archscope.trace.costs import Cost
from archscope.trace.fused.running import running
from archscope.trace.recorder import Recorder
from archscope.trace.records import Recurrence
from archscope.trace.remembered import META


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """An operator in closed form: what it costs and which tensors it makes."""

    name: str
    cost: Cost
    backward_cost: Callable[[Sequence[bool]], Cost]  # by which tensors want a gradient
    outputs: Callable[[], tuple[Tensor, ...]]
    reserve: Callable[[], tuple[Tensor, ...]]  # what the kernel keeps for its backward
    compute: Callable[..., Any]  # the operator itself, for a run on data
    weight_layer: bool = False
    recurrence: Recurrence | None = None


def run_closed(closed: ClosedForm, tensors: Sequence[Tensor]) -> Any:
    """Run an operator on tensors, and record it."""
    recorder = running().recorder
    if not recorder.on_data:
        tensors = [t if t.is_meta else _stand_in(recorder, t) for t in tensors]
    # Inside of forward gradients are always off, so it has to be told.
    return _OneOperator.apply(closed, torch.is_grad_enabled(), *tensors)


def _stand_in(recorder: Recorder, tensor: Tensor) -> Tensor:
    with recorder.silence():
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


class _OneOperator(torch.autograd.Function):
    """One recorded operator forward, one backward; nothing inside is recorded."""

    @staticmethod
    def forward(ctx: Any, closed: ClosedForm, grad_enabled: bool, *tensors: Tensor) -> Any:
        recorder = running().recorder
        ctx.closed = closed
        needs_backward = grad_enabled and any(ctx.needs_input_grad)
        with recorder.silence():
            if recorder.on_data:
                outputs = _compute_on_data(ctx, closed, tensors, needs_backward)
                kept: tuple[Tensor, ...] = ()
            else:
                outputs = closed.outputs()
                kept = closed.reserve() if needs_backward else ()
        recorder.log.append(
            closed.name,
            tensors,
            (*outputs, *kept),
            closed.cost,
            weight_layer=closed.weight_layer,
            recurrence=closed.recurrence,
        )
        ctx.save_for_backward(*tensors, *outputs, *kept)
        ctx.given = len(tensors)
        return outputs if len(outputs) > 1 else outputs[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        recorder = running().recorder
        saved = ctx.saved_tensors
        tensors = saved[: ctx.given]
        wanted = ctx.needs_input_grad[2:]
        with recorder.silence():
            if recorder.on_data:
                gradients = _gradients_on_data(ctx, grads, wanted)
            else:
                gradients = [
                    torch.empty_like(tensor) if want else None
                    for tensor, want in zip(tensors, wanted, strict=True)
                ]
        recorder.log.append(
            f"{ctx.closed.name}_backward",
            [*(grad for grad in grads if grad is not None), *saved],
            [gradient for gradient in gradients if gradient is not None],
            ctx.closed.backward_cost(wanted),
        )
        ctx.closed = None  # its functions hold the operands
        return None, None, *gradients


def _compute_on_data(
    ctx: Any, closed: ClosedForm, tensors: Sequence[Tensor], needs_backward: bool
) -> tuple[Tensor, ...]:
    with torch.set_grad_enabled(needs_backward):
        inner = [
            tensor.detach().requires_grad_(tensor.requires_grad and needs_backward)
            for tensor in tensors
        ]
        outputs = closed.compute(*inner)
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    ctx.inner = (inner, outputs)
    return tuple(output.detach() for output in outputs)


def _gradients_on_data(ctx: Any, grads: Sequence[Tensor | None], wanted: Sequence[bool]) -> list:
    inner, outputs = ctx.inner
    pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if g is not None]
    targets = [tensor for tensor, want in zip(inner, wanted, strict=True) if want]
    found = iter(
        torch.autograd.grad(
            [o for o, _ in pairs], targets, [g for _, g in pairs], allow_unused=True
        )
    )
    return [next(found) if want else None for want in wanted]
