"""What is written down of a run, operator by operator, as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.chance import Chance
from archscope.trace.costs import FREE, Cost
from archscope.trace.in_place import NEW_IN_FORMULAS, InPlace
from archscope.trace.modules import CallStack
from archscope.trace.operators import LOOKUPS
from archscope.trace.records import (
    Category,
    Op,
    Phase,
    Recurrence,
    Storage,
    StorageKind,
    Window,
)
from archscope.trace.sizes import Sizes, sizes_of
from archscope.trace.storages import StorageState, StorageTable


class _Origin(NamedTuple):
    """Where the operands of an operator come from."""

    storages: tuple[int, ...]
    parents: tuple[int, ...]
    learned: tuple[str, ...]  # the parameters among them, or that they are made of
    constant: bool  # none was made from an input
    from_data: bool  # one carries data that is not learned


class Log:
    """The operators and storages of a run so far, and in which module it is."""

    def __init__(self, calls: CallStack):
        self.calls = calls
        self.ops: list[Op] = []
        self.phase: Phase = "forward"
        self.storages = StorageTable(lambda: len(self.ops))
        self.single_values: list[str] = []  # batch normalisations that torch would refuse
        self._op_of_node: dict[int, int] = {}
        self._saved: dict[int, list[int]] = {}
        self._in_place: dict[int, InPlace] = {}  # operators that autograd may run in place
        self._parts = 0
        self._recost: list[Callable[[str, Cost], Cost]] = []
        self._chance = Chance()

    # -- before the run --------------------------------------------------------------------------

    def adopt(self, tensor: Tensor, kind: StorageKind, names: tuple[str, ...] = ()) -> StorageState:
        """Know a tensor from before the run: a weight, a buffer, an input."""
        state = self.storages.find(tensor)
        if state is None:
            state = self.storages.born(tensor, kind, created_at=-1)
        state.names = (*state.names, *names)
        if kind == "weight":
            state.learned = state.names
        return state

    def adopt_input(self, tensor: Tensor, name: str) -> None:
        """Record an input of the model: its storage, and the operator that stands for it."""
        state = self.adopt(tensor, "input", (name,))
        if state.writers:
            return  # the same tensor, given twice
        state.constant = False
        state.writers = [(self.append("input", (), [tensor], FREE, category="input"), None)]

    # -- while it goes ---------------------------------------------------------------------------

    @contextmanager
    def costing(self, cost_of: Callable[[str, Cost], Cost]) -> Iterator[None]:
        """Record operators at another cost, by their names and what they cost on their own."""
        self._recost.append(cost_of)
        try:
            yield
        finally:
            self._recost.pop()

    @contextmanager
    def parts(self) -> Iterator[None]:
        """Record the operators inside of one that is recorded after them, with all of their cost
        and traffic: they make and hold tensors, and are no layers of their own."""
        first = len(self.ops)
        self._parts += 1
        try:
            yield
        finally:
            self._parts -= 1
        whole = len(self.ops)
        for i in range(first, whole):
            if self.ops[i].within < 0:  # a step of a step is that one's already
                self.ops[i] = replace(self.ops[i], within=whole)

    def append(
        self,
        name: str,
        reads: Sequence[Tensor],
        writes: Sequence[Tensor],
        cost: Cost,
        *,
        category: Category = "compute",
        known: bool = True,
        sizes: Sizes | None = None,
        in_place: bool = False,
        weight_layer: bool = False,
        recurrence: Recurrence | None = None,
        window: Window | None = None,
    ) -> int:
        """Write down an operator that has run.

        Args:
            name: the operator.
            reads: the tensors that it reads.
            writes: the tensors that it writes, new ones or not.
            cost: what it costs.
            category: whether it computes.
            known: whether the cost comes from a formula.
            sizes: of those tensors, if they are known already.
            in_place: it writes into a tensor that was there.
            weight_layer: its product makes a weight layer if an operand is learned.
            recurrence: what a recurrent operator went through.
            window: what it slides over its input.

        Returns:
            The index of its record.
        """
        index = len(self.ops)
        sizes = sizes or sizes_of(reads, writes, name in LOOKUPS)
        for cost_of in self._recost:
            cost = cost_of(name, cost)
        origin = self._origin_of(reads)
        write_ids = self._write(index, writes, origin)
        if self.phase == "forward":
            cost = self._chance.cost(
                name, cost, origin.storages, write_ids, drawn=not origin.from_data
            )
        forward_op, recomputed = self._backward_of()
        if self._parts:
            sizes = sizes._replace(bytes_read=0, bytes_written=0)
        of_part = forward_op >= 0 and self.ops[forward_op].within >= 0
        if self._parts or (of_part and writes):
            cost, weight_layer = FREE, False
        path, call = self.calls.innermost()
        if forward_op >= 0 and not recomputed:
            path, call = self.ops[forward_op].module, self.ops[forward_op].call
        self.ops.append(
            Op(
                index=index,
                name=name,
                phase=self.phase,
                category=category,
                module=path,
                call=call,
                reads=origin.storages,
                writes=write_ids,
                parents=origin.parents,
                input_shapes=sizes.input_shapes,
                output_shapes=sizes.output_shapes,
                dtype=sizes.dtype,
                macs=cost.macs,
                flops=cost.flops,
                bytes_read=sizes.bytes_read,
                bytes_written=sizes.bytes_written,
                parameters=tuple(dict.fromkeys(origin.learned)),
                known=known,
                weight_layer=weight_layer and bool(origin.learned) and origin.from_data,
                in_place=in_place,
                recomputed=recomputed,
                forward_op=forward_op,
                recurrence=recurrence,
                window=window,
            )
        )
        return index

    def _origin_of(self, reads: Sequence[Tensor]) -> _Origin:
        ids: list[int] = []
        parents: list[int] = []
        learned: tuple[str, ...] = ()
        constant = True
        from_data = False
        for tensor in reads:
            state = self.storages.of(tensor)
            ids.append(state.index)
            if state.learned:
                learned += state.learned
            else:
                parents += self.storages.parents(tensor, state)
                from_data = from_data or not state.constant
            constant = constant and state.constant
        return _Origin(tuple(ids), tuple(parents), learned, constant, from_data)

    def _write(self, op: int, writes: Sequence[Tensor], origin: _Origin) -> tuple[int, ...]:
        """Let storages know where their contents came from; their indices."""
        ids: list[int] = []
        only_learned = bool(origin.learned) and not origin.from_data
        for tensor in writes:
            state = self.storages.written(op, tensor)
            if not (origin.constant and state.constant):
                state.constant, state.learned = False, ()
            elif only_learned and state.kind == "activation":
                state.learned = origin.learned
            ids.append(state.index)
        return tuple(ids)

    def note_in_place(self, how: InPlace) -> None:
        """Autograd may run the next operator in place."""
        self._in_place[len(self.ops)] = how

    def note_saved(self, tensor: Tensor) -> None:
        """Autograd keeps a tensor for the backward of the operator that runs or has just run."""
        state = self.storages.find(tensor)
        if state is not None:
            node = torch_private.next_sequence_number() - 1
            self._op_of_node.setdefault(node, len(self.ops))  # it may save before it runs
            self._saved.setdefault(node, []).append(state.index)

    def note_single_value(self) -> None:
        """The running module normalises a batch of one value per channel."""
        self.single_values.append(self.calls.innermost()[0])

    def storage_of(self, tensor: Tensor) -> int:
        """The index of a tensor's storage, -1 if it is not known."""
        if torch_private.is_wrapped(tensor):
            return -1
        state = self.storages.find(tensor)
        return -1 if state is None else state.index

    def writers_of(self, tensor: Tensor) -> tuple[int, ...]:
        """The operators whose results a tensor holds."""
        return tuple(self.storages.parents(tensor, self.storages.of(tensor)))

    def _backward_of(self) -> tuple[int, bool]:
        """The forward operator that a backward operator differentiates; is it a recomputation?"""
        if self.phase == "optimizer":
            return -1, False
        recomputed = self.phase == "backward"
        if recomputed and not torch.is_grad_enabled():
            running = torch_private.running_node_number()
            return self._op_of_node.get(running, -1) if running is not None else -1, False
        node = torch_private.next_sequence_number() - 1
        self._op_of_node.setdefault(node, len(self.ops))
        return -1, recomputed

    # -- after it --------------------------------------------------------------------------------

    def mark(self, tensor: Tensor, kind: StorageKind, names: tuple[str, ...]) -> None:
        """Say what a storage of the run turned out to be: a gradient, an optimizer's state."""
        state = self.storages.find(tensor)
        if state is not None and state.kind == "activation":
            state.kind, state.names = kind, names

    def close(self) -> tuple[tuple[Op, ...], tuple[Storage, ...]]:
        """The finished records."""
        self._write_gradients_in_place()
        for node, storages in self._saved.items():
            index = self._op_of_node[node]
            if index < len(self.ops):
                kept = (*self.ops[index].saved, *storages)
                self.ops[index] = replace(self.ops[index], saved=tuple(dict.fromkeys(kept)))
        return tuple(self.ops), self.storages.close()

    def _write_gradients_in_place(self) -> None:
        """Let the first operand go as the operator begins that would have written into it."""
        for index, how in self._in_place.items():
            op = self.ops[index]
            held = self.storages.states[op.reads[0]]
            made = self.storages.states[op.writes[0]]
            maker = self.ops[held.created_at].name if held.created_at >= 0 else ""
            alone = held.freed_at == index + 1  # a view's base holds its storage too
            allowed = {
                InPlace.NEVER: False,
                InPlace.IF_ALONE: alone,
                InPlace.IF_ALONE_AND_ZERO: alone and "zeros" in maker,
                InPlace.ALWAYS: held.kind == "activation" and maker not in NEW_IN_FORMULAS,
            }
            if allowed[how] and held.bytes == made.bytes:
                held.freed_at = index
