"""What single operators hold, forward and backward, is what torch's CPU allocator handed out."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archscope
from archscope.analyzers.memory import peak_bytes, saved_bytes
from benchmarks.live_bytes import live_bytes
from benchmarks.memory_cpu import saved, step


class Between(nn.Module):
    """An operator between two others, so that operand, result and gradients can be let go."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.function = function
        self.operands = nn.ParameterList(torch.rand(shape) + 0.5 for shape in shapes)

    def forward(self, _):
        results = self.function(*[-operand for operand in self.operands])
        results = results if isinstance(results, tuple | list) else (results,)
        return tuple(-result for result in results)


class OfLeaves(Between):
    """An operator of parameters, whose result is the output, a view of them perhaps."""

    def forward(self, _):
        results = self.function(*self.operands)
        return tuple(results) if isinstance(results, tuple | list) else results


def compared(model, mode):
    """Bytes beyond weights and inputs, predicted and held; and those saved for backward."""
    x = torch.zeros(1)
    recorded = archscope.trace(model, (x,), mode, device="cpu")
    before = sum(s.bytes for s in recorded.storages if s.created_at < 0)
    model.train(mode == "training")
    held = live_bytes(lambda: step(model, (x,), mode)).peak_without_workspaces
    predicted = peak_bytes(recorded) - before
    if mode == "inference":
        return (predicted, 0), (held, 0)
    return (predicted, saved_bytes(recorded)), (held, saved(model, (x,)))


def square(x):
    return x.view(4, 32, 32)


SIZE = (64, 64)
TRAINED = {
    "prod": (lambda x: x.prod(), SIZE),
    "prod along": (lambda x: x * x.prod(1, keepdim=True), SIZE),
    "prod away": (lambda x: x.prod(0), SIZE),
    "cumprod": (lambda x: x.cumprod(1), SIZE),
    "cumprod in place": (lambda x: (2 * x).cumprod_(1), SIZE),
    "max": (lambda x: x - x.max(), SIZE),
    "median": (lambda x: x - x.median(), SIZE),
    "var_mean": (lambda x: torch.var_mean(x, 1), SIZE),
    "std_mean": (lambda x: torch.std_mean(x), SIZE),
    "clamp": (lambda x, a, b: x.clamp(a, b), SIZE, SIZE, SIZE),
    "clamp in place": (lambda x, a, b: (2 * x).clamp_(a, b), SIZE, SIZE, SIZE),
    "logits": (lambda x: F.binary_cross_entropy_with_logits(x, torch.ones(SIZE)), SIZE),
    "logits of a target": (F.binary_cross_entropy_with_logits, SIZE, SIZE),
    "shares of a target": (
        lambda x, y: F.binary_cross_entropy(x.sigmoid(), y.sigmoid()),
        SIZE, SIZE,
    ),
    "mse_loss": (lambda x: F.mse_loss(x, torch.ones(SIZE)), SIZE),
    "smooth_l1_loss": (lambda x: F.smooth_l1_loss(x, torch.ones(SIZE), reduction="sum"), SIZE),
    "binary_cross_entropy": (
        lambda x: F.binary_cross_entropy(x.sigmoid(), torch.ones(SIZE)),
        SIZE,
    ),
    "every mse_loss": (lambda x: F.mse_loss(x, torch.ones(SIZE), reduction="none"), SIZE),
    "fold": (lambda x: F.fold(x, (16, 16), 3, padding=1) * 2, (2, 36, 256)),
    "take": (lambda x: x.take(torch.arange(100)), SIZE),
    "trace": (lambda x: x.trace() * x, SIZE),
    "cells of a GRU": (
        lambda x, h, w, u, b, c: torch.gru_cell(x, h, w, u, b, c),
        (16, 32), (16, 48), (144, 32), (144, 48), (144,), (144,),
    ),
    "cells of an LSTM": (
        lambda x, h, w, u, b, c: torch.lstm_cell(x, (h, h), w, u, b, c),
        (16, 32), (16, 48), (192, 32), (192, 48), (192,), (192,),
    ),
    "attention of three dimensions": (F.scaled_dot_product_attention, *[(4, 32, 16)] * 3),
    "attention of four": (F.scaled_dot_product_attention, *[(2, 4, 32, 16)] * 3),
    "attention of columns": (
        lambda q, k, v: F.scaled_dot_product_attention(q.mT, k.mT, v.mT),
        *[(2, 4, 16, 32)] * 3,
    ),
    "attention with dropout": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=0.1),
        *[(2, 4, 32, 16)] * 3,
    ),
    "attention with a learned mask": (
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m),
        *[(2, 4, 32, 16)] * 3,
        (32, 32),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_training_holds_and_saves_what_torch_does(name):
    torch.manual_seed(0)
    predicted, held = compared(Between(*TRAINED[name]), "training")
    assert predicted == pytest.approx(held, abs=64)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.chunk(4, 1),
        lambda x: x[:, :8],
        lambda x: x[:1].expand(64, 64),
        lambda x: x.unfold(1, 8, 1),
        lambda x: x.diagonal(),
    ],
    ids=["chunk", "slice", "expand", "unfold", "diagonal"],
)
def test_the_gradient_of_a_view_that_is_an_output_is_as_large_as_what_it_shows(function):
    predicted, held = compared(OfLeaves(function, SIZE), "training")
    assert predicted == pytest.approx(held, abs=64)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.linalg.svdvals(square(x)),
        lambda x: torch.linalg.matrix_norm(square(x), "nuc"),
        lambda x: torch.linalg.eigvalsh(square(x)),
        lambda x: torch.linalg.eigvals(square(x)),
    ],
    ids=["svdvals", "nuclear norm", "eigvalsh", "eigvals"],
)
def test_vectors_are_found_only_where_a_gradient_wants_them(function):
    recorded = archscope.trace(OfLeaves(function, SIZE), ((1,),), "inference")
    assert peak_bytes(recorded) < 64 * 64 * 4 + 2048


def test_an_operator_that_updates_buffers_makes_its_results_too():
    def function(x):
        mean, var = torch.zeros(64), torch.ones(64)
        return torch.ops.aten._native_batch_norm_legit(x, None, None, mean, var, True, 0.1, 1e-5)[0]

    recorded = archscope.trace(OfLeaves(function, SIZE), ((1,),), "inference")
    op = next(op for op in recorded.ops if op.name == "_native_batch_norm_legit")
    assert (64, 64) in op.output_shapes


@pytest.mark.parametrize("shape", [(4, 32, 16), (2, 4, 32, 16)])
def test_attention_costs_the_same_whichever_kernel_takes_it(shape):
    q = torch.randn(shape)
    traces = [
        archscope.trace(Attention(transposed), (q, q, q), "training")
        for transposed in (True, False)
    ]
    assert traces[0].macs == traces[1].macs
    assert traces[0].flops == traces[1].flops
    names = {op.name for op in traces[0].ops if op.macs and op.phase == "forward"}
    assert names == {"scaled_dot_product_attention"}


class Attention(nn.Module):
    """Attention to inputs that lie as they are, or in columns."""

    def __init__(self, transposed):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.transposed = transposed

    def forward(self, q, k, v):
        q = q * self.scale
        if self.transposed:
            q = q.mT.contiguous().mT
        return F.scaled_dot_product_attention(q, k, v)


@pytest.mark.parametrize(
    "layer",
    [nn.BatchNorm2d(16), nn.GroupNorm(4, 16), nn.PReLU(16), nn.Conv2d(16, 8, 3)],
    ids=lambda layer: type(layer).__name__,
)
def test_an_input_of_the_model_gets_no_gradient(layer):
    x = torch.randn(4, 16, 8, 8)
    recorded = archscope.trace(layer, (x,), "training", device="cpu")
    before = sum(s.bytes for s in recorded.storages if s.created_at < 0)
    held = live_bytes(lambda: step(layer.train(), (x,), "training")).peak_without_workspaces
    assert peak_bytes(recorded) - before == pytest.approx(held, abs=64)


@pytest.mark.parametrize("optimizer", [None, "adam"])
def test_a_step_that_adds_to_gradients_holds_what_torch_does(optimizer):
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64)).train()
    model[2].weight = model[0].weight  # whose gradients meet
    x = torch.randn(16, 64)
    options = {"device": "cpu", "optimizer": optimizer, "accumulate": True}
    recorded = archscope.trace(model, (x,), "training", **options)
    before = sum(s.bytes for s in recorded.storages if s.created_at < 0)
    update = torch.optim.Adam(model.parameters()) if optimizer else None

    def whole_step():
        output = model(x)
        output.backward(torch.ones_like(output))
        if update is not None:
            update.step()

    whole_step()
    held = live_bytes(whole_step).peak_without_workspaces
    assert peak_bytes(recorded) - before == pytest.approx(held, rel=0.002, abs=64)


def test_a_gradient_of_a_sparse_table_is_the_same_the_second_time():
    table, rows = nn.Embedding(1000, 8, sparse=True), torch.randint(1000, (4,))
    peaks = [peak_bytes(archscope.trace(table, (rows,), "training")) for _ in range(2)]
    assert peaks[0] == peaks[1] < 1000 * 8 * 4 + 1024
