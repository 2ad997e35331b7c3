"""Which storages are alive, who wrote which part of them, and when they died."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.records import Shape, Storage, StorageKind
from archscope.trace.regions import Region, region
from archscope.trace.sizes import bytes_of, dtype_name, is_sparse


@dataclass(slots=True)
class StorageState:
    """A storage while it lives; shape and strides of the tensor that it was made for."""

    index: int
    bytes: int
    kind: StorageKind
    created_at: int
    shape: Shape
    strides: Shape
    dtype: str
    writers: list[tuple[int, Region | None]] = field(default_factory=list)
    names: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()  # the parameters that alone made it, if only parameters did
    constant: bool = True  # made from no input
    freed_at: int | None = None
    watch: Any = None

    def finished(self) -> Storage:
        """The record that stays."""
        return Storage(
            index=self.index,
            bytes=self.bytes,
            kind=self.kind,
            created_at=self.created_at,
            freed_at=self.freed_at,
            names=self.names,
            dtype=self.dtype,
            shape=self.shape,
        )


class StorageTable:
    """All storages of a run, and those alive by identity.

    A storage dies when the program lets go of its last tensor: a weak reference tells. ``now``
    gives the number of operators so far.
    """

    def __init__(self, now: Callable[[], int]):
        self._now = now
        self.states: list[StorageState] = []
        self._alive: dict[int, StorageState] = {}
        self._hollow: set[int] = set()

    def find(self, tensor: Tensor) -> StorageState | None:
        """The state of a tensor's storage, if it is known."""
        return self._alive.get(torch_private.storage_key(tensor))

    def of(self, tensor: Tensor) -> StorageState:
        """The state of a tensor's storage; one not seen before was there before the run."""
        state = self.find(tensor)
        return state if state is not None else self.born(tensor, "activation", created_at=-1)

    def born(self, tensor: Tensor, kind: StorageKind, created_at: int) -> StorageState:
        """A new storage, made by the operator ``created_at``, or before the run (-1)."""
        storage = torch_private.storage_of(tensor)
        sparse = is_sparse(tensor)
        state = StorageState(
            index=len(self.states),
            bytes=bytes_of(tensor) if sparse else storage.nbytes(),
            kind=kind,
            created_at=created_at,
            shape=tuple(tensor.shape),
            strides=() if sparse else tensor.stride(),
            dtype=dtype_name(tensor.dtype),
        )
        key = storage._cdata
        state.watch = weakref.ref(storage, partial(self._note_death, key, state))
        self.states.append(state)
        self._alive[key] = state
        return state

    def written(self, op: int, tensor: Tensor) -> StorageState:
        """An operator wrote a tensor: all of its storage, or the part that the tensor covers."""
        state = self.find(tensor)
        if state is None:
            state = self.born(tensor, "activation", created_at=op)
            state.writers = [(op, None)]
        elif state.kind == "weight":
            pass  # a weight that is updated in place stays a weight
        elif is_sparse(tensor) or tensor.numel() * tensor.itemsize >= state.bytes:
            state.writers = [(op, None)]  # a sparse one has no strides that would tell parts
        else:
            part = _region(tensor, state)
            kept = [w for w in state.writers if w[1] is None or not part.covers(w[1])]
            state.writers = [*kept, (op, part)]
        return state

    def parents(self, tensor: Tensor, state: StorageState) -> list[int]:
        """The operators whose results a tensor holds."""
        if len(state.writers) == 1:
            return [state.writers[0][0]]
        if not state.writers:
            return []
        part = _region(tensor, state)
        found: list[int] = []
        for op, written in reversed(state.writers):
            if written is None or written.overlaps(part):
                found.append(op)
            if written is None or written.covers(part):
                break
        return found

    def hollow_out(self, tensors: list[Tensor]) -> None:
        """Real tensors took in data that does not exist: from now on they are shapes too."""
        self._hollow.update(map(torch_private.storage_key, tensors))

    def is_hollow(self, tensor: Tensor) -> bool:
        """Whether a real tensor's contents mean nothing."""
        return torch_private.storage_key(tensor) in self._hollow

    @property
    def any_hollow(self) -> bool:
        return bool(self._hollow)

    def close(self) -> tuple[Storage, ...]:
        """Stop watching; the finished records."""
        for state in self._alive.values():
            state.watch = None
        self._alive.clear()
        return tuple(state.finished() for state in self.states)

    def _note_death(self, key: int, state: StorageState, _: Any) -> None:
        state.freed_at = self._now()
        if self._alive.get(key) is state:
            del self._alive[key]
            self._hollow.discard(key)


def _region(tensor: Tensor, state: StorageState) -> Region:
    offset = int(tensor.storage_offset())
    return region(tuple(tensor.shape), tensor.stride(), offset, state.shape, state.strides)
