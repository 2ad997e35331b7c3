"""What one run leaves behind: immutable records, plain data, no tensors and no modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Phase = Literal["forward", "backward", "optimizer"]
Shape = tuple[int, ...]
Category = Literal["input", "compute", "move", "create"]
StorageKind = Literal["weight", "buffer", "input", "gradient", "optimizer", "activation"]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What a recurrent operator went through: enough to unroll it on paper.

    ``products`` is the number of cell steps of one layer and direction, summed over the batch:
    T x batch, or the sum of the lengths of a packed sequence.
    """

    cell: str  # "lstm", "gru", "rnn_tanh" or "rnn_relu"
    steps: int
    layers: int
    directions: int
    input_size: int
    hidden_size: int
    products: int


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution or a pooling slides over its input; one entry per spatial dimension."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Op:
    """One operator as it ran, in-place or not; views are not operators, they compute nothing.

    ``parents`` are the operators whose results this one read, one entry for every operand that
    carries data from the inputs or from another operator, through views and in-place writes.
    Weights and buffers have no parent. ``reads`` and ``writes`` are storages, in the order of the
    shapes; an in-place operator has the same one in both. ``macs`` counts multiply-adds and
    ``flops`` floating-point operations, both in real arithmetic.
    """

    index: int
    name: str
    phase: Phase
    category: Category
    module: str
    call: int  # index in Trace.calls, -1 outside every module
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    parents: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtype: str
    macs: int
    flops: int
    bytes_read: int
    bytes_written: int
    parameters: tuple[str, ...]
    known: bool
    weight_layer: bool = False
    in_place: bool = False
    recomputed: bool = False
    forward_op: int = -1  # of a backward operator: the forward operator that it differentiates
    saved: tuple[int, ...] = ()  # storages that autograd keeps for this operator's backward
    recurrence: Recurrence | None = None
    window: Window | None = None
    within: int = -1  # of a step: the operator that it belongs to, which comes after it

    @property
    def output_elements(self) -> int:
        return sum(elements(shape) for shape in self.output_shapes)


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of memory: born with an operator, dead when the program let go of it.

    It is alive during the operators ``created_at`` <= i < ``freed_at``; weights and buffers are
    there from the start (``created_at`` = -1), what outlives the run has ``freed_at`` = None.
    """

    index: int
    bytes: int
    kind: StorageKind
    created_at: int
    freed_at: int | None
    names: tuple[str, ...] = ()
    dtype: str = ""
    shape: Shape = ()


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of a module. ``first_op`` <= i < ``end_op`` are the operators of the call."""

    index: int
    path: str
    kind: str
    call: int  # 1 for the first call of this module, 2 for the second
    depth: int
    parent: int  # index of the enclosing call, -1 for the root
    first_op: int
    end_op: int
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    output_storages: tuple[int, ...]  # of each output; -1 for one that no operator knows
    leaf: bool
    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A learnable tensor. ``names`` are all the names it has (a tied weight has several)."""

    names: tuple[str, ...]
    module: str  # path of the module that owns it under its first name
    shape: Shape
    bytes: int
    dtype: str
    trainable: bool
    storage: int

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def elements(self) -> int:
        return elements(self.shape)


@dataclass(frozen=True)
class Trace:
    """The record of one run of a model, from which every analyzer answers."""

    model: str
    mode: Literal["inference", "training"]
    inputs: tuple[tuple[str, Shape, str], ...]  # name, shape, dtype of every input tensor
    batch: int
    ops: tuple[Op, ...]
    storages: tuple[Storage, ...]
    calls: tuple[ModuleCall, ...]
    parameters: tuple[Parameter, ...]
    modules: Mapping[str, str]  # path -> class of every module, called or not
    outputs: tuple[int, ...]  # the operators whose results the model returned
    ran_on: Literal["shapes", "data"] = "shapes"
    warnings: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        # One line: all records of a network would fill a notebook.
        return (
            f"<Trace of {self.model}: {self.mode}, batch {self.batch}, "
            f"{len(self.ops):,} operators in {len(self.calls):,} module calls, "
            f"{self.macs:,} MACs>"
        )

    @cached_property
    def forward(self) -> tuple[Op, ...]:
        """The operators of the forward pass, without what checkpointing computes again."""
        return tuple(op for op in self.ops if op.phase == "forward")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the forward pass."""
        return sum(op.macs for op in self.forward)

    @property
    def flops(self) -> int:
        """Floating-point operations of the forward pass."""
        return sum(op.flops for op in self.forward)


def elements(shape: Shape) -> int:
    """The number of elements of a tensor of that shape."""
    count = 1
    for size in shape:
        count *= size
    return count
