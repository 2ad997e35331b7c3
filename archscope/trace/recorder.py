"""The dispatch mode that watches a run.

Every operator passes here below autograd. Tensors are on the meta device: they have shapes and
storages but no data. Small tensors that a model makes for itself on the CPU (positions, masks,
sizes) stay real, so that code which reads them keeps working; where they meet a meta tensor they
are taken for their shape alone. Identical calls are answered from a table of shapes.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from archscope.trace import torch_private
from archscope.trace.arguments import cost_of_call, on_meta, share_storage, written
from archscope.trace.costs import FREE, Cost
from archscope.trace.costs.recurrent import quantised_recurrence
from archscope.trace.in_place import WATCHED, in_place
from archscope.trace.log import Log
from archscope.trace.modules import CallStack
from archscope.trace.nested import tensors_in
from archscope.trace.operators import Operator, operator
from archscope.trace.remembered import (
    META,
    Effect,
    call_key,
    description,
    made_again,
    recall,
    remember,
)
from archscope.trace.shapes import keeps_shape, shape_rule
from archscope.trace.sizes import is_sparse, sizes_of
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
    """Runs operators on shapes, or on data, and notes them in its log."""

    supports_higher_order_operators = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: torch would import its compiler, which takes as long as torch itself, to skip it.

        Nothing is compiled during a run (the tracer sees to that), so there is nothing to skip.
        """
        return False

    def __init__(self, calls: CallStack, *, on_data: bool = False):
        super().__init__()
        self.log = Log(calls)
        self.on_data = on_data  # a run on real tensors
        self.packed: dict[str, list[Tensor]] = {}  # weights that no operand shows, by module
        self.closed_forms: Mapping[str, Callable[..., Any]] = {}  # by operator, as "lstm.input"
        self._silent = 0
        self._thread = threading.get_ident()

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Run operators without recording them."""
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    def save_for_backward(self, tensor: Tensor) -> Tensor:
        """Autograd packs a tensor: note for which operator. Shares the tensor's storage."""
        if not self._silent:
            self.log.note_saved(tensor)
        with self.silence():
            return tensor.detach()

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
            raise NotImplementedError(f"the operator {func.name()} cannot be recorded")
        if any(map(torch_private.is_jagged, types)):
            with self:  # it opens itself into operators on all of its rows
                return torch_private.jagged_opened(func, types, args, kwargs)
        facts = operator(func)
        tensors = tensors_in(args)
        if kwargs:
            tensors += tensors_in(kwargs.values())
        if facts.composite and not (self.on_data and facts.known):
            result = self._decompose(func, args, kwargs)
            if result is not NotImplemented:
                return result
        if self.on_data:
            return self._run(func, facts, tensors, args, kwargs)
        are_meta = [tensor.is_meta for tensor in tensors]
        if True not in are_meta:
            return self._run_real(func, facts, tensors, args, kwargs)
        return self._run_on_meta(func, facts, tensors, args, kwargs, mixed=False in are_meta)

    def _decompose(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Inference mode hands over composite operators whole; autograd would have opened them."""
        opened = self.closed_forms.get(_overload(func)) or func.decompose
        with self:
            return opened(*args, **kwargs)

    def _run_real(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """An operator on tensors that the model made for itself, or none at all."""
        if self.log.phase == "optimizer" and facts.data_dependent:
            return func(*args, **kwargs)  # the host reads its own count of steps
        if self.log.storages.any_hollow and any(map(self.log.storages.is_hollow, tensors)):
            if facts.data_dependent:
                raise DataDependent(f"{facts.name} reads values that depend on the input")
            if facts.mutated:
                self._record(facts, tensors, written(facts, args, kwargs), args, FREE)
                return args[facts.mutated[0]] if isinstance(facts.mutated[0], int) else None
            if not facts.view:
                return self._run_on_meta(func, facts, tensors, args, kwargs, mixed=bool(tensors))
        if not tensors and facts.category == "create":
            args, kwargs = placed(facts.name, args, kwargs)
        elif not facts.mutated and broadcast_elements(tensors) > LARGEST_REAL:
            return self._run_on_meta(func, facts, tensors, args, kwargs, mixed=bool(tensors))
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
        *,
        mixed: bool,
    ) -> Any:
        """An operator on shapes; ``mixed`` with real tensors."""
        if facts.data_dependent:
            hollow = self.log.storages.is_hollow
            result = result_from_values(func, facts.name, args, kwargs, hollow)
            self._record(facts, tensors, tensors_in((result,)), args, FREE)
            return result
        constant = as_constant(facts.name, args, kwargs) if facts.may_be_constant else None
        if constant is not None:
            return self._run(func, facts, [], *constant)
        if mixed and facts.mutated:
            targets = written(facts, args, kwargs)
            if any(not tensor.is_meta for tensor in targets):
                self.log.storages.hollow_out(targets)
                cost = cost_of_call(facts, args, kwargs, targets[0])
                self._record(facts, tensors, targets, args, cost)
                return targets[0] if len(targets) == 1 else tuple(targets)
        call_args, call_kwargs = args, kwargs
        if mixed:
            call_args, call_kwargs = on_meta(args), on_meta(kwargs)
        if kwargs and kwargs.get("device") is not None:
            call_kwargs = {**call_kwargs, "device": META}
        if facts.cacheable:
            return self._run_remembered(func, facts, tensors, call_args, call_kwargs)
        if facts.in_place and not share_storage(tensors[:1], tensors[1:]):
            return self._run_in_place(func, facts, tensors, call_args, call_kwargs)
        result = _ask_torch(func, call_args, call_kwargs)
        if not facts.view:
            outputs = _made_or_written(facts, args, kwargs, result)
            cost = cost_of_call(facts, call_args, call_kwargs, result)
            self._record(facts, tensors, outputs, args, cost)
        return result

    def _run_remembered(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """An operator that makes new tensors."""
        key = call_key(facts, args, kwargs)
        effect = recall(key)
        if effect is not None:
            result = made_again(effect.outputs)
            outputs = [result] if isinstance(result, Tensor) else tensors_in(result)
        else:
            rule = shape_rule(facts.name, func._overloadname)
            result = NotImplemented if rule is None else rule(*args, **kwargs)
            if result is NotImplemented:
                result = _ask_torch(func, args, kwargs)
            outputs = tensors_in((result,))
            if share_storage(outputs, tensors):
                return result  # a view after all
            cost = cost_of_call(facts, args, kwargs, result)
            dense = not any(map(is_sparse, outputs))  # what a sparse one holds is no shape
            effect = _effect(facts, tensors, outputs, args, cost, result if dense else None)
            if dense:
                remember(key, effect)
        self._append(facts, tensors, outputs, effect)
        return result

    def _run_in_place(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Tensor:
        """An operator that writes its first operand, which no other shares. Without data that
        changes nothing, but torch may refuse the shapes: it is asked once."""
        target: Tensor = args[0]
        reads = _reads(facts, tensors, [target])
        key = call_key(facts, args, kwargs)
        effect = recall(key)
        if effect is None:
            if not keeps_shape(facts.name, *args, **kwargs):
                _ask_torch(func, args, kwargs)
            cost = cost_of_call(facts, args, kwargs, target)
            effect = _effect(facts, reads, [target], args, cost)
            remember(key, effect)
        self._append(facts, reads, [target], effect)
        return target

    def _run(
        self,
        func: Any,
        facts: Operator,
        tensors: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """An operator on data."""
        result = func(*args, **kwargs)
        if facts.view:
            return result
        outputs = _made_or_written(facts, args, kwargs, result)
        if not facts.mutated and share_storage(outputs, tensors):
            return result
        cost = cost_of_call(facts, args, kwargs, result)
        self._record(facts, tensors, outputs, args, cost)
        return result

    def _record(
        self,
        facts: Operator,
        tensors: list[Tensor],
        outputs: list[Tensor],
        args: tuple[Any, ...],
        cost: Cost,
    ) -> None:
        reads = _reads(facts, tensors, outputs)
        if self.packed and facts.weight_product:
            # A quantised layer's operands are its input and its states, but no batch sizes.
            reads = [tensor for tensor in reads if tensor.dtype is not torch.int64]
            reads = [*reads, *self.packed.get(self.log.calls.innermost()[0], ())]
        self._append(facts, reads, outputs, _effect(facts, reads, outputs, args, cost))

    def _append(
        self, facts: Operator, reads: list[Tensor], writes: list[Tensor], effect: Effect
    ) -> None:
        if (
            facts.name in WATCHED
            and self.log.phase == "backward"
            and not torch.is_grad_enabled()  # a checkpoint computes its forward pass again
            and not reads[0]._is_view()
            and torch_private.called_by_autograd()
        ):
            self.log.note_in_place(in_place(facts.name, torch_private.running_node_name()))
        self.log.append(
            facts.name,
            reads,
            writes,
            effect.cost,
            category=facts.category,
            known=facts.known,
            sizes=effect.sizes,
            in_place=bool(facts.mutated),
            weight_layer=facts.weight_product,
            window=effect.window,
            recurrence=effect.recurrence,
        )


def _overload(func: torch._ops.OpOverload) -> str:
    name = func._schema.name.removeprefix("aten::")
    return name if func._overloadname == "default" else f"{name}.{func._overloadname}"


def _made_or_written(
    facts: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> list[Tensor]:
    """What holds an operator's results: the tensors that it wrote into, and those that are new."""
    if not facts.mutated:
        return tensors_in((result,))
    targets = written(facts, args, kwargs)
    if facts.in_place:
        return targets
    return targets + [t for t in tensors_in((result,)) if not share_storage([t], targets)]


def _reads(facts: Operator, tensors: list[Tensor], outputs: list[Tensor]) -> list[Tensor]:
    """The operands without those that are overwritten unread."""
    if not (facts.overwrites and outputs):
        return tensors
    return [t for t in tensors if not any(t is o for o in outputs)]


def _effect(
    facts: Operator,
    reads: list[Tensor],
    writes: list[Tensor],
    args: tuple[Any, ...],
    cost: Cost,
    result: Any = None,
) -> Effect:
    sizes = sizes_of(reads, writes, facts.looks_up)
    window = window_of(facts.name, args)
    recurrence = quantised_recurrence(facts.name, args)
    return Effect(description(result), cost, sizes, window, recurrence)


def _ask_torch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator on meta. Where that makes torch import more of itself, a failed import leaves
    a cycle through every frame of the program, which holds tensors until it is collected."""
    modules = len(sys.modules)
    result = func(*args, **kwargs)
    if len(sys.modules) != modules:
        gc.collect()
    return result
