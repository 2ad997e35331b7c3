"""Recurrent layers and cells as one operator each, whatever the length of the sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from archscope.trace.costs import Cost
from archscope.trace.costs.recurrent import (
    GATES,
    Wanted,
    cell_cost,
    layer_backward_cost,
    layer_cost,
)
from archscope.trace.fused.closed_form import ClosedForm, run_closed
from archscope.trace.fused.in_parts import run_in_parts
from archscope.trace.fused.running import running
from archscope.trace.records import Recurrence, elements
from archscope.trace.remembered import META


def recurrent_layer(cell: str) -> Callable[..., Any]:
    """The kernel of a layer of these cells."""
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


def recurrent_packed(cell: str) -> Callable[..., Any]:
    """The kernel of such a layer on packed sequences."""
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


def recurrent_cell(cell: str) -> Callable[..., Any]:
    """The kernel of one step."""
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
        _refuse_misfit(x, states, w_ih, w_hh)
        batch = elements(tuple(x.shape[:-1]))
        recurrence = _recurrence(cell, x, states, 1, False, 1, batch)
        biases = (b_ih is not None) + (b_hh is not None)
        one = cell_cost(cell, x.shape[-1], recurrence.hidden_size, biases=biases)
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

        if running().execution.device == "cpu" and not running().recorder.on_data:
            return run_in_parts(  # only CUDA has a kernel for a cell
                f"{cell}_cell",
                [x, *states, *weights],
                lambda: overload.decompose(x, hx, w_ih, w_hh, b_ih, b_hh),
                cost,
                backward_cost,
                weight_layer=True,
                recurrence=recurrence,
            )
        closed = ClosedForm(
            name=f"{cell}_cell",
            cost=cost,
            backward_cost=backward_cost,
            outputs=outputs,
            reserve=reserve,
            compute=compute,
            weight_layer=True,
            recurrence=recurrence,
        )
        return run_closed(closed, [x, *states, *weights])

    return step


def _refuse_misfit(x: Tensor, states: list[Tensor], w_ih: Tensor, w_hh: Tensor) -> None:
    """As torch's cells do."""
    if x.shape[-1] != w_ih.shape[1]:
        raise RuntimeError(f"a cell for inputs of {w_ih.shape[1]} got {x.shape[-1]}")
    if any(state.shape[-1] != w_hh.shape[1] for state in states):
        raise RuntimeError(f"a cell of {w_hh.shape[1]} units got another state's size")


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

    closed = ClosedForm(
        name=cell,
        cost=cost,
        backward_cost=backward_cost,
        outputs=outputs,
        reserve=reserve,
        compute=compute,
        weight_layer=True,
        recurrence=recurrence,
    )
    return run_closed(closed, [x, *states, *params])


def _biases(candidates: Sequence[Tensor]) -> int:
    """How many biases each gate has; a constant that only fills the kernel's signature is none."""
    states = [running().recorder.log.storages.of(tensor) for tensor in candidates]
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
