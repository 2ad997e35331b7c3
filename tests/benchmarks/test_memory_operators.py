"""The comparison of single operators tells what agrees from what is off."""

import pandas as pd
import pytest
import torch
from torch import nn

from benchmarks.memory_operators import (
    Case,
    Operator,
    Row,
    compare,
    explained,
    explanations,
    summary,
)
from benchmarks.memory_programs import programs
from benchmarks.results import RESULTS


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", "training", 1000, 1064, 1064), "within 64 bytes"),
        (Row("a", "training", 9900, 10000, 10000), "within 2 %"),
        (Row("a", "training", 1500, 1000, 2000), "within workspaces"),
        (Row("a", "training", 1500, 1000, 1000), "off"),
        (Row("a", "training", 500, 1000, 2000), "off"),
        (Row("a", "training", 1000, 1000, 1000, 500, 1000), "off"),
        (Row("a", "training", status="torch refuses: why"), "torch refuses"),
    ],
)
def test_a_prediction_agrees_or_is_off(row, verdict):
    assert row.verdict == verdict


@pytest.mark.parametrize("between", [True, False])
def test_an_operator_is_run_and_compared(between):
    operands = ((torch.randn(64, 64, requires_grad=True),), {})
    operator = Operator(torch.sigmoid, operands, between=between)
    row = compare(Case("sigmoid", "training", lambda: (operator, (torch.zeros(1),))))
    assert row.verdict == "within 64 bytes"
    assert row.saved == row.saved_held == (4 * 64 * 64)


def test_what_torch_refuses_says_so():
    def build():
        return nn.Linear(2, 2), (torch.zeros(3, 3),)

    assert compare(Case("linear", "inference", build)).verdict == "torch refuses"


def test_every_run_that_was_off_is_explained():
    table = pd.read_csv(RESULTS / "memory_operators.csv", keep_default_na=False)
    rows = [Row(**{str(k): v for k, v in line.items()}) for line in table.to_dict("records")]
    reasons = explanations()
    assert all(explained(row, reasons) for row in rows if row.verdict in ("off", "not traced"))
    counts = summary(rows, reasons)
    assert counts["off, explained"] < len(rows) / 100


def test_programs_have_names_of_their_own():
    names = [name for name, _ in programs()]
    assert len(names) == len(set(names))
