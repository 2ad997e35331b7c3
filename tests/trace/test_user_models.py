"""Models as people write them: each has its right answer, or a refusal that says why."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archscope

LAYER_MACS = 2 * 8 * 8  # of a Linear(8, 8) on two rows


class Written(nn.Module):
    """A forward pass given as a function of the module and its inputs."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        self.layer = nn.Linear(8, 8)
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


def analyse(function, *inputs, **options):
    return archscope.analyze(Written(function), inputs=inputs or ((2, 8),), **options)


@dataclass
class Output:
    logits: torch.Tensor
    steps: int


def branch_on_data(m, x):
    return m.layer(x) if x.sum().item() > -1e9 else x


def select_by_mask(m, x):
    return m.layer(x[x.sum(1) > -1e9])


def through_numpy(m, x):
    return m.layer(torch.from_numpy(x.detach().numpy()))


@pytest.mark.parametrize("function", [branch_on_data, select_by_mask, through_numpy])
def test_control_flow_that_reads_the_input_runs_on_data_and_says_so(function):
    report = analyse(function, torch.randn(2, 8))
    assert report.totals["macs"] == LAYER_MACS
    assert report.trace.ran_on == "data" and "run on data" in report.warnings[0]


def branch_on_a_mask_of_its_own(m, x):
    mask = torch.ones(x.shape[0], dtype=torch.bool, device=x.device)
    positions = torch.arange(x.shape[0], device=x.device)
    if mask.all() and int(positions.max()) == x.shape[0] - 1:
        x = m.layer(x[mask])
    return x


def test_control_flow_on_what_the_model_made_itself_stays_on_shapes():
    report = analyse(branch_on_a_mask_of_its_own)
    assert report.totals["macs"] == LAYER_MACS and report.trace.ran_on == "shapes"


def test_values_that_are_not_tensors_go_in_and_out():
    def function(m, x, times, flag=False):
        return Output(m.layer(x) * times if flag else x, 3)

    report = analyse(function, (2, 8), 2.0, kwargs={"flag": True}, mode="training")
    assert report.totals["macs"] == report.totals["backward_macs"] == LAYER_MACS


def test_hooks_that_users_installed_run_and_count():
    seen = []
    model = nn.Linear(8, 8)
    model.register_forward_hook(lambda module, args, out: seen.append(out.shape))
    model.register_forward_hook(lambda module, args, out: out @ torch.ones(8, 8))
    assert archscope.analyze(model, inputs=(2, 8)).totals["macs"] == 2 * LAYER_MACS
    assert seen == [(2, 8)]


def test_data_parallel_costs_what_its_module_costs():
    report = archscope.analyze(nn.DataParallel(nn.Linear(8, 8)), inputs=(2, 8))
    assert report.totals["macs"] == LAYER_MACS and report.totals["coverage"] == 1


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_compiled_parts_cost_what_they_compile(mode):
    product = torch.compile(lambda x, w: x @ w, backend="eager")

    def function(m, x):
        return product(m.inner(x), m.layer.weight)

    inner = torch.compile(nn.Linear(8, 8), backend="eager")
    report = archscope.analyze(Written(function, inner=inner), inputs=(2, 8), mode=mode)
    assert report.totals["macs"] == 2 * LAYER_MACS
    assert "inner" in {row["path"] for row in report.rows}


def test_the_calls_of_a_compiled_model_are_those_of_the_model():
    model = nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8)))
    calls = [(call.path, call.kind, call.call) for call in archscope.trace(model, (2, 8)).calls]
    model[1].compile(backend="eager")
    compiled_call = model[1]._compiled_call_impl
    for compiled in (model, torch.compile(model, backend="eager")):
        found = archscope.trace(compiled, (2, 8)).calls
        assert [(call.path, call.kind, call.call) for call in found] == calls
    assert model[1]._compiled_call_impl is compiled_call


def test_scripted_modules_are_seen_through():
    model = nn.Sequential(torch.jit.script(nn.Linear(8, 8)), nn.ReLU())
    report = archscope.analyze(model, inputs=(2, 8))
    assert report.totals["macs"] == LAYER_MACS and report.totals["params"] == 72


@pytest.mark.filterwarnings("ignore")
def test_dynamically_quantised_layers_count_their_products():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})
    report = archscope.analyze(quantised, inputs=(2, 8))
    assert report.totals["macs"] == LAYER_MACS and report.totals["coverage"] == 1


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_a_sparse_weight_counts_the_elements_that_it_holds(layout):
    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            dense = torch.eye(8)
            dense[0] = 1
            self.weight = nn.Parameter(dense.to_sparse(layout=layout))

        def forward(self, x):
            return torch.sparse.mm(self.weight, x.t()).t()

    report = archscope.analyze(Sparse(), inputs=(2, 8))
    assert report.totals["macs"] == 15 * 2
    held = 15 * 4 + 15 * 16 if layout is torch.sparse_coo else 15 * 4 + 15 * 8 + 9 * 8
    assert report.trace.parameters[0].bytes == held


def test_a_forward_under_another_name_counts_and_its_parameters_too():
    report = analyse(lambda m, x: m.layer.forward(x))
    assert report.totals["macs"] == LAYER_MACS and report.totals["params"] == 72
    assert sum(row["params"] for row in report.rows) == 72


@pytest.mark.parametrize(
    "normalised",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        nn.utils.parametrizations.orthogonal,
    ],
)
def test_a_parametrised_weight_is_one_weight_layer(normalised):
    report = archscope.analyze(normalised(nn.Linear(8, 8)).eval(), inputs=(2, 8))
    assert report.totals["depth"] == 1
    layer = archscope.analyze(nn.Linear(8, 8), inputs=(2, 8)).totals
    assert report.totals["macs"] >= layer["macs"]


def test_an_alias_of_a_parameter_is_that_parameter():
    class Aliased(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
            self.b.weight.data = self.a.weight.data  # two parameters, one memory

        def forward(self, x):
            return self.b(self.a(x))

    trace = archscope.trace(Aliased(), (2, 8))
    assert sum(s.bytes for s in trace.storages if s.kind == "weight") == 64 * 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_shapes_take_the_dtype_of_the_model(dtype):
    report = archscope.analyze(nn.Conv2d(3, 4, 3).to(dtype), inputs=(1, 3, 8, 8))
    assert report.trace.inputs[0][2] == str(dtype).removeprefix("torch.")


def test_a_model_without_parameters_has_no_cost_but_a_table():
    report = archscope.analyze(nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), inputs=(1, 3, 8, 8))
    assert report.totals["params"] == report.totals["macs"] == 0
    assert report.totals["flops"] == 3 * 16 * 4 + 3 * 16


class Recursive(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x, depth=3):
        return self.layer(x) if depth == 0 else self(self.layer(x), depth - 1)


def test_recursion_counts_every_level_once():
    report = archscope.analyze(Recursive(), inputs=(2, 8))
    assert report.totals["macs"] == 4 * LAYER_MACS and report.totals["params"] == 72
    by_module = archscope.analyzers.compute(report.trace, level="module").set_index("path")
    assert by_module["macs"][""] == 4 * LAYER_MACS


def test_a_submodule_in_two_parents_is_stored_once():
    shared = nn.Linear(8, 8)
    model = nn.Sequential(nn.Sequential(shared), nn.Sequential(shared, nn.ReLU()))
    report = archscope.analyze(model, inputs=(2, 8))
    assert report.totals["macs"] == 2 * LAYER_MACS and report.totals["params"] == 72


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_autocast_inside_the_model_changes_no_count(device):
    def function(m, x):
        with torch.autocast(device, dtype=torch.bfloat16):
            return m.layer(x)

    assert analyse(function).totals["macs"] == LAYER_MACS


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_guards_inside_the_model_change_no_count(guard):
    assert analyse(guard()(lambda m, x: m.layer(x))).totals["macs"] == LAYER_MACS


def test_a_gradient_taken_inside_the_model_counts():
    def function(m, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            return torch.autograd.grad(m.layer(x).sum(), x, create_graph=True)[0]

    assert analyse(function).totals["macs"] == 2 * LAYER_MACS


def test_a_buffer_that_the_model_fills_in_is_differentiated_through():
    def function(m, x):
        states = torch.zeros(2, 3, 8)  # no device given, as many write it
        states[:, 0] = m.layer(x)
        states[:, 1] = m.layer(states[:, 0])
        return states.sum(1)

    report = analyse(function, mode="training")
    assert report.trace.ran_on == "shapes"
    assert report.totals["backward_macs"] == 3 * LAYER_MACS  # the input needs no gradient
    assert report.totals["depth"] == 2


class OptimisedOnData(nn.Module):
    """Reads a value, so it runs on data, and writes into its own weights."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.embedding = nn.Embedding(4, 8, max_norm=0.1)

    def forward(self, x):
        self.layer.weight.data.clamp_(-0.01, 0.01)
        y = self.layer(x) + self.embedding(torch.tensor([0, 1]))
        return y if y.sum().item() > -1e9 else x


@pytest.mark.parametrize("optimizer", [None, "sgd", "adam"])
def test_a_run_on_data_writes_into_copies(optimizer):
    model = OptimisedOnData()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace = archscope.trace(model, (torch.randn(2, 8),), "training", optimizer=optimizer)
    assert trace.ran_on == "data"
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def through_lists(m, x):
    return m.layer(torch.tensor(x.tolist()))


def on_the_cpu_only(m, x):
    return m.layer(x) if x.device.type == "cpu" else x / 0 + undefined  # noqa: F821


def by_condition(m, x):
    return torch.cond(x.sum() > -1e9, lambda t: m.layer(t), lambda t: t, (x,))


@pytest.mark.parametrize("function", [through_lists, on_the_cpu_only, by_condition])
def test_what_fails_on_shapes_alone_is_tried_on_data(function):
    report = analyse(function, torch.randn(2, 8))
    assert report.trace.ran_on == "data" and report.totals["macs"] == LAYER_MACS


def constant_times_weight(m, x):
    return F.linear(x, m.layer.weight * torch.ones(8, 8).tril())


def padded_weight(m, x):
    return F.linear(x, torch.cat([m.layer.weight, torch.zeros(2, 8)]))


def noisy_weight(m, x):
    return F.linear(x, m.layer.weight + m.layer.bias * torch.randn(8, 8))


@pytest.mark.parametrize("function", [constant_times_weight, padded_weight, noisy_weight])
def test_a_weight_that_meets_a_constant_is_still_a_weight(function):
    assert analyse(function).totals["depth"] == 1


def test_a_product_of_constants_and_weights_is_no_layer():
    def function(m, x):
        return x + m.layer(torch.zeros(2, 8))

    assert analyse(function).totals["depth"] == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: archscope.analyze(nn.Linear(3, 4).half(), inputs=(torch.randn(5, 3),)),
        lambda: archscope.analyze(nn.Linear(3, 4), inputs=(torch.ones(5, 3, dtype=torch.long),)),
        lambda: archscope.analyze(nn.LSTM(3, 4), inputs=((0, 2, 3),)),
        lambda: archscope.analyze(nn.Linear(3, 4), inputs=(10**18, 3)),
        lambda: archscope.analyze("vgg16", batch=10**22),
    ],
)
def test_what_torch_refuses_is_refused_in_one_line(call):
    with pytest.raises(archscope.ArchscopeError) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def attention_of(query, key, value, **options):
    class Attention(nn.Module):
        def forward(self, q, k, v, **options):
            return F.scaled_dot_product_attention(q, k, v, **options)

    return archscope.analyze(Attention(), inputs=(query, key, value), kwargs=options)


def test_attention_broadcasts_as_torch_does():
    report = attention_of((1, 4, 5, 8), (1, 4, 5, 8), (3, 4, 5, 8))
    assert report.rows[-1]["output_shape"] == (3, 4, 5, 8)
    assert report.totals["macs"] == 12 * 25 * 16


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ((1, 4, 5, 8), {"attn_mask": torch.zeros(7, 7)}),
        ((1, 3, 5, 8), {"enable_gqa": True}),
        ((3, 2, 5, 8), {"enable_gqa": True}),
    ],
)
def test_attention_that_does_not_fit_is_refused(key, options):
    with pytest.raises(archscope.ArchscopeError):
        attention_of((2, 4, 5, 8), key, key, **options)


def test_a_shape_for_a_complex_model_is_complex():
    layer = nn.Linear(3, 4, dtype=torch.complex64)
    assert archscope.analyze(layer, inputs=(5, 3)).totals["macs"] == 4 * 60


def test_outputs_may_be_nested_in_anything():
    def function(m, x):
        return [Output(m.layer(x), 1), {"deep": (Output(x, 2),)}]

    assert analyse(function, mode="training").totals["backward_macs"] == LAYER_MACS


def test_attributes_of_any_kind_survive():
    import collections

    model = Written(lambda m, x: m.layer(x))
    model.store = collections.defaultdict(list)
    model.queue = collections.deque([1])
    model.weights = {"w": model.layer.weight}
    model.function = lambda m, x: (m.queue.append(2), F.linear(x, m.weights["w"]))[1]
    report = archscope.analyze(model, inputs=(2, 8), mode="training")
    assert report.totals["depth"] == 1 and report.totals["backward_macs"] == LAYER_MACS
    assert list(model.queue) == [1] and model.weights["w"] is model.layer.weight


def test_deeply_nested_models_are_no_problem():
    model = nn.Linear(8, 8)
    for _ in range(200):
        model = nn.Sequential(model)
    assert archscope.analyze(model, inputs=(2, 8)).totals["macs"] == LAYER_MACS


def test_modules_made_during_the_run_are_told():
    def function(m, x):
        return nn.Linear(8, 8)(x)

    report = analyse(function)
    assert report.totals["macs"] == LAYER_MACS and "Linear" in report.warnings[0]


def test_a_vectorised_map_counts_the_whole_batch():
    assert analyse(lambda m, x: torch.vmap(m.layer)(x)).totals["macs"] == LAYER_MACS


def test_functional_call_counts():
    def function(m, x):
        return torch.func.functional_call(m.layer, dict(m.layer.named_parameters()), (x,))

    assert analyse(function).totals["macs"] == LAYER_MACS


def test_a_move_to_the_cpu_inside_the_model_is_a_copy():
    assert analyse(lambda m, x: m.layer(x).cpu() + 1).totals["macs"] == LAYER_MACS


def test_a_loss_inside_the_model_is_where_the_backward_begins():
    report = analyse(
        lambda m, x: F.cross_entropy(m.layer(x), torch.tensor([1, 2])), mode="training"
    )
    assert report.totals["backward_macs"] == LAYER_MACS


def test_padded_encoders_count_the_padding_in_every_mode():
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2)
    padding = torch.tensor([[False] * 3 + [True] * 2, [False] * 5])
    counts = {
        archscope.analyze(
            encoder.train(train), inputs=((2, 5, 16),), kwargs={"src_key_padding_mask": padding}
        ).totals["macs"]
        for train in (True, False)
    }
    assert counts == {2 * 10 * (4 * 16 * 16 + 2 * 16 * 32 + 2 * 5 * 16)}


def test_a_model_that_is_not_callable_is_refused_in_one_line():
    with pytest.raises(archscope.ArchscopeError, match="forward"):
        archscope.analyze(nn.ModuleList([nn.Linear(8, 8)]), inputs=(2, 8))


def test_a_model_too_large_to_run_on_data_is_refused_before_it_is_built():
    with torch.device("meta"):
        model = Written(branch_on_data, large=nn.Linear(1 << 20, 1 << 20))
    with pytest.raises(archscope.ArchscopeError, match="GiB"):
        archscope.analyze(model, inputs=(2, 8))


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_forward_that_yields_is_run_to_its_end(mode):
    class Yielding(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
                yield x

    totals = archscope.analyze(Yielding(), (2, 8), mode=mode).totals
    assert (totals.macs, totals.depth) == (2 * 2 * 8 * 8, 2)
