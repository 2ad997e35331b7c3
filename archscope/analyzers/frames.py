"""Rows as a DataFrame. Pandas is imported when one is asked for: the command line needs none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A DataFrame of rows that have the same keys; integers stay exact."""
    import pandas as pd

    columns = list(rows[0]) if rows else []
    return pd.DataFrame({name: _column([row[name] for row in rows]) for name in columns})


def _column(values: list[Any]) -> Any:
    import pandas as pd

    too_large = any(isinstance(value, int) and abs(value) >= 2**63 for value in values)
    return pd.Series(values, dtype=object) if too_large else values
