"""The front, against its definition."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.comparison import pareto
from archscope.errors import UnknownName

points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6) | st.none()), max_size=30)


def beaten(point, others, least_x, least_y):
    def cost(p):
        return (p[0] if least_x else -p[0], p[1] if least_y else -p[1])

    x, y = cost(point)
    rest = [cost(other) for other in others if other[1] is not None]
    return any(a <= x and b <= y and (a, b) != (x, y) for a, b in rest)


@given(points, st.booleans(), st.booleans())
def test_the_front_is_what_no_other_row_beats(found, least_x, least_y):
    frame = pd.DataFrame(found, columns=["x", "y"]).astype("Int64")
    front = pareto(frame, "x", "y", least_x=least_x, least_y=least_y)
    wanted = [p[1] is not None and not beaten(p, found, least_x, least_y) for p in found]
    assert front.tolist() == wanted


def test_equal_rows_are_on_the_front_together_and_the_index_is_kept():
    frame = pd.DataFrame(
        {"macs": [1, 1, 1, 2], "top1": [70.0, 70.0, 69.0, 70.0]}, index=list("abcd")
    )
    front = pareto(frame)
    assert front.to_dict() == {"a": True, "b": True, "c": False, "d": False}


def test_an_unknown_column_is_refused():
    with pytest.raises(UnknownName, match="did you mean macs"):
        pareto(pd.DataFrame({"macs": [1], "top1": [2]}), "mac")
