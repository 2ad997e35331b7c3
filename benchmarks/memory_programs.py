"""Small programs and whole networks whose memory is compared with what torch holds.

Each is a function of tensors and of layers, at sizes of some hundred KiB a tensor: what autograd
keeps, when gradients meet and die, views and writes in place, checkpoints, autocast, and networks
of kinds that the zoo has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from benchmarks.memory_networks import NETWORKS

Built = tuple[nn.Module, tuple[Any, ...]]


class Program(nn.Module):
    """A function of layers and inputs. Layers are found by name, as attributes."""

    def __init__(self, function: Callable[..., Any], **layers: nn.Module | nn.Parameter):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs)


def image(channels: int = 16, size: int = 32, batch: int = 4) -> Tensor:
    """(N, C, H, W), 256 KiB as it stands."""
    return torch.randn(batch, channels, size, size)


def rows(features: int = 256, batch: int = 128) -> Tensor:
    """(N, features)."""
    return torch.randn(batch, features)


def words(size: int = 64, length: int = 64, batch: int = 8) -> Tensor:
    """(N, T, size)."""
    return torch.randn(batch, length, size)


def tokens(vocabulary: int = 500, length: int = 64, batch: int = 8) -> Tensor:
    """(N, T) of whole numbers."""
    return torch.randint(vocabulary, (batch, length))


def programs() -> Iterator[tuple[str, Callable[[], Built]]]:
    """Names and builders."""
    for group in (LAYERS, BETWEEN_CONVOLUTIONS, BETWEEN_LINEARS, LIFETIMES):
        for name, build in group.items():
            yield name, build
    for name, network in NETWORKS.items():
        yield f"network: {name}", network


# -- layers ----------------------------------------------------------------------------------------


def _stacked(layer: Callable[[], nn.Module], *inputs: Callable[[], Tensor]) -> Callable[[], Built]:
    return lambda: (layer(), tuple(make() for make in inputs))


LAYERS = {
    "LSTM": _stacked(lambda: nn.LSTM(64, 64, 2, batch_first=True), words),
    "bidirectional GRU": _stacked(lambda: nn.GRU(64, 48, bidirectional=True), words),
    "RNN": _stacked(lambda: nn.RNN(64, 64), words),
    "LSTMCell": _stacked(lambda: nn.LSTMCell(256, 256), rows),
    "GRUCell": _stacked(lambda: nn.GRUCell(256, 256), rows),
    "Embedding": _stacked(lambda: nn.Embedding(500, 128), tokens),
    "sparse Embedding": _stacked(lambda: nn.Embedding(500, 128, sparse=True), tokens),
    "EmbeddingBag sum": _stacked(lambda: nn.EmbeddingBag(500, 128, mode="sum"), tokens),
    "EmbeddingBag mean": _stacked(lambda: nn.EmbeddingBag(500, 128, mode="mean"), tokens),
    "EmbeddingBag max": _stacked(lambda: nn.EmbeddingBag(500, 128, mode="max"), tokens),
    "sparse EmbeddingBag": _stacked(lambda: nn.EmbeddingBag(500, 128, sparse=True), tokens),
    "TransformerEncoderLayer": _stacked(
        lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), words
    ),
    "TransformerEncoderLayer, norm first": _stacked(
        lambda: nn.TransformerEncoderLayer(64, 4, 128, norm_first=True, batch_first=True), words
    ),
    "TransformerDecoderLayer": _stacked(
        lambda: nn.TransformerDecoderLayer(64, 4, 128, batch_first=True), words, words
    ),
    "MultiheadAttention": lambda: (
        Program(lambda m, x: m.a(x, x, x), a=nn.MultiheadAttention(64, 4, batch_first=True)),
        (words(),),
    ),
    "MultiheadAttention without weights": lambda: (
        Program(
            lambda m, x: m.a(x, x, x, need_weights=False)[0],
            a=nn.MultiheadAttention(64, 4, batch_first=True),
        ),
        (words(),),
    ),
    "Bilinear": lambda: (nn.Bilinear(64, 64, 32), (rows(64), rows(64))),
}

# -- one layer between two others ------------------------------------------------------------------


def _between_convolutions(layer: Callable[[], Any], channels: int = 16) -> Callable[[], Built]:
    def build() -> Built:
        return nn.Sequential(nn.Conv2d(3, 16, 3), layer(), nn.Conv2d(channels, 4, 1)), (image(3),)

    return build


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _applied(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return lambda: Apply(function)


BETWEEN_CONVOLUTIONS = {
    name: _between_convolutions(layer)
    for name, layer in {
        "BatchNorm2d": lambda: nn.BatchNorm2d(16),
        "BatchNorm2d, no affine": lambda: nn.BatchNorm2d(16, affine=False),
        "BatchNorm2d, no running": lambda: nn.BatchNorm2d(16, track_running_stats=False),
        "SyncBatchNorm away": lambda: nn.BatchNorm2d(16, momentum=None),
        "InstanceNorm2d": lambda: nn.InstanceNorm2d(16),
        "InstanceNorm2d, affine": lambda: nn.InstanceNorm2d(16, affine=True),
        "InstanceNorm2d, running": lambda: nn.InstanceNorm2d(16, track_running_stats=True),
        "GroupNorm": lambda: nn.GroupNorm(4, 16),
        "LocalResponseNorm": lambda: nn.LocalResponseNorm(5),
        "LayerNorm of an image": lambda: nn.LayerNorm((30, 30)),
        "RMSNorm of an image": lambda: nn.RMSNorm((30, 30)),
        "MaxPool2d": lambda: nn.MaxPool2d(2),
        "AvgPool2d": lambda: nn.AvgPool2d(2),
        "LPPool2d": lambda: nn.LPPool2d(2, 2),
        "FractionalMaxPool2d": lambda: nn.FractionalMaxPool2d(2, output_ratio=0.5),
        "AdaptiveMaxPool2d": lambda: nn.AdaptiveMaxPool2d(7),
        "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d(7),
        "AdaptiveAvgPool2d to one": lambda: nn.AdaptiveAvgPool2d(1),
        "ReflectionPad2d": lambda: nn.ReflectionPad2d(2),
        "ReplicationPad2d": lambda: nn.ReplicationPad2d(2),
        "ZeroPad2d": lambda: nn.ZeroPad2d(2),
        "CircularPad2d": lambda: nn.CircularPad2d(2),
        "Upsample nearest": lambda: nn.Upsample(scale_factor=2),
        "Upsample bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
        "Upsample bicubic": lambda: nn.Upsample(scale_factor=2, mode="bicubic"),
        "PReLU": lambda: nn.PReLU(16),
        "RReLU": lambda: nn.RReLU(),
        "ReLU6 in place": lambda: nn.ReLU6(inplace=True),
        "ELU in place": lambda: nn.ELU(inplace=True),
        "LeakyReLU in place": lambda: nn.LeakyReLU(inplace=True),
        "SiLU in place": lambda: nn.SiLU(inplace=True),
        "Hardswish in place": lambda: nn.Hardswish(inplace=True),
        "CELU": lambda: nn.CELU(),
        "SELU": lambda: nn.SELU(),
        "GELU": lambda: nn.GELU(),
        "Mish": lambda: nn.Mish(),
        "Softplus": lambda: nn.Softplus(),
        "Softsign": lambda: nn.Softsign(),
        "Tanhshrink": lambda: nn.Tanhshrink(),
        "Hardtanh": lambda: nn.Hardtanh(),
        "LogSigmoid": lambda: nn.LogSigmoid(),
        "Dropout": lambda: nn.Dropout(0.3),
        "Dropout2d": lambda: nn.Dropout2d(0.3),
        "AlphaDropout": lambda: nn.AlphaDropout(0.3),
        "FeatureAlphaDropout": lambda: nn.FeatureAlphaDropout(0.3),
        "Dropout in place": lambda: nn.Dropout(0.3, inplace=True),
        "Softmax2d": lambda: nn.Softmax2d(),
        "ConvTranspose2d": lambda: nn.ConvTranspose2d(16, 16, 2, 2),
        "depthwise Conv2d": lambda: nn.Conv2d(16, 16, 3, groups=16),
        "dilated Conv2d": lambda: nn.Conv2d(16, 16, 3, dilation=2),
        "flip": _applied(lambda x: x.flip(-1)),
        "roll": _applied(lambda x: x.roll(3, -1)),
        "cumsum": _applied(lambda x: x.cumsum(-1)),
        "cumprod": _applied(lambda x: x.cumprod(-1)),
        "logcumsumexp": _applied(lambda x: x.logcumsumexp(-1)),
        "cummax": _applied(lambda x: x.cummax(-1).values),
        "sort": _applied(lambda x: x.sort(-1).values),
        "topk": _applied(lambda x: x.topk(8).values),
        "kthvalue": _applied(lambda x: x * x.kthvalue(3, keepdim=True).values),
        "median": _applied(lambda x: x * x.median(-1, keepdim=True).values),
        "amax": _applied(lambda x: x - x.amax((2, 3), keepdim=True)),
        "max": _applied(lambda x: x - x.max(-1, keepdim=True).values),
        "whole max": _applied(lambda x: x - x.max()),
        "prod": _applied(lambda x: x * x.prod(-1, keepdim=True)),
        "whole prod": _applied(lambda x: x * x.prod()),
        "logsumexp": _applied(lambda x: x - x.logsumexp(1, keepdim=True)),
        "norm": _applied(lambda x: x / x.norm(dim=1, keepdim=True)),
        "1-norm": _applied(lambda x: x / x.norm(1, dim=1, keepdim=True)),
        "max-norm": _applied(lambda x: x / x.norm(float("inf"), dim=1, keepdim=True)),
        "normalize": _applied(lambda x: F.normalize(x)),
        "var": _applied(lambda x: x / x.var(1, keepdim=True)),
        "std": _applied(lambda x: x / x.std(1, keepdim=True)),
        "mean": _applied(lambda x: x - x.mean((2, 3), keepdim=True)),
        "softmax": _applied(lambda x: x.softmax(1)),
        "log_softmax": _applied(lambda x: x.log_softmax(1)),
        "clamp": _applied(lambda x: x.clamp(-1, 1)),
        "minimum": _applied(lambda x: torch.minimum(x, x.flip(-1))),
        "where": _applied(lambda x: torch.where(x > 0, x, 2 * x)),
        "masked_fill": _applied(lambda x: x.masked_fill(x > 0, 0.0)),
        "masked_fill in place": _applied(lambda x: (2 * x).masked_fill_(x > 0, 0.0)),
        "gather": _applied(lambda x: x.gather(1, torch.zeros(4, 16, 30, 30, dtype=torch.int64))),
        "index a list": _applied(lambda x: x[:, [3, 1, 2, 0] * 4]),
        "index_select": _applied(lambda x: x.index_select(1, torch.arange(15, -1, -1))),
        "index two axes": _applied(lambda x: x[torch.arange(4)[:, None], torch.arange(16)]),
        "slices": _applied(lambda x: x[:, :, ::2, ::2] + x[:, :, 1::2, 1::2]),
        "select": _applied(lambda x: x + x[:, :1]),
        "narrow and write": _applied(lambda x: _written(x.clone())),
        "cat": _applied(lambda x: torch.cat([x[:, :8], x[:, 8:].relu()], 1)),
        "stack": _applied(lambda x: torch.stack([x, x.relu()], 1).sum(1)),
        "split": _applied(lambda x: torch.cat([p.relu() for p in x.split([4, 8, 4], 1)], 1)),
        "chunk, one unused": _applied(lambda x: torch.cat([x.chunk(2, 1)[0]] * 2, 1)),
        "unbind": _applied(lambda x: torch.stack([p.relu() for p in x.unbind(1)], 1)),
        "expand": _applied(lambda x: x * x.mean(1, keepdim=True).expand_as(x)),
        "repeat": _applied(lambda x: x.repeat(1, 1, 2, 1)),
        "repeat_interleave": _applied(lambda x: x.repeat_interleave(2, -1)),
        "tile": _applied(lambda x: x.tile(1, 1, 2, 1)),
        "unfold and fold": _applied(lambda x: F.fold(F.unfold(x, 3, padding=1), (30, 30), 3, 1, 1)),
        "Tensor.unfold": _applied(lambda x: x.unfold(2, 3, 1).mean(-1)),
        "pixel_shuffle": _applied(lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2)),
        "channel_shuffle": _applied(lambda x: F.channel_shuffle(x, 4)),
        "grid_sample": _applied(lambda x: F.grid_sample(x, torch.zeros(4, 20, 20, 2))),
        "affine": _applied(
            lambda x: F.grid_sample(x, F.affine_grid(x.new_ones(4, 2, 3), [4, 16, 20, 20]))
        ),
        "channels last": _applied(lambda x: x.contiguous(memory_format=torch.channels_last) * 2),
        "permute and copy": _applied(
            lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        ),
        "complex": _applied(lambda x: torch.fft.ifft2(torch.fft.fft2(x)).real),
        "rfft": _applied(lambda x: torch.fft.irfft2(torch.fft.rfft2(x), s=(30, 30))),
        "polar": _applied(lambda x: torch.polar(x.exp(), x).abs()),
        "view as complex": _applied(
            lambda x: (
                torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (15, 2))) * 1j)
                .flatten(-2)
                .contiguous()
            )
        ),
        "stft": _applied(lambda x: x * _spectrum(x)),
        "glu": _applied(lambda x: F.glu(torch.cat([x, x], 1), 1)),
        "gumbel_softmax": _applied(lambda x: F.gumbel_softmax(x, dim=1)),
        "hard gumbel_softmax": _applied(lambda x: F.gumbel_softmax(x, hard=True, dim=1)),
        "addcmul": _applied(lambda x: torch.addcmul(x, x, x)),
        "lerp": _applied(lambda x: torch.lerp(x, x.flip(1), x)),
        "power": _applied(lambda x: x**2 + x.abs() ** 0.5 + x**3),
        "trigonometry": _applied(lambda x: x.sin() + x.cos() + x.atan2(x + 3)),
        "erf": _applied(lambda x: x.erf() * x.log1p().expm1()),
        "detach": _applied(lambda x: x * x.detach().sigmoid()),
        "no_grad": _applied(lambda x: x * _without_grad(x)),
        "bernoulli": _applied(lambda x: x * torch.bernoulli(x.sigmoid())),
        "noise": _applied(lambda x: x + torch.randn_like(x)),
        "einsum": _applied(lambda x: torch.einsum("nchw,nchv->nhwv", x, x).mean(1, True) * x[:, :]),
        "half and back": _applied(lambda x: x.bfloat16().relu().float()),
        "double and back": _applied(lambda x: x.double().sigmoid().float()),
        "chain of eight": _applied(
            lambda x: (((x * 2 + 1).sigmoid() * 3).tanh() - 1).relu().exp().sqrt()
        ),
    }.items()
}


def _written(x: Tensor) -> Tensor:
    x[:, :8] *= 2
    x[:, 8:].add_(1)
    x[:, 3] = 0
    x[:, 4] = x[:, 5].clone()
    return x


def _spectrum(x: Tensor) -> Tensor:
    found = torch.stft(x.flatten(1), 64, return_complex=True, window=torch.ones(64))
    return found.abs().mean((1, 2))[:, None, None, None]


def _without_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        return (x * 2).sigmoid()


def _between_linears(function: Callable[..., Any], outputs: int = 256) -> Callable[[], Built]:
    def build() -> Built:
        model = Program(
            lambda m, x: function(m.last(m.first(x))),
            first=nn.Linear(256, 256),
            last=nn.Linear(256, outputs),
        )
        return model, (rows(),)

    return build


def _classes() -> Tensor:
    return torch.arange(128) % 10


BETWEEN_LINEARS = {
    name: _between_linears(function)
    for name, function in {
        "cross_entropy": lambda y: F.cross_entropy(y, _classes()),
        "smoothed cross_entropy": lambda y: F.cross_entropy(y, _classes(), label_smoothing=0.1),
        "cross_entropy of shares": lambda y: F.cross_entropy(y, torch.ones(128, 256) / 256),
        "cross_entropy, each": lambda y: F.cross_entropy(y, _classes(), reduction="none"),
        "nll_loss": lambda y: F.nll_loss(y.log_softmax(1), _classes()),
        "mse_loss": lambda y: F.mse_loss(y, torch.zeros(128, 256)),
        "l1_loss": lambda y: F.l1_loss(y, torch.zeros(128, 256)),
        "smooth_l1_loss": lambda y: F.smooth_l1_loss(y, torch.zeros(128, 256)),
        "huber_loss": lambda y: F.huber_loss(y, torch.zeros(128, 256)),
        "binary_cross_entropy": lambda y: F.binary_cross_entropy(y.sigmoid(), torch.ones(128, 256)),
        "bce with logits": lambda y: F.binary_cross_entropy_with_logits(y, torch.ones(128, 256)),
        "kl_div": lambda y: F.kl_div(y.log_softmax(1), torch.ones(128, 256)),
        "cosine_similarity": lambda y: F.cosine_similarity(y, y.flip(0)),
        "cosine_embedding_loss": lambda y: F.cosine_embedding_loss(y, y.flip(0), torch.ones(128)),
        "triplet_margin_loss": lambda y: F.triplet_margin_loss(y, y.flip(0), y.roll(1, 0)),
        "margin_ranking_loss": lambda y: F.margin_ranking_loss(y, y.flip(0), torch.ones(128, 256)),
        "multi_margin_loss": lambda y: F.multi_margin_loss(y, _classes()),
        "soft_margin_loss": lambda y: F.soft_margin_loss(y, torch.ones(128, 256)),
        "hinge_embedding_loss": lambda y: F.hinge_embedding_loss(y, torch.ones(128, 256)),
        "gaussian_nll_loss": lambda y: F.gaussian_nll_loss(
            y, torch.zeros(128, 256), torch.ones(128, 256)
        ),
        "poisson_nll_loss": lambda y: F.poisson_nll_loss(y, torch.ones(128, 256)),
        "ctc_loss": lambda y: F.ctc_loss(
            y.view(32, 4, 256).log_softmax(-1),
            torch.ones(4, 8, dtype=torch.int64),
            (32, 32, 32, 32),
            (8, 8, 8, 8),
        ),
        "cdist": lambda y: torch.cdist(y, y),
        "pairwise_distance": lambda y: F.pairwise_distance(y, y.flip(0)),
        "pdist": lambda y: F.pdist(y),
        "inverse": lambda y: torch.linalg.inv(y.view(8, 64, 64)),
        "solve": lambda y: torch.linalg.solve(y.view(8, 64, 64), y.view(8, 64, 64)),
        "cholesky": lambda y: torch.linalg.cholesky(_positive(y)),
        "qr": lambda y: torch.linalg.qr(y.view(8, 64, 64)).R,
        "svd": lambda y: torch.linalg.svdvals(y.view(8, 64, 64)),
        "eigh": lambda y: torch.linalg.eigh(_positive(y)).eigenvalues,
        "slogdet": lambda y: torch.linalg.slogdet(y.view(8, 64, 64)).logabsdet,
        "det": lambda y: torch.linalg.det(y.view(8, 64, 64)),
        "logdet": lambda y: torch.logdet(_positive(y)),
        "matrix_exp": lambda y: torch.linalg.matrix_exp(y.view(8, 64, 64)),
        "triangular solve": lambda y: torch.linalg.solve_triangular(
            y.view(8, 64, 64), y.view(8, 64, 64), upper=True
        ),
        "tril": lambda y: y.view(8, 64, 64).tril(),
        "diagonal": lambda y: y.view(8, 64, 64).diagonal(dim1=1, dim2=2) * 2,
        "diag_embed": lambda y: y.view(512, 64).diag_embed(),
        "scatter_add": lambda y: torch.zeros(10, 256).scatter_add(
            0, _classes()[:, None].expand(128, 256), y
        ),
        "scatter": lambda y: y.scatter(1, _classes()[:, None], 0.0),
        "scatter_reduce amax": lambda y: torch.zeros(10, 256).scatter_reduce(
            0, _classes()[:, None].expand(128, 256), y, "amax"
        ),
        "scatter_reduce mean": lambda y: torch.zeros(10, 256).scatter_reduce(
            0, _classes()[:, None].expand(128, 256), y, "mean"
        ),
        "scatter_reduce prod": lambda y: torch.ones(10, 256).scatter_reduce(
            0, _classes()[:, None].expand(128, 256), y, "prod"
        ),
        "index_add": lambda y: torch.zeros(10, 256).index_add(0, _classes(), y),
        "index_add in place": lambda y: torch.zeros(10, 256).index_add_(0, _classes(), y),
        "index_copy": lambda y: y.index_copy(0, torch.arange(5), y[5:10] * 2),
        "index_fill": lambda y: y.index_fill(0, torch.arange(5), 0.0),
        "index_put": lambda y: y.index_put((torch.arange(5),), y[5:10] * 2),
        "index_put, accumulated": lambda y: y.index_put(
            (torch.arange(5),), y[5:10] * 2, accumulate=True
        ),
        "take": lambda y: y.take(torch.arange(1000)),
        "take_along_dim": lambda y: y.take_along_dim(_classes()[:, None], 1),
        "segment_reduce": lambda y: torch.segment_reduce(
            y, "sum", lengths=torch.full((16,), 8), axis=0
        ),
        "baddbmm": lambda y: torch.baddbmm(*(y.view(8, 64, 64),) * 3),
        "addmm": lambda y: torch.addmm(y[:, :128], y, y.t()),
        "outer": lambda y: torch.outer(y[0], y[1]),
        "kron": lambda y: torch.kron(y[:16, :16], y[:16, :16]),
        "tensordot": lambda y: torch.tensordot(y.view(8, 64, 64), y.view(64, 64, 8), 2),
        "cross": lambda y: torch.linalg.cross(
            y[:, :255].view(128, 85, 3), y[:, 1:].view(128, 85, 3)
        ),
        "renorm": lambda y: y.renorm(2, 0, 1.0),
        "bucketed": lambda y: y * torch.bucketize(y.detach(), torch.arange(4.0)),
        "searched": lambda y: y * torch.searchsorted(torch.arange(4.0), y.detach()),
        "trapezoid": lambda y: torch.trapezoid(y),
        "diff": lambda y: y.diff(),
        "cov": lambda y: torch.cov(y),
        "quantile": lambda y: torch.quantile(y, 0.3, dim=1),
        "nanmean": lambda y: y.nanmean(1),
        "logaddexp": lambda y: torch.logaddexp(y, y.flip(0)),
        "weight_norm of the output": lambda y: torch._weight_norm(y, y[:, :1], 0),
        "multinomial": lambda y: y.gather(1, torch.multinomial(y.detach().softmax(1), 4)),
        "straight through": lambda y: y + (y.round() - y).detach(),
    }.items()
}


def _positive(y: Tensor) -> Tensor:
    square = y.view(8, 64, 64)
    return square @ square.mT + torch.eye(64)


# -- lifetimes -------------------------------------------------------------------------------------


def _layers(count: int = 4) -> dict[str, nn.Module]:
    return {f"l{i}": nn.Linear(256, 256) for i in range(count)}


def _over_rows(function: Callable[..., Any], count: int = 4) -> Callable[[], Built]:
    return lambda: (Program(function, **_layers(count)), (rows(),))


def _twice_over(m: Any, x: Tensor) -> Tensor:
    for _ in range(3):
        x = m.l0(x).relu()
    return x


def _grad_inside(m: Any, x: Tensor) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        energy = m.l1(m.l0(x).tanh()).sum()
        (force,) = torch.autograd.grad(energy, x, create_graph=True)
    return force


class _Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * 2 + 0 * x


def _half(function: Callable[..., Any]) -> Callable[..., Any]:
    def inside(m: Any, x: Tensor) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return function(m, x)

    return inside


def _mlp(m: Any, x: Tensor) -> Tensor:
    return m.l3(F.gelu(m.l2(F.layer_norm(m.l1(F.relu(m.l0(x))), (256,)))))


def _skips(m: Any, x: Tensor) -> Tensor:
    a = m.l0(x)
    b = m.l1(a).relu()
    c = m.l2(a + b).sigmoid()
    return m.l3(torch.cat([a, b, c]).mean(0)) + a + b + c


def _attention(m: Any, x: Tensor, **options: Any) -> Tensor:
    q, k, v = (layer(x).view(4, 32, 8, 32).transpose(1, 2) for layer in (m.l0, m.l1, m.l2))
    y = F.scaled_dot_product_attention(q, k, v, **options)
    return m.l3(y.transpose(1, 2).reshape(128, 256))


def _written_out_attention(m: Any, x: Tensor) -> Tensor:
    q, k, v = (layer(x).view(4, 32, 8, 32).transpose(1, 2) for layer in (m.l0, m.l1, m.l2))
    scores = q @ k.transpose(-2, -1) / 32**0.5
    scores = scores.masked_fill(torch.ones(32, 32).triu(1).bool(), float("-inf"))
    weights = F.dropout(scores.softmax(-1), 0.1, m.training)
    return m.l3((weights @ v).transpose(1, 2).reshape(128, 256))


def _many_views(m: Any, x: Tensor) -> Tensor:
    y = m.l0(x)
    parts = [y[:, i * 64 : (i + 1) * 64] for i in range(4)]
    return m.l1(torch.cat([p * p.mean() for p in parts], 1).view(64, 512).view(128, 256))


def _buffer_filled(m: Any, x: Tensor) -> Tensor:
    out = torch.zeros(4, 128, 256)
    for i, layer in enumerate((m.l0, m.l1, m.l2, m.l3)):
        out[i] = layer(x)
    return out.sum(0)


def _freed_early(m: Any, x: Tensor) -> Tensor:
    y = m.l0(x)
    z = m.l1(y)
    del y
    z = z.exp()
    return m.l2(z)


def _hooked(m: Any, x: Tensor) -> Tensor:
    y = m.l0(x)
    if y.requires_grad:
        y.register_hook(lambda grad: grad * 2)
    return m.l1(y)


def _retained(m: Any, x: Tensor) -> Tensor:
    y = m.l0(x)
    if y.requires_grad:
        y.retain_grad()
    return m.l1(y.relu())


def _in_place_residual(m: Any, x: Tensor) -> Tensor:
    y = m.l0(x)
    z = m.l1(x)
    z += y
    z += m.l2(y)
    return m.l3(z.relu_())


LIFETIMES = {
    "weights used three times": _over_rows(_twice_over, 1),
    "skips": _over_rows(_skips),
    "in-place residuals": _over_rows(_in_place_residual),
    "attention": _over_rows(_attention),
    "causal attention": _over_rows(lambda m, x: _attention(m, x, is_causal=True)),
    "attention with a mask": _over_rows(
        lambda m, x: _attention(m, x, attn_mask=torch.zeros(32, 32))
    ),
    "attention with dropout": _over_rows(
        lambda m, x: _attention(m, x, dropout_p=0.1 if m.training else 0.0)
    ),
    "attention written out": _over_rows(_written_out_attention),
    "views of a layer's output": _over_rows(_many_views, 2),
    "a buffer filled in": _over_rows(_buffer_filled),
    "freed early": _over_rows(_freed_early, 3),
    "hooked gradient": _over_rows(_hooked, 2),
    "retained gradient": _over_rows(_retained, 2),
    "function of one's own": _over_rows(lambda m, x: m.l1(_Twice.apply(m.l0(x))), 2),
    "gradient in the forward pass": _over_rows(_grad_inside, 2),
    "checkpoint": _over_rows(lambda m, x: checkpoint(_mlp, m, m.l0(x), use_reentrant=False)),
    "reentrant checkpoint": _over_rows(
        lambda m, x: checkpoint(_mlp, m, m.l0(x), use_reentrant=True)
    ),
    "checkpoint with dropout": _over_rows(
        lambda m, x: checkpoint(
            lambda y: F.dropout(_mlp(m, y), 0.2, m.training), m.l0(x), use_reentrant=False
        )
    ),
    "checkpoint of a checkpoint": _over_rows(
        lambda m, x: checkpoint(
            lambda y: m.l3(checkpoint(_mlp, m, m.l1(y), use_reentrant=False)),
            m.l0(x),
            use_reentrant=False,
        )
    ),
    "checkpointed sequence": lambda: (
        Program(
            lambda m, x: checkpoint_sequential(m.s, 2, m.l(x), use_reentrant=False),
            l=nn.Linear(256, 256),
            s=nn.Sequential(*[nn.Sequential(nn.Linear(256, 256), nn.GELU()) for _ in range(6)]),
        ),
        (rows(),),
    ),
    "autocast": _over_rows(_half(_mlp)),
    "autocast, skips": _over_rows(_half(_skips)),
    "autocast, attention": _over_rows(_half(_attention)),
    "autocast, attention written out": _over_rows(_half(_written_out_attention)),
    "autocast, one layer thrice": _over_rows(_half(_twice_over), 1),
    "autocast, checkpoint": _over_rows(
        _half(lambda m, x: checkpoint(_mlp, m, m.l0(x), use_reentrant=False))
    ),
    "complex weights": lambda: (
        Program(
            lambda m, x: (m.l(x.to(torch.complex64))).abs(),
            l=nn.Linear(256, 256).to(torch.complex64),
        ),
        (rows(),),
    ),
    "vmap": _over_rows(lambda m, x: torch.vmap(lambda row: m.l1(m.l0(row).relu()))(x), 2),
    "weight norm": lambda: (
        nn.Sequential(
            nn.utils.parametrizations.weight_norm(nn.Linear(256, 256)),
            nn.utils.parametrizations.spectral_norm(nn.Linear(256, 256)),
            nn.utils.parametrizations.orthogonal(nn.Linear(256, 64)),
        ),
        (rows(),),
    ),
    "frozen layers": lambda: (
        nn.Sequential(
            nn.Linear(256, 256).requires_grad_(False),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, 256).requires_grad_(False),
        ),
        (rows(),),
    ),
    "a leaf's view": lambda: (
        Program(
            lambda m, x: (
                x @ m.w[:256].t() + m.w[256:].t().mean() + m.w.view(2, 256, 256)[1] @ m.w[0]
            ),
            w=nn.Parameter(torch.randn(512, 256)),
        ),
        (torch.randn(256, 256),),
    ),
    "a broadcast parameter": lambda: (
        Program(
            lambda m, x: (x * m.a + m.b).tanh() * m.c,
            a=nn.Parameter(torch.randn(256)),
            b=nn.Parameter(torch.randn(1)),
            c=nn.Parameter(torch.randn(128, 1)),
        ),
        (rows(),),
    ),
    "a table looked up twice": lambda: (
        Program(
            lambda m, i: m.e(i) * m.e(i.flip(-1)) @ m.e.weight.t(),
            e=nn.Embedding(500, 64),
        ),
        (tokens(),),
    ),
}
