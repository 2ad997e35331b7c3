"""Order: stable, what is missing last, and exact whatever the size of a number."""

import pandas as pd
import pytest

from archscope.comparison.order import relative_to, sort
from archscope.errors import InvalidInput, UnknownName

FRAME = pd.DataFrame(
    {
        "model": ["a", "b", "c", "d"],
        "year": pd.array([2015, None, 2014, 2015], dtype="Int64"),
        "paths": pd.Series([2**600, 2**600 + 1, 1, 2], dtype=object),
        "params": [4, 2, 0, 1],
        "status": ["ok"] * 4,
    }
)


@pytest.mark.parametrize(
    ("by", "models"),
    [
        ("year", "cadb"),
        ("year,desc", "adcb"),
        ("paths,desc", "badc"),
        (["year,desc", "paths"], "dacb"),
        ((), "abcd"),
        ("model, desc", "dcba"),
    ],
)
def test_rows_are_in_order_and_missing_ones_last(by, models):
    assert "".join(sort(FRAME, by)["model"]) == models


def test_a_wrong_order_is_refused():
    with pytest.raises(UnknownName, match="did you mean year"):
        sort(FRAME, "yaer")
    with pytest.raises(InvalidInput, match="write year or year,desc"):
        sort(FRAME, "year,down")


def test_multiples_of_nothing_are_missing():
    assert relative_to(FRAME, "b")["params_relative"].tolist() == [2.0, 1.0, 0.0, 0.5]
    assert relative_to(FRAME, "a")["params_relative"][0] == 1
    with pytest.raises(UnknownName):
        relative_to(FRAME, "e")
    of_nothing = relative_to(FRAME, "c")
    assert of_nothing["params_relative"].isna().all()
