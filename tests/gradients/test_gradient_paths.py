"""The gradient by path length: exact against routes taken one at a time, and on known networks."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archscope.errors import ArchscopeError, InvalidInput
from archscope.gradients import gradient_flow, gradient_paths
from archscope.gradients.products import backward_graph
from archscope.gradients.slots import decompose
from archscope.gradients.subject import network
from archscope.models.catalog import build


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def along_direction(output: Tensor, target: Tensor | None) -> Tensor:
    return (output.flatten() * torch.linspace(-1, 2, output.numel(), dtype=output.dtype)).sum()


class Residual(nn.Module):
    """y = x + W2 tanh(W1 x), whose two routes can be blocked."""

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.route: bool | None = None  # through the branch, through the shortcut, or both

    def forward(self, x: Tensor) -> Tensor:
        branch = self.second(self.first(x).tanh())
        if self.route is None:
            return x + branch
        return x.detach() + branch if self.route else x + branch.detach()


def residual_network(blocks: int = 4) -> nn.Module:
    return nn.Sequential(*(Residual(6) for _ in range(blocks)), nn.Linear(6, 5)).double()


def test_every_slot_is_the_sum_of_the_routes_of_its_length():
    model = residual_network()
    x = torch.randn(1, 6, dtype=torch.float64)
    by_length = torch.zeros(10, 6, dtype=torch.float64)
    for routes in itertools.product([False, True], repeat=4):
        for block, route in zip(model, routes, strict=False):
            block.route = route
        leaf = x.clone().requires_grad_()
        along_direction(model(leaf), None).backward()
        by_length[2 * sum(routes) + 1] += leaf.grad[0]
    for block in list(model)[:4]:
        block.route = None
    found = gradient_paths(model, x, loss=along_direction)
    np.testing.assert_allclose(found["gradient_norm"], by_length.norm(dim=1), rtol=1e-12)
    assert list(found["paths"]) == [0, 1, 0, 4, 0, 6, 0, 4, 0, 1]
    assert found.attrs["error"] < 1e-14
    weights = by_length.norm(dim=1) / by_length.norm(dim=1).sum()
    assert found.attrs["effective_depth"] == pytest.approx(
        float(weights @ torch.arange(10.0).double())
    )


@pytest.mark.parametrize("slots", [1, 2, 3, 7])
def test_groups_of_slots_give_the_same(slots, monkeypatch):
    model = residual_network()
    x = torch.randn(2, 6, dtype=torch.float64)
    at_once = gradient_paths(model, x, loss=along_direction)
    from archscope.gradients import paths

    def few(trace, number, limit):
        return paths.Need(0, 1, number, slots)

    monkeypatch.setattr(paths, "slots_at_once", few)
    grouped = gradient_paths(model, x, loss=along_direction)
    np.testing.assert_allclose(grouped["gradient_norm"], at_once["gradient_norm"], rtol=1e-12)
    assert grouped.attrs["slots_at_once"] == slots


def test_too_little_memory_is_told_before_the_start():
    lines = []
    found = gradient_paths("resnet20-cifar", samples=1, memory=2**22, progress=lines.append)
    assert "21 slots need about" in lines[0] and "groups" in lines[0]
    whole = gradient_paths("resnet20-cifar", samples=1)
    np.testing.assert_allclose(found["share"], whole["share"], rtol=1e-4, atol=1e-9)
    with pytest.raises(ArchscopeError, match="at least"):
        gradient_paths("resnet20-cifar", samples=1, memory=1000)


# -- graphs of every kind --------------------------------------------------------------------------


class Windows(nn.Module):
    """Folds positions into the batch and back, as windowed attention does."""

    def __init__(self):
        super().__init__()
        self.inside = nn.Linear(4, 4)
        self.across = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:  # (N, 8, 4)
        windows = x.reshape(-1, 2, 4)
        windows = windows + self.inside(windows.transpose(0, 1)).transpose(0, 1).relu()
        return self.across(windows.reshape(x.shape)).mean(1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        return self.head((x + self.attention(y, y, y)[0]).mean(1))


class Functional(nn.Module):
    """Raw parameters, a tied weight, in-place work, a product written as einsum."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(4, 4) / 2)
        self.other = nn.Parameter(torch.randn(4, 4) / 2)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.zeros(x.shape[0], 2, 4, dtype=x.dtype)
        out[:, 0] = x @ self.kernel
        out[:, 1] = torch.einsum("ni,oi->no", F.linear(x, self.kernel).relu_(), self.other)
        return out.sum(1)


class CheckpointedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Residual(4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.utils.checkpoint.checkpoint(self.block, x, use_reentrant=False)


torch.manual_seed(0)  # the networks below are made when the tests are collected


@pytest.mark.parametrize(
    ("model", "shape", "lengths"),
    [
        (Windows(), (1, 8, 4), {1, 2}),
        (Attention(), (1, 5, 8), {1, 3}),
        (Functional(), (1, 4), {1, 2}),
        (CheckpointedBlock(), (1, 4), {0, 2}),
        (nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2)), (1, 2, 6), {2}),
        (nn.Sequential(nn.ConvTranspose2d(2, 3, 3), nn.Tanh()), (1, 2, 4, 4), {1}),
    ],
)
def test_slots_sum_to_the_gradient_whatever_the_graph(model, shape, lengths):
    found = gradient_paths(model, torch.randn(shape))
    assert found.attrs["error"] < 1e-5
    assert {k for k, share in zip(found["length"], found["share"], strict=True) if share} == lengths
    assert not any("no routes" in note for note in found.attrs["notes"])


def test_transformers_as_people_use_them():
    swin = pytest.importorskip("torchvision").models.swin_transformer.SwinTransformer(
        [4, 4], 12, depths=[2], num_heads=[2], window_size=[4, 4], num_classes=5
    )
    found = gradient_paths(swin, torch.randn(2, 3, 32, 32))
    assert found.attrs["error"] < 1e-5 and not found.attrs["notes"]
    transformers = pytest.importorskip("transformers")
    configuration = transformers.GPT2Config(
        n_layer=2,
        n_embd=16,
        n_head=2,
        vocab_size=50,
        n_positions=16,
        bos_token_id=0,
        eos_token_id=0,
    )
    gpt = transformers.GPT2LMHeadModel(configuration)
    found = gradient_paths(gpt, torch.randint(50, (2, 8)))
    assert found.attrs["error"] < 1e-5
    assert found["share"][1] > 0.1  # embedding to classifier, past all blocks


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_fused_layers_and_unrolled_cells_agree(name):
    fused = gradient_paths(name, samples=2, seq_len=6, layers=2, hidden=8)
    unrolled = gradient_paths(name, samples=2, seq_len=6, layers=2, hidden=8, unrolled=True)
    np.testing.assert_allclose(fused["gradient_norm"], unrolled["gradient_norm"], rtol=1e-4)
    assert list(fused["paths"]) == list(unrolled["paths"])


def test_characters_count_from_their_embeddings():
    model = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 6), nn.Flatten(), nn.Linear(24, 3))
    found = gradient_paths(model, torch.randint(10, (2, 4)))
    assert list(found["share"].round(6)) == [0, 0, 1]


# -- what cannot be decomposed, and what is left behind --------------------------------------------


class MixesSamples(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        return x - x.mean(0)


def test_a_network_that_mixes_samples_is_refused():
    with pytest.raises(ArchscopeError, match="mixes the samples"):
        gradient_paths(MixesSamples(), torch.randn(3, 4))
    norm = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False))
    with pytest.raises(ArchscopeError, match="mixes the samples"):
        gradient_paths(norm, torch.randn(3, 4))


def test_a_module_stays_as_it_was():
    model = build("resnet20-cifar").train()
    model.conv1.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = torch.randn(2, 3, 32, 32)
    state = torch.get_rng_state()
    gradient_paths(model, data, samples=1)
    assert model.training and not model.conv1.weight.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(state, torch.get_rng_state())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_unusable_requests():
    with pytest.raises(InvalidInput, match="a module needs inputs"):
        gradient_paths(nn.Linear(2, 2))
    with pytest.raises(InvalidInput, match="does not accept samples of 2x3x28x28"):
        gradient_paths("alexnet", torch.randn(2, 3, 28, 28))
    with pytest.raises(InvalidInput, match="several seeds"):
        gradient_paths(nn.Linear(2, 2), torch.randn(1, 2), seeds=2)
    with pytest.raises(InvalidInput, match="as many targets"):
        gradient_paths(nn.Linear(2, 2), torch.randn(3, 2), torch.tensor([1]))
    with pytest.raises(ArchscopeError, match="no routes"):
        gradient_paths(
            nn.Sequential(nn.Linear(2, 2), nn.Threshold(0, 0), Constant()), torch.randn(1, 2)
        )


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(1, 2, requires_grad=True) * 2


def test_weights_from_a_file_are_used(tmp_path):
    model = build("resnet20-cifar")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    data = torch.randn(4, 3, 32, 32)
    labels = torch.arange(4)
    given = gradient_paths(model, data, labels)
    loaded = gradient_paths("resnet20-cifar", data, labels, checkpoint=tmp_path / "weights.pt")
    np.testing.assert_allclose(
        given["gradient_norm"], loaded["gradient_norm"], rtol=1e-3, atol=1e-9
    )


# -- residual and plain networks at initialisation -------------------------------------------------


@pytest.fixture(scope="module")
def residual():
    return gradient_paths("resnet110-cifar", samples=1)


def test_resnet110_is_as_deep_as_veit_et_al_found(residual):
    """Their effective paths have 5 to 17 modules of two layers, stem and classifier aside."""
    found = residual
    assert found.attrs["error"] < 1e-5
    assert 20 < found.attrs["effective_depth"] < 28
    share = dict(zip(found["length"], found["share"], strict=True))
    assert sum(share[2 * modules + 2] for modules in range(5, 18)) > 0.85
    assert sum(share[length] for length in range(1, 111, 2)) == 0


def test_a_plain_network_is_as_deep_as_it_is_long(residual):
    found = gradient_paths("plain110-cifar", samples=1)
    assert found.attrs["effective_depth"] == pytest.approx(110)
    apart = found["gradient_norm"].max() / residual["gradient_norm"].max()
    assert abs(math.log10(apart)) > 3


def test_gradient_flow_names_every_weight_layer():
    flow = gradient_flow("plain20-cifar", samples=2)
    assert list(flow["layer"]) == list(range(1, 21))
    assert flow["path"].iloc[0] == "conv1" and flow["path"].iloc[-1] == "fc"
    model = build("plain20-cifar")
    x = torch.randn(2, 3, 32, 32)
    flow = gradient_flow(model, x, samples=1, loss=along_direction)
    assert (flow["gradient_norm"] > 0).all()


# -- against sampled routes ------------------------------------------------------------------------


def sampled_route(model: nn.Module, x: Tensor, chosen: set[int]) -> Tensor:
    """Veit et al.: back through the branches of the chosen modules and the others' shortcuts."""
    blocks = [block for block in model.modules() if hasattr(block, "shortcut")]
    hooks = []
    for i, block in enumerate(blocks):
        part = block.shortcut if i in chosen else block.bn2
        hooks.append(part.register_forward_hook(lambda module, args, out: out.detach()))
    leaf = x.clone().requires_grad_()
    along_direction(model(leaf), None).backward()
    for hook in hooks:
        hook.remove()
    return leaf.grad.flatten()


@pytest.fixture(scope="module")
def resnet110():
    """The network with its statistics set, an input, and the gradient by path length: (112, x)."""
    torch.manual_seed(0)
    model, x = build("resnet110-cifar"), torch.randn(2, 3, 32, 32)
    subject = network(model, x, None, samples=1, seed=0, checkpoint=None, options={})
    leaf = subject.samples[0][0].clone().requires_grad_()
    value = along_direction(subject.model(leaf), None)
    graph = backward_graph(value, (leaf,), subject.model.parameters())
    (slots,) = decompose(value, graph, 16)
    subject.model.requires_grad_(False)
    return subject.model, subject.samples[0][0], slots.flatten(1)


def test_the_54_routes_of_one_module_sum_to_their_slot(resnet110):
    model, x, slots = resnet110
    routes = sum(sampled_route(model, x, {i}) for i in range(54))
    assert float((routes - slots[4]).norm() / slots[4].norm()) < 1e-4


@pytest.mark.parametrize("modules", [1, 4, 8, 12, 24])
def test_resnet110_agrees_with_veits_sampled_routes(resnet110, modules):
    """Routes of one length are nearly uncorrelated: the squared norm of their sum is about their
    number times the mean squared norm of one, which sampling estimates. The exact curve lies in
    the band that holds all of the sampled one at once with 95 % (bootstrap, Bonferroni over the 55
    lengths); a few strong routes carry much of each mean, which makes it wide."""
    model, x, slots = resnet110
    generator = torch.Generator().manual_seed(modules)
    chosen = (torch.randperm(54, generator=generator)[:modules].tolist() for _ in range(100))
    squares = np.array([float(sampled_route(model, x, set(c)).square().sum()) for c in chosen])
    rows = np.random.default_rng(0).integers(len(squares), size=(20_000, len(squares)))
    share = 100 * 0.05 / 2 / 55
    low, high = np.percentile(np.sqrt(squares[rows].mean(1)), [share, 100 - share])
    number = math.sqrt(math.comb(54, modules))
    assert number * low < float(slots[2 * modules + 2].norm()) < number * high


def test_networks_of_other_sources_start_as_torchs_layers_do(tmp_path):
    code = "from torch import nn\n"
    code += "def net():\n    return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))\n"
    (tmp_path / "net.py").write_text(code)
    found = gradient_paths(f"{tmp_path / 'net.py'}:net", torch.randn(2, 4))
    assert list(found["share"]) == [0, 0, 1]
    raw = "import torch\nfrom torch import nn\nclass Raw(nn.Module):\n    def __init__(self):\n"
    raw += "        super().__init__()\n        self.w = nn.Parameter(torch.ones(4, 2))\n"
    raw += "    def forward(self, x):\n        return x @ self.w\n"
    (tmp_path / "raw.py").write_text(raw)
    with pytest.raises(InvalidInput, match="cannot be initialised by itself"):
        gradient_paths(f"{tmp_path / 'raw.py'}:Raw", torch.randn(2, 4))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_a_module_whose_weights_are_computed_is_decomposed():
    model = nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 3)), nn.ReLU(), nn.Linear(3, 1))
    frame = gradient_paths(model, torch.randn(2, 3))
    assert frame.set_index("length")["share"][2] == pytest.approx(1)
