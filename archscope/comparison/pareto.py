"""The networks that no other one beats on two counts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archscope.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd


def pareto(
    frame: pd.DataFrame,
    x: str = "macs",
    y: str = "top1",
    *,
    least_x: bool = True,
    least_y: bool = False,
) -> pd.Series:
    """Which rows are on the Pareto front.

    A row is beaten by one that is as good in both columns and better in one. Rows that are equal
    in both are on the front together.

    Args:
        frame: a table.
        x: a column of numbers, of which less is better unless ``least_x`` is False.
        y: another one, of which more is better unless ``least_y`` is True.

    Returns:
        A Series of booleans with the frame's index; False where a number is missing.

    Raises:
        UnknownName: there is no such column.
    """
    import pandas as pd

    for column in (x, y):
        if column not in frame:
            raise UnknownName("column", column, frame.columns, see="frame.columns")
    front = pd.Series(False, index=frame.index, dtype=bool, name="pareto")
    costs, gains = _signed(frame[x], least_x), _signed(frame[y], not least_y)
    # Cheapest first and, among equals, the most gain first: a point is on the front if it gains
    # more than all before, or is the last such point again.
    points = [
        (cost, -gain, place)
        for place, (cost, gain) in enumerate(zip(costs, gains, strict=True))
        if cost is not None and gain is not None
    ]
    best = None
    for cost, loss, place in sorted(points):
        if best is None or loss < best[1] or (cost, loss) == best:
            best = (cost, loss)
            front.iloc[place] = True
    return front


def _signed(column: pd.Series, same: bool) -> list:
    return [
        None if missing else value if same else -value
        for value, missing in zip(column, column.isna(), strict=True)
    ]
