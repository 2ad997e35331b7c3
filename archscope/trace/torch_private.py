"""Torch's private corners that tracing needs, each with its reason. Tested with torch 2.11 to 2.13.

Everything else in this package uses public interfaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


def next_sequence_number() -> int:
    """The number that the next autograd node of this thread will get.

    Inside a dispatch the node of the operator at hand has been made already, so its number is one
    less. It is how a backward operator finds its forward operator; there is no public way.
    """
    return torch._C._autograd._get_sequence_nr()


def running_node_number() -> int | None:
    """The number of the autograd node whose backward is running, or None outside of a backward."""
    node = torch._C._current_autograd_node()
    return None if node is None else node._sequence_nr()


def storage_key(tensor: torch.Tensor) -> int:
    """The identity of a tensor's storage. ``data_ptr`` cannot serve: it is 0 on meta."""
    return tensor.untyped_storage()._cdata


def destroy(library: torch.library.Library) -> None:
    """Take back the kernels that a library registered; there is no public way to do it."""
    library._destroy()


@contextmanager
def single_values_normalised(note: Callable[[], None]) -> Iterator[None]:
    """Batch normalisation of one value per channel, which torch refuses in training.

    The values would be meaningless, the cost per image is not. ``note`` is told of each refusal.
    """
    functional = torch.nn.functional
    original = functional._verify_batch_size  # type: ignore[attr-defined]

    def verify(size: list[int]) -> None:
        try:
            original(size)
        except ValueError:
            note()

    functional._verify_batch_size = verify  # type: ignore[attr-defined]
    try:
        yield
    finally:
        functional._verify_batch_size = original  # type: ignore[attr-defined]
