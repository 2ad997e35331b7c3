"""Formulas of operators that few networks run, each against its closed form."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archscope
from archscope.trace.operators import operator

N = 6  # a square matrix's size
BATCH = 5


class Run(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def flops_of(function, *inputs, name):
    """FLOPs of the operators of that name; everything that ran has a formula."""
    report = archscope.analyze(Run(function), inputs=inputs)
    assert report.totals.coverage == 1, report.warnings
    return sum(op.flops for op in report.trace.ops if op.name == name)


@pytest.mark.parametrize(
    ("function", "name", "of_one"),
    [
        (torch.linalg.cholesky, "linalg_cholesky_ex", N**3 // 3),
        (torch.linalg.inv, "linalg_inv_ex", 2 * N**3 // 3),
        (torch.linalg.qr, "linalg_qr", 4 * N**3 - 4 * N**3 // 3),
        (torch.linalg.svd, "_linalg_svd", 22 * N**3),
        (torch.linalg.eigh, "_linalg_eigh", 9 * N**3),
        (torch.linalg.matrix_exp, "linalg_matrix_exp", 10 * N**3),
        (torch.linalg.lu, "linalg_lu", 2 * N**3 // 3),
    ],
)
def test_a_decomposition_costs_its_leading_term(function, name, of_one):
    square = torch.eye(N).expand(BATCH, N, N).clone()
    assert flops_of(function, square, name=name) == BATCH * of_one


def test_a_tall_and_a_wide_matrix_cost_the_same():
    costs = {flops_of(torch.linalg.svd, shape, name="_linalg_svd") for shape in ((9, 4), (4, 9))}
    assert costs == {14 * 9 * 4**2 + 8 * 4**3}


def test_a_triangular_system_costs_its_square_a_column():
    def solve(x, y):
        return torch.linalg.solve_triangular(x, y, upper=False)

    found = flops_of(solve, torch.eye(N), torch.ones(N, 3), name="linalg_solve_triangular")
    assert found == 3 * N**2


def test_ctc_loss_counts_every_state_and_step():
    def loss(x):
        targets = torch.ones(BATCH, 3, dtype=torch.long)
        lengths = torch.full((BATCH,), 20), torch.full((BATCH,), 3)
        return F.ctc_loss(x.log_softmax(2), targets, *lengths)

    assert flops_of(loss, torch.randn(20, BATCH, 8), name="_ctc_loss") == 13 * BATCH * 20 * 7


@pytest.mark.parametrize("name", ["abs_", "eq_", "threshold_", "rsub", "copysign_"])
def test_every_overload_of_an_elementwise_operator_is_known(name):
    packet = getattr(torch.ops.aten, name)
    overloads = [getattr(packet, overload) for overload in packet.overloads()]
    assert all(operator(overload).known for overload in overloads)


def test_an_elementwise_primitive_is_known():
    assert operator(torch.ops.prims.mul.default).known


@pytest.mark.parametrize(
    "orthogonal_map", ["matrix_exp", "cayley", "householder"], ids=lambda name: name
)
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_an_orthogonal_weight_is_covered(orthogonal_map, mode):
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(8, 8), orthogonal_map=orthogonal_map)
    totals = archscope.analyze(layer, (2, 8), mode=mode).totals
    assert totals.coverage == 1 and totals.depth == 1
