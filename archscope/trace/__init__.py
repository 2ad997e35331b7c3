"""The one run of a model on shapes, and the records that it leaves."""

import sys
from types import ModuleType
from typing import Any

from archscope.trace.records import ModuleCall, Op, Parameter, Recurrence, Storage, Trace
from archscope.trace.tracer import trace

__all__ = ["ModuleCall", "Op", "Parameter", "Recurrence", "Storage", "Trace", "trace"]


class _CallablePackage(ModuleType):
    """``archscope.trace`` is this package once it is imported, and the public function too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Trace:
        return trace(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
