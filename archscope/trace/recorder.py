"""The dispatch mode that watches a run and writes it down.

Every operator passes here below autograd. Tensors are on the meta device: they have shapes and
storages but no data. Small tensors that a model makes for itself on the CPU (positions, masks,
sizes) stay real, so that code which reads them keeps working; where they meet a meta tensor they
are taken for their shape alone. Identical calls are answered from a table of shapes.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from archscope.trace import torch_private
from archscope.trace.costs import FREE, Cost
from archscope.trace.modules import CallStack
from archscope.trace.operators import LOOKUPS, WEIGHT_PRODUCTS, Operator, operator
from archscope.trace.records import (
    Category,
    Op,
    Phase,
    Recurrence,
    Storage,
    StorageKind,
    Window,
)
from archscope.trace.remembered import META, call_key, made_again, recall, remember
from archscope.trace.shapes import shape_rule
from archscope.trace.storages import StorageState, StorageTable
from archscope.trace.values import (
    LARGEST_REAL,
    DataDependent,
    as_constant,
    broadcast_elements,
    is_to_meta,
    placed,
    result_from_values,
)
from archscope.trace.windows import window_of


class Recorder(TorchDispatchMode):
    """Records operators, storages and module calls of one run."""

    supports_higher_order_operators = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: torch would import its compiler, which takes as long as torch itself, to skip it.

        Nothing is compiled during a run (the tracer sees to that), so there is nothing to skip.
        """
        return False

    def __init__(self, calls: CallStack, *, on_data: bool = False):
        super().__init__()
        self.calls = calls
        self.on_data = on_data  # a run on real tensors
        self.ops: list[Op] = []
        self.phase: Phase = "forward"
        self.storages = StorageTable(lambda: len(self.ops))
        self._op_of_node: dict[int, int] = {}
        self._saved: dict[int, list[int]] = {}
        self._sums: list[int] = []  # of gradients, which autograd might have added in place
        self.single_values: list[str] = []  # batch normalisations that torch would refuse
        self._silent = 0
        self._costless = 0
        self._thread = threading.get_ident()

    # -- what the tracer says before and after the run -------------------------------------------

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
        state.constant = False
        state.writers = [(self._append("input", "input", (), [tensor], FREE, True), None)]

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Run operators without recording them."""
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    @contextmanager
    def costless(self) -> Iterator[None]:
        """Record operators that are no arithmetic, though they look it."""
        self._costless += 1
        try:
            yield
        finally:
            self._costless -= 1

    def close(self) -> tuple[tuple[Op, ...], tuple[Storage, ...]]:
        """The finished records."""
        self._add_gradients_in_place()
        saved = {
            self._op_of_node[node]: ids
            for node, ids in self._saved.items()
            if node in self._op_of_node
        }
        ops = (
            replace(op, saved=tuple(dict.fromkeys(saved[op.index]))) if op.index in saved else op
            for op in self.ops
        )
        return tuple(ops), self.storages.close()

    def _add_gradients_in_place(self) -> None:
        """Where gradients meet, autograd adds into the one that it alone holds, but never under a
        dispatch mode: let that one go as the sum begins. (A view's base holds its storage too.)"""
        for index in self._sums:
            held = self.storages.states[self.ops[index].reads[0]]
            summed = self.storages.states[self.ops[index].writes[0]]
            if held.freed_at == index + 1 and held.bytes == summed.bytes:
                held.freed_at = index

    def storage_of(self, tensor: Tensor) -> int:
        """The index of a tensor's storage, -1 if it is not known."""
        if torch_private.is_wrapped(tensor):
            return -1
        state = self.storages.find(tensor)
        return -1 if state is None else state.index

    def writers_of(self, tensor: Tensor) -> tuple[int, ...]:
        """The operators whose results a tensor holds."""
        return tuple(self.storages.parents(tensor, self.storages.of(tensor)))

    def mark(self, tensor: Tensor, kind: StorageKind, names: tuple[str, ...]) -> None:
        """Say what a storage of the run turned out to be: a gradient, an optimizer's state."""
        state = self.storages.find(tensor)
        if state is not None and state.kind == "activation":
            state.kind, state.names = kind, names

    def note_single_value(self) -> None:
        """The running module normalises a batch of one value per channel."""
        self.single_values.append(self.calls.innermost()[0])

    # -- saved tensors ---------------------------------------------------------------------------

    def save_for_backward(self, tensor: Tensor) -> Tensor:
        """Autograd packs a tensor: note for which operator. Shares the tensor's storage."""
        state = self.storages.find(tensor)
        if state is not None and not self._silent:
            node = torch_private.next_sequence_number() - 1
            self._saved.setdefault(node, []).append(state.index)
        with self.silence():
            return tensor.detach()

    # -- every operator passes here --------------------------------------------------------------

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._silent or threading.get_ident() != self._thread:
            return func(*args, **kwargs)
        if not isinstance(func, torch._ops.OpOverload):
            return self._higher_order(func, args, kwargs)
        facts = operator(func)
        tensors = _tensors_in(args)
        if kwargs:
            tensors += _tensors_in(tuple(kwargs.values()))
        if facts.composite and not self.on_data:
            result = self._decompose(func, args, kwargs)
            if result is not NotImplemented:
                return result
        if self.on_data:
            return self._run(func, facts, tensors, args, kwargs)
        if not any(tensor.is_meta for tensor in tensors):
            return self._run_real(func, facts, tensors, args, kwargs)
        return self._run_on_meta(func, facts, tensors, args, kwargs)

    def _decompose(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Inference mode hands over composite operators whole; autograd would have opened them."""
        from archscope.trace.fused import kernel_for

        opened = kernel_for(func) or func.decompose
        with self:
            return opened(*args, **kwargs)

    def _higher_order(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from archscope.trace.higher_order import higher_order_kernel

        return higher_order_kernel(func)(self, func, args, kwargs)

    def _run_real(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """An operator on tensors that the model made for itself, or none at all."""
        if self.phase == "optimizer" and facts.data_dependent:
            return func(*args, **kwargs)  # the host reads its own count of steps
        if self.storages.any_hollow and any(map(self.storages.is_hollow, tensors)):
            if facts.data_dependent:
                raise DataDependent(f"{facts.name} reads values that depend on the input")
            if facts.mutated:
                self._record(facts, tensors, args, kwargs, _written(facts, args, kwargs), FREE)
                return args[facts.mutated[0]] if isinstance(facts.mutated[0], int) else None
            if not facts.view:
                return self._run_on_meta(func, facts, tensors, args, kwargs)
        if not tensors and facts.category == "create":
            args, kwargs = placed(facts.name, args, kwargs)
        elif not facts.mutated and broadcast_elements(tensors) > LARGEST_REAL:
            return self._run_on_meta(func, facts, tensors, args, kwargs)
        elif is_to_meta(kwargs):
            kwargs = {**kwargs, "device": None}  # a known value stays known
        return self._run(func, facts, tensors, args, kwargs)

    def _run_on_meta(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if facts.data_dependent:
            result = result_from_values(func, facts.name, args, kwargs, self.storages.is_hollow)
            self._record(facts, tensors, args, kwargs, _tensors_in((result,)), FREE)
            return result
        constant = as_constant(facts.name, args, kwargs)
        if constant is not None:
            return self._run(func, facts, [], *constant)
        mixed = not all(tensor.is_meta for tensor in tensors)
        written = _written(facts, args, kwargs) if facts.mutated else None
        if mixed and written and any(not tensor.is_meta for tensor in written):
            self.storages.hollow_out(written)
            cost = _cost(facts, args, kwargs, written[0])
            self._record(facts, tensors, args, kwargs, written, cost)
            return written[0] if len(written) == 1 else tuple(written)
        call_args, call_kwargs = args, kwargs
        if mixed:
            call_args, call_kwargs = _on_meta(args), _on_meta(kwargs)
        if kwargs.get("device") is not None:
            call_kwargs = {**call_kwargs, "device": META}
        if facts.cacheable:
            return self._run_remembered(func, facts, tensors, args, kwargs, call_args, call_kwargs)
        result = _ask_torch(func, call_args, call_kwargs)
        if not facts.view:
            outputs = written if written is not None else _tensors_in((result,))
            cost = _cost(facts, call_args, call_kwargs, result)
            self._record(facts, tensors, args, kwargs, outputs, cost)
        return result

    def _run_remembered(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        call_args: tuple[Any, ...],
        call_kwargs: dict[str, Any],
    ) -> Any:
        key = call_key(func, call_args, call_kwargs)
        seen = recall(key)
        if seen is None:
            rule = shape_rule(facts.name, func._overloadname)
            result = NotImplemented if rule is None else rule(*call_args, **call_kwargs)
            if result is NotImplemented:
                result = _ask_torch(func, call_args, call_kwargs)
            outputs = _tensors_in((result,))
            if _shares_storage(outputs, tensors):
                return result  # a view after all
            cost = _cost(facts, call_args, call_kwargs, result)
            remember(key, result, cost)
        else:
            result = made_again(seen.outputs)
            outputs = [result] if isinstance(result, Tensor) else _tensors_in((result,))
            cost = seen.cost
        self._record(facts, tensors, args, kwargs, outputs, cost)
        return result

    def _run(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        result = func(*args, **kwargs)
        if facts.view:
            return result
        if facts.mutated:
            outputs = _written(facts, args, kwargs)
        else:
            outputs = _tensors_in((result,))
            if _shares_storage(outputs, tensors):
                return result
        self._record(facts, tensors, args, kwargs, outputs, _cost(facts, args, kwargs, result))
        return result

    # -- writing down ----------------------------------------------------------------------------

    def record(
        self,
        name: str,
        reads: Sequence[Tensor],
        writes: Sequence[Tensor],
        cost: Cost,
        *,
        weight_layer: bool = False,
        recurrence: Recurrence | None = None,
        category: Category = "compute",
    ) -> int:
        """Record an operator that a closed form stands for (attention, a recurrent layer)."""
        return self._append(
            name,
            category,
            reads,
            writes,
            cost,
            True,
            weight_layer=weight_layer,
            recurrence=recurrence,
        )

    def _record(
        self,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outputs: list[Tensor],
        cost: Cost,
    ) -> None:
        reads = tensors
        if facts.overwrites and outputs:
            reads = [t for t in tensors if not any(t is o for o in outputs)]
        if self.phase == "backward" and facts.name == "add" and not reads[0]._is_view():
            self._sums.append(len(self.ops))
        self._append(
            facts.name,
            facts.category,
            reads,
            outputs,
            cost,
            facts.known,
            in_place=bool(facts.mutated),
            weight_layer=facts.name in WEIGHT_PRODUCTS,
            window=window_of(facts.name, args),
        )

    def _append(
        self,
        name: str,
        category: Category,
        reads: Sequence[Tensor],
        writes: Sequence[Tensor],
        cost: Cost,
        known: bool,
        *,
        in_place: bool = False,
        weight_layer: bool = False,
        recurrence: Recurrence | None = None,
        window: Window | None = None,
    ) -> int:
        index = len(self.ops)
        cost = FREE if self._costless else cost
        read_states = [self.storages.of(tensor) for tensor in reads]
        parents: list[int] = []
        learned: tuple[str, ...] = ()
        constant = True
        bytes_read = 0
        for tensor, state in zip(reads, read_states, strict=True):
            bytes_read += tensor.numel() * tensor.itemsize
            if state.learned:
                learned = (*learned, *state.learned)
            else:
                parents.extend(self.storages.parents(tensor, state))
            constant = constant and state.constant
        write_ids = []
        bytes_written = 0
        from_data = any(not (state.learned or state.constant) for state in read_states)
        only_learned = bool(learned) and not from_data
        for tensor in writes:
            state = self.storages.written(index, tensor)
            if not (constant and state.constant):
                state.constant, state.learned = False, ()
            elif only_learned and state.kind == "activation":
                state.learned = learned
            write_ids.append(state.index)
            bytes_written += tensor.numel() * tensor.itemsize
        if name in LOOKUPS and reads:  # of a table only what is looked up is read
            table = reads[0].numel() * reads[0].itemsize
            bytes_read -= max(0, table - bytes_written)
        forward_op, recomputed = self._backward_of()
        path, call = self.calls.innermost()
        if forward_op >= 0 and not recomputed:
            path, call = self.ops[forward_op].module, self.ops[forward_op].call
        dtype = writes[0].dtype if writes else (reads[0].dtype if reads else None)
        self.ops.append(
            Op(
                index=index,
                name=name,
                phase=self.phase,
                category=category,
                module=path,
                call=call,
                reads=tuple(state.index for state in read_states),
                writes=tuple(write_ids),
                parents=tuple(parents),
                input_shapes=tuple(tuple(tensor.shape) for tensor in reads),
                output_shapes=tuple(tuple(tensor.shape) for tensor in writes),
                dtype=str(dtype).removeprefix("torch.") if dtype is not None else "",
                macs=cost.macs,
                flops=cost.flops,
                bytes_read=bytes_read,
                bytes_written=bytes_written,
                parameters=tuple(dict.fromkeys(learned)),
                known=known,
                weight_layer=weight_layer and bool(learned) and from_data,
                in_place=in_place,
                recomputed=recomputed,
                forward_op=forward_op,
                recurrence=recurrence,
                window=window,
            )
        )
        return index

    def _backward_of(self) -> tuple[int, bool]:
        """The forward operator that a backward operator differentiates; is it a recomputation?"""
        if self.phase == "forward":
            node = torch_private.next_sequence_number() - 1
            self._op_of_node.setdefault(node, len(self.ops))
            return -1, False
        if self.phase == "backward":
            if torch.is_grad_enabled():
                node = torch_private.next_sequence_number() - 1
                self._op_of_node.setdefault(node, len(self.ops))
                return -1, True
            running = torch_private.running_node_number()
            return self._op_of_node.get(running, -1) if running is not None else -1, False
        return -1, False


def _ask_torch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator on meta. Where that makes torch import more of itself, a failed import leaves
    a cycle through every frame of the program, which holds tensors until it is collected."""
    modules = len(sys.modules)
    result = func(*args, **kwargs)
    if len(sys.modules) != modules:
        gc.collect()
    return result


# -- tensors among arguments -----------------------------------------------------------------------


def _tensors_in(values: Sequence[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(_tensors_in(value))
    return found


def _written(facts: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    values = [
        (args[where] if where < len(args) else None)
        if isinstance(where, int)
        else kwargs.get(where)
        for where in facts.mutated
    ]
    return _tensors_in(values)


def _on_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else _as_meta(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_on_meta, value))
    if isinstance(value, dict):
        return {key: _on_meta(item) for key, item in value.items()}
    return value


def _as_meta(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def _shares_storage(outputs: list[Tensor], inputs: list[Tensor]) -> bool:
    keys = {torch_private.storage_key(tensor) for tensor in inputs}
    return any(torch_private.storage_key(tensor) in keys for tensor in outputs)


def _cost(facts: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Cost:
    if facts.formula is None or facts.category != "compute":
        return FREE
    options = {name: value for name, value in kwargs.items() if name != "out"}
    return facts.formula(*args, out=out, **options)
