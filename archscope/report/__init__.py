"""Reports: what the analyzers found, and the renderers that show it."""

from archscope.report.report import Report

__all__ = ["Report"]
