"""What few models do, and what a general tool has to get right all the same."""

import copy
import subprocess
import sys
from collections import UserDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import archscope

LAYER_MACS = 2 * 8 * 8  # of a Linear(8, 8) on two rows


class Written(nn.Module):
    """A forward pass given as a function of the module and its inputs."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        self.layer = nn.Linear(8, 8)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


def analyse(function, *inputs, parts=None, **options):
    model = Written(function, **(parts or {}))
    return archscope.analyze(model, inputs=inputs or ((2, 8),), **options)


# -- inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [True, False])
def test_a_tensor_given_three_times_is_one_input(weights):
    x = torch.randn(2, 6, 16)
    attention = nn.MultiheadAttention(16, 4, batch_first=True)
    options = {"kwargs": {"need_weights": weights}}
    once = archscope.analyze(attention, (x, x, x), **options)
    thrice = archscope.analyze(attention, (x, x.clone(), x.clone()), **options)
    assert once.totals.macs == thrice.totals.macs
    assert once.totals.paths == (2 if weights else 1)  # one projection of all, not three
    held = [s.bytes for s in once.trace.storages if s.kind == "input"]
    assert held == [x.nbytes]
    assert len(once.trace.inputs) == 3


@dataclass(frozen=True)
class Sample:
    x: torch.Tensor
    scale: float = 2.0


class Batch(UserDict):
    """As transformers' BatchEncoding: a mapping that is read by attribute too."""

    @property
    def x(self):
        return self["x"]


@pytest.mark.parametrize("given", [Sample(torch.ones(2, 8)), Batch(x=torch.ones(2, 8))], ids=type)
def test_inputs_keep_the_class_that_they_have(given):
    before = copy.deepcopy(given)
    report = analyse(lambda m, sample: m.layer(sample.x).mul_(sample.x.add_(1)), given)
    assert report.totals.macs == LAYER_MACS and report.trace.ran_on == "shapes"
    assert torch.equal(given.x, before.x)


def test_padded_sequences_stay_on_shapes_in_training():
    def function(m, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(m.rnn(packed)[0], batch_first=True)[0]

    parts = {"rnn": nn.LSTM(8, 8)}
    lengths = torch.tensor([3, 6])
    report = analyse(function, (2, 6, 8), lengths, parts=parts, mode="training")
    assert report.trace.ran_on == "shapes"
    assert report.totals.macs == 9 * 4 * 8 * 16


def test_complex_outputs_have_a_backward_pass():
    layer = nn.Linear(8, 8, dtype=torch.complex64)
    totals = archscope.analyze(layer, (2, 8), mode="training").totals
    assert totals.macs == totals.backward_macs == 4 * LAYER_MACS


# -- operators that take functions -----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("mask", [None, "causal scores", "causal blocks"])
def test_flex_attention_costs_what_attention_with_a_mask_costs(mode, mask):
    flex = pytest.importorskip("torch.nn.attention.flex_attention")

    def causal_score(score, b, h, q, k):
        return torch.where(q >= k, score, -float("inf"))

    def function(m, x):
        blocks = None
        if mask == "causal blocks":
            blocks = flex.create_block_mask(
                lambda b, h, q, k: q >= k, None, None, 128, 128, device=x.device
            )
        score_mod = causal_score if mask == "causal scores" else None
        y = m.layer(x)
        return flex.flex_attention(y, y, y, score_mod=score_mod, block_mask=blocks)

    report = analyse(function, (1, 2, 128, 8), mode=mode)
    products = 2 * 128 * 128 * 2 * 8
    assert report.totals.macs == 2 * 128 * 64 + products
    assert report.totals.coverage == 1 and report.totals.depth == 1
    if mode == "training":
        assert report.totals.backward_macs == 2 * 128 * 64 + 2 * products


def test_grouped_queries_in_flex_attention_count_every_query():
    flex = pytest.importorskip("torch.nn.attention.flex_attention")

    def function(m, x):
        keys = x[:, :2]
        return flex.flex_attention(x, keys, keys, enable_gqa=True)

    assert analyse(function, (1, 4, 6, 8)).totals.macs == 4 * 6 * 6 * 16


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_conditional_costs_the_branch_that_is_taken(mode):
    def function(m, x):
        return torch.cond(x.sum() > -1e9, lambda t: m.layer(t), lambda t: t, (x,))

    totals = analyse(function, mode=mode).totals
    assert (totals.macs, totals.depth, totals.coverage) == (LAYER_MACS, 1, 1)
    assert mode == "inference" or totals.backward_macs == LAYER_MACS


def looped(m, x):
    loops = torch._higher_order_ops.while_loop
    count = torch.tensor(0)
    return loops(lambda i, y: i < 3, lambda i, y: (i + 1, m.layer(y)), (count, x))[1]


def scanned(m, x):
    scan = torch._higher_order_ops.scan
    return scan(lambda c, y: (m.layer(c), c + y), x, torch.zeros(3, 2, 8))[0]


def mapped(m, x):
    mapping = torch._higher_order_ops.map
    return mapping(lambda y: m.layer(y), torch.stack([x, x, x]))


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize(("function", "depth"), [(looped, 3), (scanned, 3), (mapped, 1)])
def test_loops_as_operators_cost_every_step(function, depth, mode):
    report = analyse(function, mode=mode)
    assert report.trace.ran_on == "shapes"
    assert (report.totals.macs, report.totals.depth) == (3 * LAYER_MACS, depth)


def test_a_compiler_first_asked_for_inside_the_model_does_not_compile():
    """In a process of its own: here the compiler has been imported long ago."""
    program = (
        "import torch, archscope\n"
        "class Compiling(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.compile(lambda y: y @ y, backend='inductor')(x)\n"
        "compiler = torch.compile\n"
        "print(archscope.analyze(Compiling(), (4, 4)).totals.macs)\n"
        "assert torch.compile is compiler\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "64"


def test_a_model_that_ends_the_program_is_refused_in_one_line():
    with pytest.raises(archscope.ArchscopeError, match="SystemExit"):
        analyse(lambda m, x: sys.exit(3))


# -- memory of the backward pass -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choose", "copies"),
    [
        (lambda y: y.gather(1, torch.zeros(2, 3, dtype=torch.long)), 2),  # autograd keeps y
        (lambda y: y.max(1).values, 1),
        (lambda y: y.topk(3, 1).values, 1),
        (lambda y: y[:, torch.tensor([0, 1, 1])], 1),
        (lambda y: y.index_select(1, torch.tensor([0, 1, 1])), 1),
    ],
)
def test_gradients_of_a_choice_are_scattered_into_their_zeros(choose, copies):
    """Autograd writes in place what it may not under a dispatch mode."""
    wide = nn.Linear(8, 1000)
    trace = analyse(lambda m, x: choose(m.wide(x)), parts={"wide": wide}, mode="training").trace
    large = [s for s in trace.storages if s.bytes == 2 * 1000 * 4]
    alive = [sum(s.created_at <= op.index < s.freed_at for s in large) for op in trace.ops]
    assert max(alive) == copies


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_a_checkpoint_computes_again_is_not_taken_for_gradients(reentrant):
    from torch.utils.checkpoint import checkpoint

    def block(x):
        first = x + 1
        second = first + 1  # the first dies as the second is made, but not before
        del first
        return second.relu()

    def function(m, x):
        return checkpoint(block, m.layer(x), use_reentrant=reentrant)

    report = analyse(function, torch.randn(2, 8), mode="training")
    storages = report.trace.storages
    again = [op for op in report.trace.ops if op.recomputed and op.name == "add"]
    assert len(again) == 2
    assert all(
        storages[op.reads[0]].freed_at is None or storages[op.reads[0]].freed_at > op.index
        for op in again
    )


# -- gradients inside the model, failures ----------------------------------------------------------


def taken_inside(m, x):
    return torch.func.grad(lambda y: m.layer(y).pow(2).sum())(x)


def jacobian(m, x):
    return torch.func.jacrev(lambda y: m.layer(y).relu().sum(0))(x)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("function", [taken_inside, jacobian])
def test_function_transforms_run_inside_the_model(function, mode):
    hooks = torch.autograd.graph.disable_saved_tensors_hooks
    report = analyse(function, mode=mode)
    assert report.trace.ran_on == "shapes" and report.totals.coverage == 1
    assert report.totals.macs == (2 if function is taken_inside else 9) * LAYER_MACS
    assert torch.autograd.graph.disable_saved_tensors_hooks is hooks


def test_running_out_of_memory_is_no_fault_of_the_input():
    def greedy(m, x):
        return m.layer(x) + torch.empty(1 << 50)[:8] if x.sum() > -1e9 else x

    with pytest.raises(archscope.ArchscopeError, match="ran out of memory on data of 2x8"):
        analyse(greedy, torch.randn(2, 8))


# -- sparse tensors --------------------------------------------------------------------------------

EDGES = torch.tensor([[0, 1, 2], [1, 2, 3]])
EDGE_MACS = 3 * 8  # three edges, eight features


def graph_in_a_buffer(m, x):
    return torch.sparse.mm(m.graph, m.layer(x))


def graph_given(m, x, graph):
    return graph @ m.layer(x)


def graph_made_inside(m, x):
    graph = torch.sparse_coo_tensor(EDGES, torch.ones(3), (5, 5))
    return torch.sparse.mm(graph, m.layer(x))


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("function", [graph_in_a_buffer, graph_given, graph_made_inside])
def test_a_sparse_graph_costs_its_edges(function, mode):
    graph = torch.sparse_coo_tensor(EDGES, torch.ones(3), (5, 5))
    given = (graph,) if function is graph_given else ()
    parts = {"graph": nn.Buffer(graph)} if function is graph_in_a_buffer else {}
    report = analyse(function, torch.randn(5, 8), *given, parts=parts, mode=mode)
    assert report.totals.macs == 5 * 8 * 8 + EDGE_MACS
    assert report.totals.coverage == 1 and report.totals.depth == 1


@pytest.mark.parametrize("layer", [nn.Embedding, nn.EmbeddingBag])
def test_sparse_gradients_hold_the_rows_that_were_looked_up(layer):
    def function(m, indices):
        return m.layer(m.table(indices))

    indices = torch.tensor([[1, 2, 3], [4, 5, 6]])
    model = Written(function, table=layer(1000, 8, sparse=True))
    trace = archscope.trace(model, (indices,), "training")
    assert trace.ran_on == "shapes"
    large = [s for s in trace.storages if s.bytes >= 1000 * 8 * 4]
    assert [s.kind for s in large] == ["weight"]


# -- nested tensors, threads -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_jagged_tensors_cost_their_rows(mode):
    def function(m, x, y):
        rows = torch.nested.as_nested_tensor([x, y], layout=torch.jagged)
        return m.layer(rows).relu().to_padded_tensor(0.0)

    report = analyse(function, torch.randn(2, 8), torch.randn(3, 8), mode=mode)
    assert report.totals.macs == 5 * 8 * 8 and report.totals.depth == 1
    assert report.totals.coverage == 1
    assert mode == "inference" or report.totals.backward_macs == 5 * 8 * 8
    assert report.rows[-1]["input_shape"] == (5, 8)


def test_nested_tensors_of_the_strided_layout_are_refused_in_one_line():
    def function(m, x, y):
        return m.layer(torch.nested.as_nested_tensor([x, y])).to_padded_tensor(0.0)

    with pytest.raises(archscope.ArchscopeError, match="make them jagged or padded"):
        analyse(function, torch.randn(2, 8), torch.randn(3, 8))


def test_a_layer_in_another_thread_is_not_silently_free():
    def function(m, x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(m.layer, x).result()

    with pytest.raises(archscope.ArchscopeError, match="layer runs in another thread"):
        analyse(function)


# -- autocast inside the model ---------------------------------------------------------------------


def dtypes(function, **execution):
    trace = analyse(function, (2, 8), execution=execution).trace
    return [op.dtype for op in trace.ops if op.weight_layer]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_autocast_inside_the_model_casts_for_the_device_that_is_followed(device):
    def function(m, x):
        with torch.autocast(device, dtype=torch.bfloat16):
            y = m.layer(x)
            with torch.autocast(device, enabled=False):
                y = m.layer(y.float())
            y = m.layer(y)
        return m.layer(y.float())

    other = {"cpu": "cuda", "cuda": "cpu"}[device]
    expected = ["bfloat16", "float32", "bfloat16", "float32"]
    assert dtypes(function, device=device) == expected
    assert dtypes(function, device=other) == ["float32"] * 4


def test_autocast_for_the_device_of_the_input_is_for_the_one_that_is_followed():
    def function(m, x):
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            return m.layer(x)

    assert dtypes(function) == dtypes(function, device="cpu") == ["bfloat16"]


def test_a_region_without_autocast_stays_so_under_amp():
    def function(m, x):
        with torch.autocast("cuda", enabled=False):
            y = m.layer(x)
        return m.layer(y)

    assert dtypes(function, amp="bfloat16") == ["float32", "bfloat16"]


def test_autocast_is_torch_s_own_again_after_a_run():
    kind = torch.autocast
    before = kind.__init__, kind.__enter__, kind.__exit__
    with pytest.raises(archscope.ArchscopeError):
        analyse(lambda m, x: m.layer(x) / undefined)  # noqa: F821
    assert (kind.__init__, kind.__enter__, kind.__exit__) == before


# -- fake tensors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_fake_tensors_are_shapes(inside, mode):
    with FakeTensorMode():
        model, x = nn.Linear(8, 8), torch.randn(2, 8)
        inner = archscope.analyze(model, (x,), mode=mode) if inside else None
        assert type(torch.ones(2)).__name__ == "FakeTensor"
    report = inner or archscope.analyze(model, (x,), mode=mode)
    assert (report.totals.macs, report.totals.params) == (LAYER_MACS, 72)
    assert report.trace.ran_on == "shapes"


def test_a_shape_may_be_of_numpy_s_whole_numbers():
    report = archscope.analyze(nn.Linear(8, 8), inputs=tuple(np.array([2, 8])))
    assert report.totals.macs == LAYER_MACS


def test_modules_without_parameters_may_be_made_during_the_run():
    report = analyse(lambda m, x: nn.ReLU()(m.layer(x)))
    assert not report.warnings and report.rows[-1]["kind"] == "ReLU"
