"""What torch's CUDA caching allocator makes of a run: bytes in blocks, and bytes reserved.

The rules are those of c10/cuda/CUDACachingAllocator.cpp, torch 2.11 to 2.13, as configured by
default: sizes are rounded to 512 bytes; requests of up to 1 MiB are cut from segments of 2 MiB,
up to 10 MiB from segments of 20 MiB, larger ones get segments in multiples of 2 MiB; a free block
is taken by best fit, and what remains of it stays a block if it is 512 bytes (small) or more than
1 MiB (large); neighbours that are free are joined. Segments are never given back in one step. One
stream; workspaces of libraries and the CUDA context are not here, see ``ALLOWANCES``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass, field

from archscope.trace.records import Trace

ROUNDING = 512
SMALL = 1 << 20
_SMALL_SEGMENT = 2 << 20
_LARGE_SEGMENT = 20 << 20
_LARGE = 10 << 20
_LARGE_ROUNDING = 2 << 20

# What is held besides, and not derived from the model: named, never added to a prediction.
ALLOWANCES = {
    "cuBLAS workspace": "8.1 MiB a handle and stream, 32 MiB on Hopper (CUBLAS_WORKSPACE_CONFIG); "
    "the thread of the backward pass has a handle of its own",
    "cuDNN workspace": "of the algorithm chosen for a convolution, during that operator only",
    "CUDA context": "some hundred MiB outside of torch's allocator",
}


@dataclass(frozen=True, slots=True)
class Allocator:
    """Peaks of one run. ``requested`` is what the program asked for."""

    requested: int
    allocated: int  # in blocks, as torch.cuda.max_memory_allocated counts
    reserved: int  # in segments, as torch.cuda.max_memory_reserved counts


@dataclass(slots=True, eq=False)
class _Block:
    """A part of a segment. Neighbours are linked so that free ones can be joined."""

    size: int
    address: int
    large: bool
    free: bool = False
    before: _Block | None = None
    after: _Block | None = None


@dataclass
class _CachingAllocator:
    """The pools of free blocks, ordered by size and then by address."""

    allocated: int = 0
    reserved: int = 0
    most_allocated: int = 0
    _free: dict[bool, list[tuple[int, int]]] = field(default_factory=lambda: {True: [], False: []})
    _blocks: dict[int, _Block] = field(default_factory=dict)
    _next_address: int = 0

    def take(self, requested: int) -> _Block:
        size = rounded(requested)
        large = size > SMALL
        block = self._best_fit(size, large) or self._new_segment(size, large)
        remaining = block.size - size
        if remaining > SMALL if large else remaining >= ROUNDING:
            self._split(block, size)
        block.free = False
        self.allocated += block.size
        self.most_allocated = max(self.most_allocated, self.allocated)
        return block

    def give_back(self, block: _Block) -> None:
        self.allocated -= block.size
        for neighbour in (block.before, block.after):
            if neighbour is not None and neighbour.free:
                self._remove(neighbour)
                block = self._joined(block, neighbour)
        self._add(block)

    def _best_fit(self, size: int, large: bool) -> _Block | None:
        pool = self._free[large]
        position = bisect_left(pool, (size, -1))
        if position == len(pool):
            return None
        block = self._blocks[pool[position][1]]
        self._remove(block)
        return block

    def _new_segment(self, size: int, large: bool) -> _Block:
        segment = segment_size(size)
        self.reserved += segment
        block = _Block(segment, self._next_address, large)
        self._next_address += segment
        self._blocks[block.address] = block
        return block

    def _split(self, block: _Block, size: int) -> None:
        rest = _Block(block.size - size, block.address + size, block.large)
        rest.before, rest.after = block, block.after
        if block.after is not None:
            block.after.before = rest
        block.after, block.size = rest, size
        self._blocks[rest.address] = rest
        self._add(rest)

    def _joined(self, block: _Block, neighbour: _Block) -> _Block:
        first, second = sorted((block, neighbour), key=lambda part: part.address)
        first.size += second.size
        first.after = second.after
        if second.after is not None:
            second.after.before = first
        del self._blocks[second.address]
        return first

    def _add(self, block: _Block) -> None:
        block.free = True
        insort(self._free[block.large], (block.size, block.address))

    def _remove(self, block: _Block) -> None:
        block.free = False
        pool = self._free[block.large]
        pool.pop(bisect_left(pool, (block.size, block.address)))


def allocator(trace: Trace) -> Allocator:
    """Play a run's storages through the allocator, in the order in which they came and went.

    Weights, buffers, optimizer state and inputs come first, one after the other.
    """
    born = defaultdict(list)
    dying = defaultdict(list)
    for storage in trace.storages:
        if storage.bytes:
            born[max(storage.created_at, -1)].append(storage)
            if storage.freed_at is not None:
                dying[storage.freed_at].append(storage)
    held: dict[int, _Block] = {}
    pools = _CachingAllocator()
    requested = most_requested = 0
    for op in range(-1, len(trace.ops)):
        for storage in dying[op]:
            if storage.index in held:
                pools.give_back(held.pop(storage.index))
                requested -= storage.bytes
        for storage in born[op]:
            held[storage.index] = pools.take(storage.bytes)
            requested += storage.bytes
        most_requested = max(most_requested, requested)
    return Allocator(most_requested, pools.most_allocated, pools.reserved)


def rounded(size: int) -> int:
    """A request in whole blocks of 512 bytes."""
    return max(-(-size // ROUNDING), 1) * ROUNDING


def segment_size(size: int) -> int:
    """The segment that is asked of the driver for a block that no free one fits."""
    if size <= SMALL:
        return _SMALL_SEGMENT
    if size < _LARGE:
        return _LARGE_SEGMENT
    return -(-size // _LARGE_ROUNDING) * _LARGE_ROUNDING
