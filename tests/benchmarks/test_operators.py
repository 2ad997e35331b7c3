"""A sample of every second operator of torch's database, and of every module that it has.

`benchmarks.operators` takes all of both, with more samples and dtypes.
"""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("expecttest", reason="torch's databases of operators need expecttest")

from archscope.trace import operators
from archscope.trace.costs import Cost
from benchmarks.operator_forms import Call, flops
from benchmarks.operator_samples import module_samples, operator_samples
from benchmarks.operators import outcome, reasons, unexplained

FLOAT = torch.float32


@pytest.fixture(scope="module", autouse=True)
def backends_can_be_set_afterwards():
    """Importing torch's databases forbids it, and what measures in other tests does it."""
    yield
    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True


def wrong(samples):
    known = reasons()
    outcomes = [outcome(sample, FLOAT) for sample in samples]
    assert len({one.name for one in outcomes}) > 100  # the databases are not empty
    told = {one.name: unexplained(one, known) for one in outcomes}
    return {name: found for name, found in told.items() if found}, outcomes


@pytest.mark.filterwarnings("ignore")
def test_operators_are_traced_as_they_run_and_cost_what_their_closed_forms_do():
    differences, outcomes = wrong(operator_samples(FLOAT, 1, every=2))
    assert differences == {}
    assert sum("flops" in one.done for one in outcomes) > 150


@pytest.mark.filterwarnings("ignore")
def test_modules_are_traced_as_they_run():
    assert wrong(module_samples(FLOAT, 1))[0] == {}


def test_a_wrong_count_is_found(monkeypatch):
    mse_loss = torch.ops.aten.mse_loss.default
    sample = next(operator_samples(FLOAT, 1, "nn.functional.mse_loss"))
    assert outcome(sample, FLOAT).found == {}
    wrong = replace(operators.operator(mse_loss), formula=lambda *_, out, **__: Cost(0, 3))
    monkeypatch.setitem(operators._operators, id(mse_loss), wrong)
    assert set(outcome(sample, FLOAT).found) == {"flops"}


def test_a_closed_form_needs_no_trace():
    x = torch.zeros(4, 6)
    assert flops("softmax", "", Call((x, 1), {}, [(4, 6)])) == 5 * 24
    assert flops("exp", "elementwise", Call((x,), {}, [(4, 6)])) == 24
    assert flops("sum", "reduction", Call((x,), {}, [()])) == 24
    assert flops("nobody knows", "", Call((x,), {}, [()])) is None
