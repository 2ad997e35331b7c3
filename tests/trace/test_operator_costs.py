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
        (torch.linalg.inv, "linalg_inv_ex", 2 * N**3),
        (torch.linalg.qr, "linalg_qr", 4 * N**3 - 4 * N**3 // 3),
        (torch.linalg.svd, "_linalg_svd", 22 * N**3),
        (torch.linalg.eigh, "_linalg_eigh", 9 * N**3),
        (torch.linalg.matrix_exp, "linalg_matrix_exp", 10 * N**3),
        (torch.linalg.lu, "linalg_lu", 2 * N**3 // 3),
        (lambda x: torch.linalg.qr(x, mode="r"), "linalg_qr", 2 * N**3 - 2 * N**3 // 3),
        (lambda x: torch.linalg.solve(x, x), "_linalg_solve_ex", 2 * N**3 // 3 + 2 * N**3),
        (lambda x: torch.geqrf(x)[0], "geqrf", 2 * N**3 - 2 * N**3 // 3),
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


def test_a_system_solved_from_the_right_costs_what_its_transpose_does():
    def solve(x, y):
        return torch.linalg.solve_triangular(x, y, upper=False, left=False)

    found = flops_of(solve, torch.eye(N), torch.ones(3, N), name="linalg_solve_triangular")
    assert found == 3 * N**2


def total(function, *inputs, mode="inference"):
    """FLOPs of all operators, or of the backward pass."""
    report = archscope.analyze(Run(function), inputs=inputs, mode=mode)
    assert report.totals.coverage == 1, report.warnings
    ops = report.trace.ops
    return sum(op.flops for op in ops if op.phase == "backward" or mode == "inference")


X, T = torch.rand(4, 5), torch.rand(4, 5)
CLASSES = torch.tensor([0, 1, 2, 3])
PLACES = torch.tensor([[0, 1, 2, 0, 1]])

SAME = {
    "mean squared error": (F.mse_loss, lambda x, t: ((x - t) ** 2).mean()),
    "its sum": (
        lambda x, t: F.mse_loss(x, t, reduction="sum"),
        lambda x, t: ((x - t) ** 2).sum(),
    ),
    "unreduced": (lambda x, t: F.mse_loss(x, t, reduction="none"), lambda x, t: (x - t) ** 2),
    "soft margin": (F.soft_margin_loss, lambda x, t: (-t * x).exp().log1p().mean()),
    "cross entropy": (
        lambda x, t: F.cross_entropy(x, CLASSES),
        lambda x, t: (-x.log_softmax(1)[torch.arange(4), CLASSES]).sum(),
    ),
    "logits": (
        F.binary_cross_entropy_with_logits,
        lambda x, t: ((1 - t) * x - F.logsigmoid(x)).mean(),
    ),
    "maximum": (lambda x, t: x.max(), lambda x, t: x.amax()),
    "maximum along an axis": (lambda x, t: x.max(1)[0], lambda x, t: x.amax(1)),
    "both ends": (lambda x, t: torch.aminmax(x), lambda x, t: (x.amin(), x.amax())),
    "diagonal": (lambda x, t: x.trace(), lambda x, t: x.diagonal().sum()),
    "cross product": (
        lambda x, t: torch.linalg.cross(x[:, :3], t[:, :3]),
        lambda x, t: x[:, :3] * t[:, :3] - t[:, :3] * x[:, :3],
    ),
    "lookup and sum": (
        lambda x, t: F.embedding_bag(PLACES, x, mode="sum"),
        lambda x, t: F.embedding(PLACES, x).sum(1),
    ),
    "adding where indices tell": (
        lambda x, t: x.index_add(0, CLASSES, t),
        lambda x, t: x.scatter_add(0, CLASSES[:, None].expand(4, 5), t),
    ),
    "a system and its factors": (
        lambda x, t: torch.linalg.solve(x[:, :4], t),
        lambda x, t: torch.linalg.lu_solve(*torch.linalg.lu_factor(x[:, :4]), t),
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_equal_computations_cost_the_same(one, other):
    assert total(one, X, T) == total(other, X, T) > 0


def test_what_is_only_put_or_looked_up_costs_nothing():
    def put(x):
        x = x.clone()
        x[CLASSES] = 1.0
        return x.take_along_dim(PLACES, 0).scatter(0, PLACES, 2.0)

    assert total(put, X) == 0
    assert total(lambda x: x.index_put((CLASSES[:3],), x[:3], accumulate=True), X) == 3 * 5
    assert total(lambda x: x.scatter(0, PLACES, x, reduce="add"), X) == PLACES.numel()


def test_instance_normalisation_is_group_normalisation_of_one_channel_each():
    x = torch.rand(2, 6, 3, 3)
    for affine in (False, True):
        instance, group = nn.InstanceNorm2d(6, affine=affine), nn.GroupNorm(6, 6, affine=affine)
        for mode in ("inference", "training") if affine else ("inference",):
            totals = [archscope.analyze(m, (x,), mode=mode).totals for m in (instance, group)]
            assert totals[0]["flops"] == totals[1]["flops"] == x.numel() * (7 if affine else 5)


def test_running_statistics_of_instances_are_those_of_a_batch():
    layer, x = nn.InstanceNorm1d(6, track_running_stats=True), torch.rand(2, 6, 3)
    costs = {archscope.trace(layer.train(), (x,), mode).flops for mode in ("inference", None)}
    assert costs == {2 * x.numel()}


def test_an_adaptive_pooling_counts_the_elements_of_its_windows():
    windows = sum(-(-(i + 1) * 7 // 3) - i * 7 // 3 for i in range(3)) ** 2  # 3, 3 and 3 of 7
    assert windows == 81
    for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        assert total(lambda x, pool=pool: pool(x, 3), torch.rand(2, 5, 7, 7)) == 2 * 5 * windows
    assert total(lambda x: F.adaptive_avg_pool2d(x, 4), torch.rand(1, 1, 2, 2)) == 4 * 4


def test_the_mode_of_a_resampling_decides_its_neighbours():
    x, grid = torch.rand(1, 2, 8, 8), torch.rand(1, 4, 4, 2)
    for mode, neighbours in (("nearest", 0), ("bilinear", 4), ("bicubic", 16)):
        found = total(lambda x, g, m=mode: F.grid_sample(x, g, m, align_corners=False), x, grid)
        assert found == 2 * neighbours * 2 * 4 * 4
    shrunk = total(lambda x: F.interpolate(x, (4, 4), mode="bilinear", antialias=True), x)
    assert shrunk == 2 * (2 * 2) ** 2 * 2 * 4 * 4  # each side's filter is twice as wide


def test_complex_numbers_count_in_real_operations():
    z, x = torch.rand(4, 5, dtype=torch.complex64), torch.rand(4, 5)
    of_one = {
        lambda z, x: z + z: 2,
        lambda z, x: z * z: 6,
        lambda z, x: z * x: 2,
        lambda z, x: z / z: 11,
        lambda z, x: z.abs(): 4,
        lambda z, x: torch.polar(x, x): 4,
        lambda z, x: torch.complex(x, x): 0,
        lambda z, x: z.sum(): 2,
    }
    for function, flops in of_one.items():
        assert total(function, z, x) == flops * 20
    assert total(torch.linalg.inv, z[:, :4]) == 4 * total(torch.linalg.inv, x[:, :4])


def test_rotation_of_pairs_costs_what_a_complex_product_costs():
    def by_hand(z, x):
        return z.real * x - z.imag * x, z.real * x + z.imag * x

    z, x = torch.rand(4, 5, dtype=torch.complex64), torch.rand(4, 5)
    assert total(by_hand, z, x) == total(lambda z, x: z * z, z, x)


def test_whole_numbers_cost_nothing_until_they_are_divided():
    assert total(lambda x: x.cumsum(0).amax() * 3 + x.bincount().sum(), CLASSES) == 0
    assert total(lambda x: x / 3, CLASSES) == 4


def test_distances_cost_their_coordinates_forward_and_backward():
    a, b = torch.rand(4, 5, requires_grad=True), torch.rand(6, 5)
    assert total(torch.cdist, a, b) == 3 * 4 * 6 * 5
    assert total(torch.cdist, a, b, mode="training") == 3 * 4 * 6 * 5


def test_a_point_that_is_repeated_costs_every_coordinate():
    assert total(torch.dist, torch.rand(5), torch.rand(4, 5)) == 3 * 4 * 5


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_attention_of_one_query_for_a_whole_batch_runs_on_shapes(device):
    query, rest = torch.rand(4, 3, 8), torch.rand(2, 4, 6, 8)
    trace = archscope.trace(
        Run(F.scaled_dot_product_attention), (query, rest, rest), "inference", device=device
    )
    assert trace.ran_on == "shapes"
    assert trace.macs == 2 * 4 * 3 * 6 * (8 + 8)


@pytest.mark.parametrize("causal", [False, True])
def test_a_kernel_of_attention_counts_a_mask_only_where_there_is_one(causal):
    q = torch.empty(1, 2, 4, 8, device="meta")
    scores = 2 * 4 * 4
    expected = scores * (2 * 16 + 6 + causal)
    kernels = torch.ops.aten
    for run in (
        lambda q: kernels._scaled_dot_product_efficient_attention(q, q, q, None, True, 0.0, causal)[
            0
        ],
        lambda q: kernels._scaled_dot_product_flash_attention(q, q, q, 0.0, causal, True)[0],
        lambda q: kernels._scaled_dot_product_flash_attention_for_cpu(q, q, q, 0.0, causal)[0],
    ):
        assert total(run, q) == expected


def test_cross_entropy_of_a_linear_layer_in_chunks_costs_what_it_costs_whole():
    if not hasattr(nn, "LinearCrossEntropyOptions"):
        pytest.skip("torch has it from 2.13 on")

    def loss(x, w, **options):
        return F.linear_cross_entropy(x, w, CLASSES, reduction="none", **options)

    def in_chunks(x, w):
        return loss(x, w, options=nn.LinearCrossEntropyOptions(batch_chunk_size=2))

    weight = torch.rand(7, 5)
    assert total(in_chunks, X, weight) == total(loss, X, weight) == 4 * 7 * (2 * 5 + 5) + 4


def test_an_embedding_bag_sums_its_gradient_row_by_row():
    table = torch.rand(4, 5, requires_grad=True)
    assert total(lambda x: F.embedding_bag(PLACES, x, mode="sum"), table, mode="training") == 25


def test_a_sparse_operand_needs_no_strides():
    dense = torch.eye(4)
    graph = dense.to_sparse_csr()
    report = archscope.analyze(Run(torch.sparse.sampled_addmm), inputs=(graph, X, T.mT.clone()))
    assert report.trace.ran_on == "data" and report.totals.coverage == 1
    assert report.totals["macs"] == 4 * 5


def test_a_loss_without_torchs_shapes_backward_still_runs_on_shapes():
    def loss(x):
        return F.multi_margin_loss(x, CLASSES) + F.multilabel_margin_loss(x, PLACES.expand(4, 5))

    trace = archscope.trace(Run(loss), (X.clone().requires_grad_(),), "training")
    assert trace.ran_on == "shapes"


def test_a_margin_loss_of_one_sample_is_one_number():
    trace = archscope.trace(
        Run(lambda x: F.multilabel_margin_loss(x, PLACES[0], reduction="none")), (X[0],)
    )
    assert trace.calls[0].output_shapes == ((),)


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


def test_what_exported_and_quantisation_aware_programs_hold_is_known():
    names = "_native_batch_norm_legit_functional _assert_scalar sym_constrain_range_for_size"
    for name in (*names.split(), "_fused_moving_avg_obs_fq_helper", "count_nonzero"):
        packet = getattr(torch.ops.aten, name)
        assert all(operator(getattr(packet, overload)).known for overload in packet.overloads())


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
