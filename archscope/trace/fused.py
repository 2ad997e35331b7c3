"""Operators that torch takes apart differently by device and mode, recorded whole.

On the meta device attention becomes matrix products, and a recurrent layer thirty operators a
step; on the CPU and on a GPU each is a kernel. Here each is one operator with a closed form.
The kernels are registered for the length of a run where autograd would dispatch, so they hold for
every way of calling: from Python, from C++, with and without gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.costs import FREE, Cost
from archscope.trace.costs.attention import attention_backward_cost, attention_cost
from archscope.trace.costs.recurrent import (
    GATES,
    Wanted,
    cell_cost,
    layer_backward_cost,
    layer_cost,
)
from archscope.trace.execution import Execution
from archscope.trace.operators import operator
from archscope.trace.recorder import Recorder
from archscope.trace.records import Recurrence, elements
from archscope.trace.remembered import META

_running: list[Recorder] = []
_executions: list[Execution] = []
_registered: list[dict[str, Callable[..., Any]]] = []


@dataclass(frozen=True, slots=True)
class _Closed:
    """An operator in closed form: what it costs and which tensors it makes."""

    name: str
    cost: Cost
    backward_cost: Callable[[Sequence[bool]], Cost]  # by which tensors want a gradient
    outputs: Callable[[], tuple[Tensor, ...]]
    reserve: Callable[[], tuple[Tensor, ...]]  # what the kernel keeps for its backward
    compute: Callable[..., Any]  # the operator itself, for a run on data
    weight_layer: bool = False
    recurrence: Recurrence | None = None


class _ClosedForm(torch.autograd.Function):
    """One recorded operator forward, one backward; nothing inside is recorded."""

    @staticmethod
    def forward(ctx: Any, closed: _Closed, grad_enabled: bool, *tensors: Tensor) -> Any:
        recorder = _running[-1]
        ctx.closed = closed
        needs_backward = grad_enabled and any(ctx.needs_input_grad)
        with recorder.silence():
            if recorder.on_data:
                outputs = _compute_on_data(ctx, closed, tensors, needs_backward)
                kept: tuple[Tensor, ...] = ()
            else:
                outputs = closed.outputs()
                kept = closed.reserve() if needs_backward else ()
        recorder.record(
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
        recorder = _running[-1]
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
        recorder.record(
            f"{ctx.closed.name}_backward",
            [*(grad for grad in grads if grad is not None), *saved],
            [gradient for gradient in gradients if gradient is not None],
            ctx.closed.backward_cost(wanted),
        )
        ctx.closed = None  # its functions hold the operands
        return None, None, *gradients


def _compute_on_data(
    ctx: Any, closed: _Closed, tensors: Sequence[Tensor], needs_backward: bool
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


def _run(closed: _Closed, tensors: Sequence[Tensor]) -> Any:
    recorder = _running[-1]
    if not recorder.on_data:
        tensors = [t if t.is_meta else _stand_in(recorder, t) for t in tensors]
    # Inside of forward gradients are always off, so it has to be told.
    return _ClosedForm.apply(closed, torch.is_grad_enabled(), *tensors)


def _stand_in(recorder: Recorder, tensor: Tensor) -> Tensor:
    with recorder.silence():
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


# -- attention -------------------------------------------------------------------------------------


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(Q K^T scale) V as one operator. Shapes (..., L, E), (..., S, E), (..., S, V)."""
    lead = _attention_heads(query, key, value, attn_mask, enable_gqa)
    heads = elements(tuple(lead))
    masked = is_causal or attn_mask is not None
    shape = (*lead, query.shape[-2], value.shape[-1])
    tensors = [query, key, value] if attn_mask is None else [query, key, value, attn_mask]

    def compute(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        return torch.ops.aten.scaled_dot_product_attention.default.decompose(
            query, key, value, mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )

    def outputs() -> tuple[Tensor, ...]:
        return (_like_kernels(query, shape),)

    def reserve() -> tuple[Tensor, ...]:  # the logarithm of every row's sum, in float32
        return (torch.empty((*lead, query.shape[-2]), dtype=torch.float32, device=META),)

    def backward_cost(wanted: Sequence[bool]) -> Cost:
        return attention_backward_cost(query, key, value, heads, (wanted[0], wanted[1], wanted[2]))

    closed = _Closed(
        name="scaled_dot_product_attention",
        cost=attention_cost(query, key, value, heads, masked),
        backward_cost=backward_cost,
        outputs=outputs,
        reserve=reserve,
        compute=compute,
    )
    return _run(closed, tensors)


def _attention_heads(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, grouped: bool
) -> tuple[int, ...]:
    """Batch and heads of the result. What torch's kernels refuse is refused here too."""
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise RuntimeError(f"attention needs at least two dimensions, got {shapes}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"attention cannot multiply {shapes}")
    keys = [tuple(key.shape[:-2]), tuple(value.shape[:-2])]
    if grouped:
        if query.shape[-3] % key.shape[-3] or query.shape[-3] % value.shape[-3]:
            raise RuntimeError(f"grouped queries need a multiple of the key's heads, got {shapes}")
        keys = [(*heads[:-1], query.shape[-3]) for heads in keys]
    lead = torch.broadcast_shapes(query.shape[:-2], *keys)
    scores = (*lead, query.shape[-2], key.shape[-2])
    if mask is not None and torch.broadcast_shapes(mask.shape, scores) != scores:
        raise RuntimeError(f"a mask of {tuple(mask.shape)} does not fit scores of {scores}")
    return tuple(lead)


def _like_kernels(query: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The output as the kernel lays it out, which decides whether the next layer copies it.

    On CUDA in float32 the memory-efficient kernel makes (batch, length, heads, size); flash
    attention, there and on the CPU, follows the query.
    """
    if len(shape) != 4:
        return torch.empty(shape, dtype=query.dtype, device=META)
    order = [0, 2, 1, 3]
    if _executions[-1].device == "cpu" or query.dtype != torch.float32:
        strides = query.stride()
        order = sorted(range(4), key=lambda axis: -strides[axis])
    return torch.empty_permuted(shape, order, dtype=query.dtype, device=META)


# -- recurrent layers ------------------------------------------------------------------------------


def _recurrent_layer(cell: str) -> Callable[..., Any]:
    overload = getattr(torch.ops.aten, cell).input

    def layer(
        x: Tensor,
        hx: Any,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        states = list(hx) if cell == "lstm" else [hx]
        batch, steps = (x.shape[0], x.shape[1]) if batch_first else (x.shape[1], x.shape[0])
        recurrence = _recurrence(cell, x, states, num_layers, bidirectional, steps, steps * batch)

        def compute(x: Tensor, *rest: Tensor) -> Any:
            state, weights = _regrouped(cell, rest)
            return overload.decompose(
                x, state, weights, has_biases, num_layers, 0.0, train, bidirectional, batch_first
            )

        # Torch's kernels run time first: batch first is a look at their output.
        order = (1, 0, 2) if batch_first else (0, 1, 2)
        return _layer(cell, x, states, params, has_biases, recurrence, order, compute)

    return layer


def _recurrent_packed(cell: str) -> Callable[..., Any]:
    overload = getattr(torch.ops.aten, cell).data

    def layer(
        data: Tensor,
        batch_sizes: Tensor,
        hx: Any,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
    ) -> Any:
        states = list(hx) if cell == "lstm" else [hx]
        steps = batch_sizes.shape[0]
        recurrence = _recurrence(
            cell, data, states, num_layers, bidirectional, steps, data.shape[0]
        )

        def compute(data: Tensor, *rest: Tensor) -> Any:
            state, weights = _regrouped(cell, rest)
            return overload.decompose(
                data, batch_sizes, state, weights, has_biases, num_layers, 0.0, train, bidirectional
            )

        return _layer(cell, data, states, params, has_biases, recurrence, (0, 1), compute)

    return layer


def _recurrence(
    cell: str,
    x: Tensor,
    states: list[Tensor],
    layers: int,
    bidirectional: bool,
    steps: int,
    products: int,
) -> Recurrence:
    if steps < 1:
        raise RuntimeError("a recurrent layer needs a sequence of one step or more")
    return Recurrence(
        cell=cell,
        steps=steps,
        layers=layers,
        directions=2 if bidirectional else 1,
        input_size=x.shape[-1],
        hidden_size=states[-1].shape[-1],
        products=products,
    )


def _layer(
    cell: str,
    x: Tensor,
    states: list[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    recurrence: Recurrence,
    order: tuple[int, ...],
    compute: Callable[..., Any],
) -> Any:
    state_size = states[0].shape[-1]
    projected = state_size if state_size != recurrence.hidden_size else None
    biases = _biases(params[2:4]) if has_biases else 0
    cost = layer_cost(recurrence, state=projected, biases=biases)

    def outputs() -> tuple[Tensor, ...]:
        shape = (*x.shape[:-1], state_size * recurrence.directions)
        y = torch.empty_permuted(shape, order, dtype=x.dtype, device=META)
        return (y, *(torch.empty(s.shape, dtype=s.dtype, device=META) for s in states))

    def reserve() -> tuple[Tensor, ...]:
        return (torch.empty(_kept_by_layer(recurrence, state_size), dtype=x.dtype, device=META),)

    def backward_cost(wanted: Sequence[bool]) -> Cost:
        gradients = Wanted.among(wanted, len(states), recurrence.layers)
        first_steps = states[0].numel() // (state_size * recurrence.layers * recurrence.directions)
        return layer_backward_cost(recurrence, cost, gradients, first_steps, state=projected)

    closed = _Closed(
        name=cell,
        cost=cost,
        backward_cost=backward_cost,
        outputs=outputs,
        reserve=reserve,
        compute=compute,
        weight_layer=True,
        recurrence=recurrence,
    )
    return _run(closed, [x, *states, *params])


def _biases(candidates: Sequence[Tensor]) -> int:
    """How many biases each gate has; a constant that only fills the kernel's signature is none."""
    states = [_running[-1].storages.of(tensor) for tensor in candidates]
    return sum(bool(state.learned) or not state.constant for state in states)


def _kept_by_layer(shape: Recurrence, state_size: int) -> int:
    """Elements that backpropagation through time needs beside input and output.

    Of every step: the gates, the cell state of an LSTM, and below the last layer the hidden state
    that was the next layer's input.
    """
    per_unit = GATES[shape.cell] + (1 if shape.cell == "lstm" else 0)
    every_layer = shape.layers * shape.hidden_size * per_unit
    between_layers = (shape.layers - 1) * state_size
    return shape.directions * shape.products * (every_layer + between_layers)


def _regrouped(cell: str, rest: Sequence[Tensor]) -> tuple[Any, list[Tensor]]:
    if cell == "lstm":
        return list(rest[:2]), list(rest[2:])
    return rest[0], list(rest[1:])


def _recurrent_cell(cell: str) -> Callable[..., Any]:
    overload = getattr(torch.ops.aten, f"{cell}_cell").default

    def step(
        x: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Any:
        states = list(hx) if cell == "lstm" else [hx]
        weights = [w for w in (w_ih, w_hh, b_ih, b_hh) if w is not None]
        if x.shape[-1] != w_ih.shape[1]:
            raise RuntimeError(f"a cell for inputs of {w_ih.shape[1]} got {x.shape[-1]}")
        if any(state.shape[-1] != w_hh.shape[1] for state in states):
            raise RuntimeError(f"a cell of {w_hh.shape[1]} units got another state's size")
        batch = elements(tuple(x.shape[:-1]))
        recurrence = _recurrence(cell, x, states, 1, False, 1, batch)
        one = cell_cost(
            cell,
            x.shape[-1],
            recurrence.hidden_size,
            biases=(b_ih is not None) + (b_hh is not None),
        )
        cost = Cost(batch * one.macs, batch * one.flops)

        def compute(x: Tensor, *rest: Tensor) -> Any:
            state, given = _regrouped(cell, rest)
            return overload.decompose(x, state, *given)

        def outputs() -> tuple[Tensor, ...]:
            return tuple(torch.empty(s.shape, dtype=s.dtype, device=META) for s in states)

        def reserve() -> tuple[Tensor, ...]:
            count = batch * recurrence.hidden_size * GATES[cell]
            return (torch.empty(count, dtype=x.dtype, device=META),)

        def backward_cost(wanted: Sequence[bool]) -> Cost:
            gradients = Wanted.among(wanted, len(states), 1)
            return layer_backward_cost(recurrence, cost, gradients, batch)

        closed = _Closed(
            name=f"{cell}_cell",
            cost=cost,
            backward_cost=backward_cost,
            outputs=outputs,
            reserve=reserve,
            compute=compute,
            weight_layer=True,
            recurrence=recurrence,
        )
        return _run(closed, [x, *states, *weights])

    return step


# -- by choice -------------------------------------------------------------------------------------


def _attention_with_scores(*args: Any, **kwargs: Any) -> Tensor:
    """Attention as matrix products and a softmax: the scores are stored."""
    return torch.ops.aten._scaled_dot_product_attention_math.default(*args, **kwargs)[0]


def _dropout_on_cuda(x: Tensor, p: float, train: bool) -> Tensor:
    """In training one kernel, whose mask has one byte an element."""
    if train and 0 < p < 1 and x.numel():
        return torch.ops.aten.native_dropout.default(x, p, train)[0]
    return _dropout(x, p, train)


def _dropout(x: Tensor, p: float, train: bool) -> Tensor:
    """As torch's C++ has it where there is no kernel: draw a mask, scale it, multiply.

    It counts nothing, as the kernel does not: chance is not arithmetic of the architecture.
    """
    if p == 0 or not train:
        return x  # torch's Python decomposition would copy it, its kernels do not
    with _running[-1].costless():
        mask = torch.empty_like(x).bernoulli_(1 - p)
        return x * (mask.div_(1 - p) if p < 1 else mask)


# -- kept whole ------------------------------------------------------------------------------------


def _one_kernel(func: torch._ops.OpOverload) -> Callable[..., Tensor]:
    """An operator that is one kernel on CPU and CUDA, and that torch takes apart elsewhere."""
    facts = operator(func)

    def kernel(*args: Tensor) -> Tensor:
        recorder = _running[-1]
        with recorder.silence():
            result = func.decompose(*args)
        cost = facts.formula(*args, out=result) if facts.formula is not None else FREE
        recorder.record(facts.name, args, [result], cost)
        return result

    return kernel


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Torch adds the bias in place to the product of a strided input, but not under a mode."""
    if bias is None or x.dim() < 3 or x.is_contiguous():
        return torch.ops.aten.linear.default.decompose(x, weight, bias)
    return torch.matmul(x, weight.t()).add_(bias)


# -- registration ----------------------------------------------------------------------------------


def _kernels() -> dict[str, Callable[..., Any]]:
    kernels: dict[str, Callable[..., Any]] = {"scaled_dot_product_attention": _attention}
    for cell in GATES:
        kernels[f"{cell}.input"] = _recurrent_layer(cell)
        kernels[f"{cell}.data"] = _recurrent_packed(cell)
        kernels[f"{cell}_cell"] = _recurrent_cell(cell)
    for func in (torch.ops.aten.silu_backward.default, torch.ops.aten.mish_backward.default):
        kernels[func.__name__.removesuffix(".default")] = _one_kernel(func)
    return kernels


_KERNELS = _kernels()


def _chosen(execution: Execution, on_data: bool) -> dict[str, Callable[..., Any]]:
    kernels: dict[str, Callable[..., Any]] = {**_KERNELS, "dropout": _dropout}
    if on_data:
        return kernels
    kernels["linear"] = _linear
    if execution.attention == "math":
        kernels["scaled_dot_product_attention"] = _attention_with_scores
    if execution.device == "cuda":
        kernels["dropout"] = _dropout_on_cuda
    return kernels


def kernel_for(func: torch._ops.OpOverload) -> Callable[..., Any] | None:
    """The closed form of an operator that reaches the recorder whole, in inference mode."""
    name = func._schema.name.removeprefix("aten::")
    overload = func._overloadname
    return _registered[-1].get(name if overload == "default" else f"{name}.{overload}")


@contextmanager
def closed_forms(recorder: Recorder, execution: Execution) -> Iterator[None]:
    """For the length of a run, attention and recurrent operators go to their closed forms."""
    library = torch.library.Library("aten", "IMPL")
    key = "AutogradCPU" if recorder.on_data else "AutogradMeta"
    _running.append(recorder)
    _executions.append(execution)
    _registered.append(_chosen(execution, recorder.on_data))
    try:
        for name, kernel in _registered[-1].items():
            library.impl(name, kernel, key)
        yield
    finally:
        _running.pop()
        _executions.pop()
        _registered.pop()
        torch_private.destroy(library)
