"""Where the blocks of a network are: residual blocks, inception modules, transformer layers.

A block is the outermost module that is repeated: of a class that occurs at least twice with at
least two layers inside. A plain list (``nn.Sequential``, ``nn.ModuleList``) is never one if there
are blocks in it, nor is a stage, a module that only runs a list of blocks. What distinguishes the
block from the stage is that the block joins branches, by an addition or a concatenation. Where
nothing is repeated, a module that holds at least two layers is a block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from archscope.trace.records import Trace

_LISTS = {"Sequential", "ModuleList", "ModuleDict"}


def blocks(trace: Trace, modules: Sequence[str]) -> dict[str, str]:
    """The block that each module with a layer is in.

    Args:
        trace: the run.
        modules: the module of every layer, a path.

    Returns:
        Path of a module -> path of its block; modules outside all blocks are left out.
    """
    found = set(_Modules(trace, modules).blocks())
    inside = {}
    for path in dict.fromkeys(modules):
        block = next((parent for parent in _upwards(path) if parent in found), None)
        if block is not None:
            inside[path] = block
    return inside


class _Modules:
    """The modules that hold at least two layers, as a tree."""

    def __init__(self, trace: Trace, modules: Sequence[str]):
        layers = Counter(path for module in modules for path in _upwards(module))
        parents = {path.rpartition(".")[0] for path in trace.modules if path}
        self.kinds = trace.modules
        self.holders = [p for p in trace.modules if p and layers[p] >= 2 and p in parents]
        self.joining = {
            trace.modules.get(op.module, "") for op in trace.forward if len(op.parents) > 1
        }
        self.children: dict[str, list[str]] = {}
        for path in self.holders:
            self.children.setdefault(path.rpartition(".")[0], []).append(path)
        self.repeated = self._repeated()

    def blocks(self, path: str = "") -> Iterator[str]:
        beside_blocks = any(self.kinds[p] in self.repeated for p in self._through_lists(path))
        for child in self.children.get(path, ()):
            passed = self._is_list(child) or self._lists_blocks(child) or not beside_blocks
            if self.kinds[child] not in self.repeated and passed and self._has_blocks(child):
                yield from self.blocks(child)
            else:
                yield child

    def _repeated(self) -> set[str]:
        """The classes of blocks that occur at least twice."""
        times = Counter(self.kinds[path] for path in self.holders if not self._is_list(path))
        stages = {
            self.kinds[path]
            for path in self.holders
            if self.kinds[path] not in self.joining and self._lists_blocks(path)
        }
        return {kind for kind, count in times.items() if count > 1} - stages

    def _is_list(self, path: str) -> bool:
        return self.kinds[path] in _LISTS

    def _through_lists(self, path: str) -> Iterator[str]:
        """What a module holds, itself or in plain lists."""
        for child in self.children.get(path, ()):
            if self._is_list(child):
                yield from self._through_lists(child)
            else:
                yield child

    def _lists_blocks(self, path: str) -> bool:
        """Whether it runs a list of modules of one class that joins branches."""
        held = Counter(self.kinds[p] for p in self._through_lists(path))
        return any(count > 1 and kind in self.joining for kind, count in held.items())

    def _has_blocks(self, path: str) -> bool:
        return any(
            self.kinds[child] in self.repeated or self._has_blocks(child)
            for child in self.children.get(path, ())
        )


def _upwards(path: str) -> Iterable[str]:
    """A path and those of all modules around it, outermost first."""
    parts = path.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))
