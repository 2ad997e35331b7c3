"""Peaks, saved bytes and kinds: against closed forms, and against what torch really holds."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.utils.checkpoint import checkpoint

import archscope
from archscope import analyzers
from archscope.analyzers.memory import (
    KINDS,
    activations_by_need,
    bytes_alive,
    bytes_by_kind,
    peak,
    peak_bytes,
    saved_bytes,
    timeline,
)
from archscope.errors import InvalidInput
from archscope.sources import resolve
from benchmarks.live_bytes import live_bytes
from benchmarks.memory_cpu import saved, step

MIB = 2**20


def traced(reference, mode="inference", batch=1, options=None, **execution):
    subject = resolve(reference, batch=batch, mode=mode, options=options)
    return archscope.trace(subject.model, subject.inputs, mode, batch=batch, **execution)


def run(model, *shape, **execution):
    return archscope.trace(model, (shape,), "training", **execution)


def mlp():
    """Three layers of 64, whose weights and biases are 3 x 4,160 floats."""
    return nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)
    )


class Residual(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=inplace)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.relu(x + self.conv2(self.relu(self.norm(self.conv1(x)))))


class SelfAttention(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.qkv = nn.Linear(32, 96)
        self.dropout = dropout

    def forward(self, x):  # (N, T, 32), four heads of 8
        q, k, v = (part.unflatten(-1, (4, 8)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


SMALL = {
    "mlp": (mlp, (16, 64)),
    "residual": (Residual, (2, 4, 16, 16)),
    "residual in place": (lambda: Residual(inplace=True), (2, 4, 16, 16)),
    "pooling": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten()),
        (2, 3, 34, 34),
    ),
    "dropout": (
        lambda: nn.Sequential(nn.Linear(64, 64), nn.Dropout(0.5), nn.GELU(), nn.Linear(64, 8)),
        (32, 64),
    ),
    "layer norm": (lambda: nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 64), nn.SiLU()), (32, 64)),
    "attention": (SelfAttention, (2, 64, 32)),
    "group norm": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8)), (2, 3, 16, 16)),
    "local response": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(5)),
        (2, 3, 16, 16),
    ),
}


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", SMALL)
def test_the_peak_is_what_torch_holds(name, mode):
    build, shape = SMALL[name]
    model, x = build(), torch.randn(shape)
    recorded = archscope.trace(model, (x,), mode, device="cpu")
    before = sum(s.bytes for s in recorded.storages if s.created_at < 0)
    model.train(mode == "training")
    held = live_bytes(lambda: step(model, (x,), mode)).peak_without_workspaces
    # Profilers round nothing, and kernels make scalars for themselves: a few bytes.
    assert peak_bytes(recorded) - before == pytest.approx(held, abs=64)


@pytest.mark.parametrize("name", SMALL)
def test_saved_bytes_are_what_saved_tensors_hooks_get(name):
    build, shape = SMALL[name]
    model, x = build().train(), torch.randn(shape)
    recorded = archscope.trace(model, (x,), "training", device="cpu")
    assert saved_bytes(recorded) == saved(model, (x,))


@pytest.mark.parametrize("name", SMALL)
def test_kinds_and_layers_add_up(name):
    build, shape = SMALL[name]
    recorded = run(build(), *shape)
    curves, totals = bytes_by_kind(recorded), bytes_alive(recorded)
    assert [sum(curves[kind][i] for kind in KINDS) for i in range(len(totals))] == totals
    top = peak(recorded)
    assert sum(top.kinds.values()) == top.bytes == max(totals)
    assert sum(tensor.bytes for tensor in top.tensors) == top.bytes
    layers = analyzers.memory(recorded)
    assert layers["saved_bytes"].sum() == saved_bytes(recorded)
    assert layers["peak_bytes"].sum() <= top.bytes
    assert layers["weight_bytes"].sum() == top.kinds["weights"]
    assert list(timeline(recorded)["total"]) == totals


# -- the papers' networks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "per_image"), [("vgg16", 69.9), ("resnet50", 82.0), ("resnet18", 21.2)]
)
def test_saved_for_backward_per_image(name, per_image):
    recorded = traced(name, "training", batch=2, device="cpu")
    assert saved_bytes(recorded) / 2 / MIB == pytest.approx(per_image, abs=0.06)


@pytest.mark.parametrize(
    ("name", "activations"), [("vgg16", 24.5), ("resnet50", 9.2), ("alexnet", 1.31)]
)
def test_inference_peak_of_activations(name, activations):
    """Tensors that some operator still reads or writes; torchvision has ReLU in place."""
    recorded = archscope.trace(torchvision.models.get_model(name), ((1, 3, 224, 224),), "inference")
    assert activations_by_need(recorded) / MIB == pytest.approx(activations, abs=0.06)


def test_names_that_the_program_holds_on_to_cost_memory():
    """The shortcut's input lives in the caller's frame while the block runs: 64x56x56 floats."""
    recorded = archscope.trace(torchvision.models.resnet50(), ((1, 3, 224, 224),), "inference")
    assert peak(recorded).activations - activations_by_need(recorded) == 64 * 56 * 56 * 4


def test_the_lecture_table_of_vgg16_is_a_sum_and_not_a_peak():
    report = archscope.analyze("vgg16")
    assert report.totals["activations"] == 15_237_608
    assert peak(report.trace).activations < 4 * 15_237_608


# -- what changes the answer, and by how much ------------------------------------------------------


def test_relu_in_place_saves_nothing_less_but_peaks_lower():
    """A ReLU keeps its output; a convolution's own output is in nobody's way."""
    model, inplace = Residual(), Residual(inplace=True)
    plain, placed = run(model, 2, 4, 16, 16), run(inplace, 2, 4, 16, 16)
    assert saved_bytes(plain) == saved_bytes(placed)
    assert peak_bytes(placed) <= peak_bytes(plain)


def test_a_frozen_layer_has_no_gradient_and_saves_no_input_of_its_own():
    model, frozen = mlp(), mlp()
    frozen[0].requires_grad_(False)
    full, less = run(model, 16, 64), run(frozen, 16, 64)
    weights = 4 * (64 * 64 + 64)
    assert max(bytes_by_kind(full)["gradients"]) == 3 * weights
    assert max(bytes_by_kind(less)["gradients"]) == 2 * weights
    assert saved_bytes(full) - saved_bytes(less) == 16 * 64 * 4  # the layer's input


def test_tied_weights_are_stored_once_and_have_one_gradient():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(100, 8)
            self.head = nn.Linear(8, 100, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x):
            return self.head(self.embed(x))

    recorded = archscope.trace(Tied(), (torch.zeros(2, 5, dtype=torch.int64),), "training")
    curves = bytes_by_kind(recorded)
    assert max(curves["weights"]) == max(curves["gradients"]) == 100 * 8 * 4


def test_checkpointing_keeps_the_inputs_of_segments_only():
    class Checkpointed(nn.Module):
        def __init__(self, on):
            super().__init__()
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)) for _ in range(6)
            )
            self.on = on

        def forward(self, x):
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False) if self.on else block(x)
            return x

    batch = 512
    plain, less = run(Checkpointed(False), batch, 64), run(Checkpointed(True), batch, 64)
    per_block = batch * (64 + 256 + 256) * 4  # input, before and after GELU
    assert saved_bytes(plain) == 6 * per_block
    # All inputs of blocks, and while one block goes backward what it would have saved.
    assert max(bytes_by_kind(less)["saved"]) < 2 * per_block + 6 * batch * 64 * 4
    assert peak_bytes(less) < peak_bytes(plain) - 3 * per_block


def test_accumulation_keeps_gradients_through_forward_and_needs_one_more_at_a_time():
    once, more = run(mlp(), 16, 64), run(mlp(), 16, 64, accumulate=True)
    assert bytes_by_kind(once)["gradients"][0] == 0
    assert bytes_by_kind(more)["gradients"][0] == 3 * 4 * (64 * 64 + 64)
    assert max(bytes_by_kind(more)["gradients"]) == max(bytes_by_kind(once)["gradients"])
    assert peak_bytes(more) > peak_bytes(once)


def test_channels_last_holds_the_same_bytes():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
    x = torch.randn(2, 3, 32, 32)
    plain = archscope.trace(model, (x,), "training")
    model = model.to(memory_format=torch.channels_last)
    last = archscope.trace(model, (x.to(memory_format=torch.channels_last),), "training")
    assert saved_bytes(last) == saved_bytes(plain)
    assert peak_bytes(last) == peak_bytes(plain)


def test_a_convolution_hands_its_layout_on_so_that_nothing_is_copied():
    """Tokens as an image and back, as in hybrid transformers: the linear layer copies nothing."""

    class Hybrid(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.linear = nn.Linear(8, 8)

        def forward(self, x):  # (N, 36, 8)
            x = self.conv(x.transpose(1, 2).unflatten(2, (6, 6)))
            return self.linear(x.flatten(2).transpose(1, 2))

    recorded = archscope.trace(Hybrid(), ((2, 36, 8),), "inference")
    assert [op.name for op in recorded.ops] == ["input", "convolution", "addmm"]


def test_dropout_keeps_a_byte_an_element_on_cuda_and_a_float_on_the_cpu():
    model = nn.Sequential(nn.Linear(64, 64), nn.Dropout(0.5), nn.Linear(64, 64))
    on_cuda, on_cpu = run(model, 32, 64), run(model, 32, 64, device="cpu")
    assert saved_bytes(on_cpu) - saved_bytes(on_cuda) == 32 * 64 * (4 - 1)


def test_the_math_path_stores_the_scores_and_fused_attention_does_not():
    """Softmax keeps its output and the products their operands: one (N, heads, T, T)."""
    length = 256
    fused = run(SelfAttention(), 2, length, 32)
    scored = run(SelfAttention(), 2, length, 32, attention="math")
    scores = 2 * 4 * length * length * 4
    assert 0.9 * scores < saved_bytes(scored) - saved_bytes(fused) < 1.5 * scores
    assert fused.macs == scored.macs


def test_half_precision_halves_weights_gradients_and_activations():
    full, half = run(mlp(), 16, 64), run(mlp(), 16, 64, dtype="bf16")
    assert peak_bytes(half) * 2 == peak_bytes(full)
    assert saved_bytes(half) * 2 == saved_bytes(full)


def test_amp_keeps_master_weights_and_copies_them_for_the_products():
    full, mixed = run(mlp(), 256, 64), run(mlp(), 256, 64, amp="bf16")
    curves = bytes_by_kind(mixed)
    parameters = 3 * (64 * 64 + 64)
    assert max(curves["weights"]) == max(curves["gradients"]) == 4 * parameters
    # Every product's input in bf16; its weight's bf16 copy too, if a gradient passes through.
    assert saved_bytes(full) == 4 * 3 * 256 * 64
    assert saved_bytes(mixed) == 2 * 3 * 256 * 64 + 2 * 2 * 64 * 64


@pytest.mark.parametrize("name", ["mlp", "residual", "attention", "layer norm"])
def test_amp_is_what_torch_autocast_holds(name):
    """Against torch's own autocast for the CPU, whose lists differ from CUDA's."""
    build, shape = SMALL[name]
    model, x = build().train(), torch.randn(shape)
    recorded = archscope.trace(model, (x,), "training", device="cpu", amp="bf16")
    before = sum(s.bytes for s in recorded.storages if s.created_at < 0)

    def mixed_step():
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            output = model(x)
        output.backward(torch.ones_like(output))

    held = live_bytes(mixed_step).peak_without_workspaces
    assert peak_bytes(recorded) - before == pytest.approx(held, rel=0.005, abs=64)


def test_amp_joins_halves_into_halves():
    """A concatenation takes the widest dtype of its operands, and float32 only if one has it."""

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x):
            return torch.cat([self.left(x), self.right(x)], dim=1)

    for amp in ("bfloat16", "float16"):
        recorded = run(Branches(), 2, 3, 8, 8, amp=amp)
        assert [op.dtype for op in recorded.forward if op.name == "cat"] == [amp]


# -- the optimizer ---------------------------------------------------------------------------------

STATE = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}


@pytest.mark.parametrize("name", STATE)
def test_optimizer_state_in_floats_per_parameter(name):
    recorded = run(mlp(), 16, 64, optimizer=name)
    parameters = 3 * (64 * 64 + 64)
    assert set(bytes_by_kind(recorded)["optimizer"]) == {STATE[name] * 4 * parameters}
    assert recorded.ops[-1].phase == "optimizer"


def test_adam_on_a_gpu_needs_a_temporary_of_all_parameters():
    """The square root of the second moment, for all parameters in one call; on the CPU of one."""
    weights = 3 * (64 * 64 + 64) * 4
    at_once = run(mlp(), 1, 64, optimizer="adam")
    one_by_one = run(mlp(), 1, 64, optimizer="adam", device="cpu")
    assert weights < most_in_update(at_once) < 1.1 * weights
    assert most_in_update(one_by_one) < weights


def most_in_update(recorded):
    temporaries = bytes_by_kind(recorded)["temporaries"]
    return max(temporaries[op.index] for op in recorded.ops if op.phase == "optimizer")


@pytest.mark.parametrize("name", STATE)
def test_a_step_with_its_optimizer_is_what_torch_holds(name):
    model, x = mlp().train(), torch.randn(16, 64)
    recorded = archscope.trace(model, (x,), "training", device="cpu", optimizer=name)
    before = sum(s.bytes for s in recorded.storages if s.created_at < 0)
    kinds = {
        "sgd": (torch.optim.SGD, {"lr": 1e-3}),
        "momentum": (torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9}),
        "adam": (torch.optim.Adam, {}),
        "adamw": (torch.optim.AdamW, {}),
    }
    kind, options = kinds[name]
    optimizer = kind(model.parameters(), **options)

    def whole_step():
        optimizer.zero_grad(set_to_none=True)
        output = model(x)
        output.backward(torch.ones_like(output))
        optimizer.step()

    held = live_bytes(whole_step).peak_without_workspaces
    assert peak_bytes(recorded) - before == pytest.approx(held, rel=0.002, abs=64)


# -- recurrence and refusal ------------------------------------------------------------------------


def test_backpropagation_through_time_keeps_every_step():
    """Memory is a line in the sequence length, and so is one trace as cheap as another."""
    sizes = [
        saved_bytes(traced("lstm", "training", options={"seq_len": length}))
        for length in (100, 200, 300, 100_000)
    ]
    slope = (sizes[1] - sizes[0]) // 100
    assert sizes[2] == sizes[0] + 200 * slope
    assert sizes[3] == sizes[0] + 99_900 * slope


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "tpu"},
        {"attention": "flash"},
        {"optimizer": "lion"},
        {"amp": "float32"},
        {"dtype": "int8"},
    ],
)
def test_an_unknown_choice_is_refused_with_the_known_ones(wrong):
    with pytest.raises(InvalidInput, match="it is one of"):
        run(mlp(), 1, 64, **wrong)


def test_an_optimizer_steps_in_training_only():
    with pytest.raises(InvalidInput, match="training"):
        archscope.trace(mlp(), ((1, 64),), "inference", optimizer="adam")


def test_the_gradient_scaler_keeps_two_scalars_and_unscales_in_place():
    """torch.amp.GradScaler holds a float32 scale and an int32 count, and divides the gradients
    where they are; bfloat16 has the range of float32 and needs none."""
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))

    def traced(amp):
        return archscope.trace(model, (32, 64), "training", optimizer="sgd", amp=amp)

    half, wide = traced("fp16"), traced("bf16")
    scaler = [s for s in half.storages if s.names and s.names[0].startswith("scaler.")]
    assert [s.bytes for s in scaler] == [4, 4]
    assert not any(n.startswith("scaler.") for s in wide.storages for n in s.names)
    unscale = next(op for op in half.ops if "unscale" in op.name)
    gradients = {s.index for s in half.storages if s.kind == "gradient"}
    assert unscale.phase == "optimizer" and gradients <= set(unscale.writes)
    assert peak_bytes(half) - peak_bytes(wide) == 8
