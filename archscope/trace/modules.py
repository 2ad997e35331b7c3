"""Which module is running: every call of every module, noted as it is entered and left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from archscope.trace import torch_private
from archscope.trace.nested import tensors_in
from archscope.trace.records import ModuleCall, Phase, Shape

Call = Callable[..., Any]
_COMPILED = "_orig_mod"  # the name of a compiled module in its wrapper


@dataclass(slots=True)
class _OpenCall:
    index: int
    path: str
    kind: str
    number: int
    parent: int
    first_op: int
    input_shapes: tuple[Shape, ...]
    phase: Phase
    detail: str
    leaf: bool = True


class CallStack:
    """The modules that are running, outermost first, and the record of all calls."""

    def __init__(self, modules: Mapping[str, nn.Module]):
        self.names = {id(module): _plain(path) for path, module in modules.items()}
        self._wrappers = {id(m) for m in modules.values() if _COMPILED in m._modules}
        self.calls: list[ModuleCall | None] = []
        self._open: list[_OpenCall] = []
        self._times: dict[str, int] = {}
        self.failed_in: _OpenCall | None = None
        self.made: list[nn.Module] = []  # modules that the model made while it ran
        self.elsewhere: list[str] = []  # paths of modules that ran in another thread

    def innermost(self) -> tuple[str, int]:
        """Path and call index of the innermost running module; ("", -1) outside of all."""
        if not self._open:
            return "", -1
        return self._open[-1].path, self._open[-1].index

    def notes(self, module: nn.Module) -> bool:
        """Whether a call is noted: what torch.compile wrapped is, its wrapper is not."""
        return not self._wrappers or id(module) not in self._wrappers

    def enter(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        op: int,
        phase: Phase,
    ) -> None:
        """A module is called; ``op`` is the number of operators so far."""
        path = self.names.get(id(module))
        if path is None:  # made during the run
            inside = self.innermost()[0]
            kind = type(module).__name__
            path = self.names[id(module)] = f"{inside}.{kind}" if inside else kind
            self.made.append(module)  # kept alive: another must not get its identity
        number = self._times[path] = self._times.get(path, 0) + 1
        parent = self._open[-1].index if self._open else -1
        if self._open:
            self._open[-1].leaf = False
        tensors = tensors_in(args)
        if kwargs:
            tensors += tensors_in(kwargs.values())
        shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        detail = _detail(module) if number == 1 else ""
        self._open.append(
            _OpenCall(
                len(self.calls),
                path,
                type(module).__name__,
                number,
                parent,
                op,
                shapes,
                phase,
                detail,
            )
        )
        self.calls.append(None)

    def leave(self, output: Any, op: int, storage_of: Callable[[Tensor], int]) -> None:
        """The innermost module returned."""
        call = self._open.pop()
        outputs = tensors_in((output,))
        self.calls[call.index] = ModuleCall(
            index=call.index,
            path=call.path,
            kind=call.kind,
            call=call.number,
            depth=len(self._open),
            parent=call.parent,
            first_op=call.first_op,
            end_op=op,
            input_shapes=call.input_shapes,
            output_shapes=tuple(tuple(tensor.shape) for tensor in outputs),
            output_storages=tuple(map(storage_of, outputs)),
            leaf=call.leaf,
            phase=call.phase,
            detail=call.detail,
        )

    def fail(self) -> None:
        """The innermost module raised. The first to do so is the one to name."""
        call = self._open.pop()
        if self.failed_in is None:
            self.failed_in = call

    def finished(self) -> tuple[ModuleCall, ...]:
        """All calls in the order in which they began."""
        return tuple(call for call in self.calls if call is not None)


@contextmanager
def module_calls(
    stack: CallStack,
    op_count: Callable[[], int],
    phase: Callable[[], Phase],
    storage_of: Callable[[Tensor], int],
) -> Iterator[None]:
    """Note every module call of this thread.

    Torch's global hooks would do but for keyword arguments, which they do not see.
    """
    thread = threading.get_ident()

    def noted(original: Call) -> Call:
        def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread:
                stack.elsewhere += [stack.names[id(module)]] if id(module) in stack.names else []
                return original(module, *args, **kwargs)
            if not stack.notes(module):
                return original(module, *args, **kwargs)
            stack.enter(module, args, kwargs, op_count(), phase())
            try:
                output = original(module, *args, **kwargs)
            except BaseException:
                stack.fail()
                raise
            stack.leave(output, op_count(), storage_of)
            return output

        return call

    with torch_private.module_calls_through(noted):
        yield


def _plain(path: str) -> str:
    """A compiled module's wrapper is no level of the architecture."""
    return ".".join(part for part in path.split(".") if part != _COMPILED)


def _detail(module: nn.Module) -> str:
    """The module's settings, as torch prints them."""
    if module._modules:
        return ""
    try:
        return module.extra_repr()
    except Exception:  # a user's own extra_repr must not stop the analysis
        return ""
