"""The counts of archscope and of other tools side by side, and their differences explained."""

from archscope.audit.audit import Audit, audit

__all__ = ["Audit", "audit"]
