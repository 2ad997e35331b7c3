"""A deep copy of a module, whatever it holds."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from types import CellType, FunctionType
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer

from archscope.errors import InvalidInput, one_line

_OF_TORCH = frozenset(nn.Module().__dict__)
_Memo = dict[int, Any]  # as copy.deepcopy has it: the identity of an original -> its copy


def copied(model: nn.Module) -> nn.Module:
    """A copy that shares no module, parameter or buffer with the model.

    What ``copy.deepcopy`` refuses or leaves is dealt with: tensors that were computed, such as the
    weight that ``weight_norm`` makes of its parameters, are copied as data; functions that refer to
    the model, such as a ``forward`` or a hook that was put on it, refer to the copy; attributes
    that nothing can copy, such as a lock or an open file, are shared.

    Raises:
        InvalidInput: it cannot be copied so.
    """
    held = _tensors_of(model)
    memo: _Memo = {id(tensor): _data(tensor) for tensor in held if not _copies(tensor)}
    try:
        with torch.no_grad():  # a scripted module's weights would become results of the model's
            found, memo = _deep_copy(model, memo)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        name = type(model).__name__
        raise InvalidInput(
            f"{name} cannot be copied, which leaves yours as it is: {one_line(error)}; give a "
            f"reference that builds one, such as net.py:{name}"
        ) from error
    _check_apart(model, found)
    for own, other in zip(model.parameters(), found.parameters(), strict=True):
        if other.requires_grad != own.requires_grad:
            other.requires_grad_(own.requires_grad)
    for module in found.modules():
        _refer_to_copies(module, memo)
    return found


def _tensors_of(model: nn.Module) -> list[Tensor]:
    """What its modules hold, registered or in containers, which may hold themselves."""
    found: list[Tensor] = []
    rest: list[Any] = [value for module in model.modules() for value in vars(module).values()]
    seen: set[int] = set()
    while rest:
        value = rest.pop()
        if isinstance(value, Tensor):
            found.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            rest += _items(value)
    return found


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset | deque):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return vars(value).values() if hasattr(value, "__dict__") else ()
    return ()


def _copies(tensor: Tensor) -> bool:
    """Whether ``copy.deepcopy`` copies it."""
    return tensor.is_leaf and not isinstance(tensor, UninitializedBuffer)


def _data(tensor: Tensor) -> Tensor:
    if isinstance(tensor, UninitializedBuffer):  # a lazy module's
        options: dict[str, Any] = {"device": tensor.device, "dtype": tensor.dtype}
        return UninitializedBuffer(**options)
    return tensor.detach().clone()


def _deep_copy(model: nn.Module, memo: _Memo) -> tuple[nn.Module, _Memo]:
    whole = dict(memo)
    try:
        return copy.deepcopy(model, whole), whole
    except Exception:
        whole = memo | {id(value): value for value in _uncopiable(model, memo)}
        return copy.deepcopy(model, whole), whole


def _uncopiable(model: nn.Module, memo: _Memo) -> Iterator[Any]:
    for module in model.modules():
        for name, value in vars(module).items():
            if name in _OF_TORCH or isinstance(value, nn.Module | Tensor):
                continue
            try:
                copy.deepcopy(value, dict(memo))
            except Exception:
                yield value


def _check_apart(model: nn.Module, found: nn.Module) -> None:
    own, others = _held(model), _held(found)
    if {id(held) for held in own} & {id(held) for held in others}:
        name = type(model).__name__
        raise InvalidInput(
            f"a copy of {name} shares modules or weights with it; give a reference that builds "
            f"one, such as net.py:{name}"
        )


def _held(model: nn.Module) -> list[nn.Module | Tensor]:
    return [*model.modules(), *model.parameters(), *model.buffers()]


# -- functions that refer to the model -------------------------------------------------------------


def _refer_to_copies(module: nn.Module, memo: _Memo) -> None:
    """In functions and weak references that are attributes of a copied module, and in hooks."""
    tables = [held for held in vars(module).values() if isinstance(held, dict)]
    for holder in (vars(module), *tables):
        for name, value in holder.items():
            if isinstance(value, FunctionType | ReferenceType):
                holder[name] = _copy_of(value, memo)


def _rebound(function: FunctionType, memo: _Memo) -> FunctionType:
    """The same function, where its closure or its globals have originals, with their copies."""
    if id(function) in memo:
        return memo[id(function)]
    memo[id(function)] = function  # while it is at work: it may refer to itself
    memo[id(function)] = found = _with_copies(function, memo)
    return found


def _with_copies(function: FunctionType, memo: _Memo) -> FunctionType:
    code, cells = function.__code__, function.__closure__ or ()
    found = [_copy_of(_content(cell), memo) for cell in cells]
    names = {name: function.__globals__.get(name) for name in code.co_names}
    replaced = {name: _copy_of(value, memo) for name, value in names.items()}
    replaced = {name: value for name, value in replaced.items() if value is not names[name]}
    if not replaced and all(one is _content(cell) for one, cell in zip(found, cells, strict=True)):
        return function
    closure = tuple(
        cell if one is _content(cell) else CellType(one)
        for one, cell in zip(found, cells, strict=True)
    )
    scope = {**function.__globals__, **replaced} if replaced else function.__globals__
    new = FunctionType(code, scope, function.__name__, function.__defaults__, closure)
    new.__kwdefaults__ = function.__kwdefaults__
    return new


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def _copy_of(value: Any, memo: _Memo) -> Any:
    if isinstance(value, FunctionType):
        return _rebound(value, memo)
    if isinstance(value, ReferenceType):
        target = value()
        found = _copy_of(target, memo)
        return value if found is target else ref(found)
    return memo.get(id(value), value) if isinstance(value, nn.Module | Tensor) else value
