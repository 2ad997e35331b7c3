"""Reports: what the analyzers found, and the renderers that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archscope.report.report import Report

__all__ = ["Report"]


def __getattr__(name: str) -> Any:
    # A report needs torch; tables and their formats, which are beside it, do not.
    if name != "Report":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from archscope.report.report import Report

    return Report
