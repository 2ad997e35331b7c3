"""Build a model on the meta device quickly: what would fill its weights is passed over.

Initialisation in place means nothing there, but torch works its shapes out operator by operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class _NoFilling(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # as in the recorder

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if args and isinstance(args[0], torch.Tensor) and args[0].is_meta and _fills(func):
            return args[0]
        return func(*args, **(kwargs or {}))


def _fills(func: Any) -> bool:
    """Whether an operator writes values, and nothing but values, into its first argument."""
    return func._schema.name.endswith("_") and torch.Tag.inplace_view not in func.tags


@contextmanager
def on_meta() -> Iterator[None]:
    """Modules made inside have parameters on the meta device."""
    with torch.device("meta"), _NoFilling():
        yield
