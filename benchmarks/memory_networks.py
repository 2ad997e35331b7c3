"""Whole networks of kinds that the zoo has not, at a size that runs in a blink.

Each is written as its kind usually is, so that its memory is what such a program's is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Ronneberger et al. 2015: what goes down is joined on the way up."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(3, 16), _block(16, 32), _block(32, 64)])
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)]
        )
        self.join = nn.ModuleList([_block(64, 32), _block(32, 16)])
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([skips.pop(), up(x)], 1))
        return self.head(x)


class GanStep(nn.Module):
    """Goodfellow et al. 2014: the discriminator's loss, with the generator held, and its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.ConvTranspose2d(64, 64, 4), nn.BatchNorm2d(64), nn.ReLU(True),
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(True),
            nn.ConvTranspose2d(32, 3, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2, True),
            nn.Conv2d(32, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.LeakyReLU(0.2, True),
            nn.Conv2d(64, 1, 4),
        )  # fmt: skip

    def forward(self, real: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        fake = self.generator(noise)
        on_real, on_fake = self.discriminator(real), self.discriminator(fake.detach())
        loss = F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))
        loss = loss + F.binary_cross_entropy_with_logits(on_fake, torch.zeros_like(on_fake))
        judged = self.discriminator(fake)
        return loss, F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))


class GradientPenalty(nn.Module):
    """Gulrajani et al. 2017: the gradient's norm is a loss, so backward goes through backward."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU(),
            nn.Flatten(), nn.Linear(32 * 64, 1),
        )  # fmt: skip

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        share = torch.rand(real.shape[0], 1, 1, 1)
        with torch.enable_grad():
            mixed = (share * real + (1 - share) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(self.critic(mixed).sum(), mixed, create_graph=True)
        return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean() - self.critic(real).mean()


class Vae(nn.Module):
    """Kingma and Welling 2014."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 64))
        self.decoder = nn.Sequential(nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 784))

    def forward(self, x: Tensor) -> Tensor:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        rebuilt = F.binary_cross_entropy_with_logits(self.decoder(code), x, reduction="sum")
        return rebuilt - 0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum()


class VectorQuantiser(nn.Module):
    """Oord et al. 2017: the nearest code, its gradient straight through."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(3, 32, 4, 4), nn.ConvTranspose2d(32, 3, 4, 4)
        self.codes = nn.Embedding(128, 32)

    def forward(self, x: Tensor) -> Tensor:
        found = self.encoder(x).permute(0, 2, 3, 1).contiguous()
        nearest = torch.cdist(found.flatten(0, 2), self.codes.weight).argmin(1)
        code = self.codes(nearest).view_as(found)
        loss = F.mse_loss(code, found.detach()) + 0.25 * F.mse_loss(code.detach(), found)
        code = found + (code - found).detach()
        return F.mse_loss(self.decoder(code.permute(0, 3, 1, 2)), x) + loss


class TransformerXl(nn.Module):
    """Dai et al. 2019: segments in turn, each attends to the last one's states, held."""

    def __init__(self, size: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.layers = nn.ModuleList()
        for _ in range(2):
            parts = {"q": nn.Linear(size, size), "kv": nn.Linear(size, 2 * size)}
            parts |= {"out": nn.Linear(size, size), "norm": nn.LayerNorm(size)}
            parts |= {"ff": nn.Sequential(nn.Linear(size, 256), nn.GELU(), nn.Linear(256, size))}
            self.layers.append(nn.ModuleDict(parts))
        self.relative = nn.Parameter(torch.randn(heads, 32, 64) / 8)

    def forward(self, x: Tensor) -> Tensor:
        memory = [torch.zeros_like(x[:, :32]) for _ in self.layers]
        found = []
        for segment in x.split(32, 1):
            for i, layer in enumerate(self.layers):
                old, memory[i] = memory[i], segment.detach()
                segment = self._attend(layer, segment, torch.cat([old, segment], 1))
            found.append(segment)
        return torch.cat(found, 1)

    def _attend(self, layer: Any, x: Tensor, context: Tensor) -> Tensor:
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        q = split(layer["q"](x))
        k, v = map(split, layer["kv"](context).chunk(2, -1))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]) + self.relative
        mask = torch.ones(32, 64, dtype=torch.bool).triu(33)
        weights = scores.masked_fill(mask, float("-inf")).softmax(-1)
        y = layer["norm"](x + layer["out"]((weights @ v).transpose(1, 2).flatten(2)))
        return y + layer["ff"](y)


class Flow(nn.Module):
    """Kingma and Dhariwal 2018: couplings and invertible products, and their log-determinants."""

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.mixes = nn.ParameterList([torch.eye(size) + 0.01 * torch.randn(size, size)] * 1)
        self.mixes.append(torch.eye(size) + 0.01 * torch.randn(size, size))
        self.couplings = nn.ModuleList(
            nn.Sequential(nn.Linear(size // 2, 128), nn.ReLU(), nn.Linear(128, size))
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        volume = x.new_zeros(x.shape[0])
        for mix, coupling in zip(self.mixes, self.couplings, strict=True):
            x = x @ mix
            volume = volume + torch.linalg.slogdet(mix).logabsdet
            left, right = x.chunk(2, 1)
            scale, shift = coupling(left).chunk(2, 1)
            scale = torch.sigmoid(scale + 2)
            x = torch.cat([left, right * scale + shift], 1)
            volume = volume + scale.prod(1).log() + scale.cumprod(1)[:, -1].log()
        return (-0.5 * x.square().sum(1) + volume).mean()


class DiffusionBlock(nn.Module):
    """Ho et al. 2020: residual blocks told the time, self-attention over positions, skips."""

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        self.inward = nn.Conv2d(3, size, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(size, 64), nn.SiLU(), nn.Linear(64, size))
        self.norms = nn.ModuleList(nn.GroupNorm(8, size) for _ in range(4))
        self.convolutions = nn.ModuleList(nn.Conv2d(size, size, 3, padding=1) for _ in range(4))
        self.qkv, self.out = nn.Conv2d(size, 3 * size, 1), nn.Conv2d(size, size, 1)
        self.outward = nn.Conv2d(2 * size, 3, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = t[:, None] * torch.exp(torch.arange(16) * -0.5)[None]
        time = self.time(torch.cat([angles.sin(), angles.cos()], 1))[:, :, None, None]
        first = x = self.inward(x)
        for i in (0, 2):
            y = self.convolutions[i](F.silu(self.norms[i](x))) + time
            y = self.convolutions[i + 1](
                F.dropout(F.silu(self.norms[i + 1](y)), 0.1, self.training)
            )
            x = x + y
            x = x + self._attention(x)
        return self.outward(torch.cat([x, first], 1))

    def _attention(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = self.qkv(x).view(n, 3, 4, c // 4, h * w).transpose(-1, -2).unbind(1)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(-1, -2).reshape(n, c, h, w))


class Siamese(nn.Module):
    """Bromley et al. 1993: one network on two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(_block(3, 16), nn.MaxPool2d(2), _block(16, 32), nn.Flatten())
        self.head = nn.Linear(32 * 16 * 16, 64)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        a, b = self.head(self.one(left)), self.head(self.one(right))
        distance = F.pairwise_distance(a, b)
        same = torch.arange(distance.shape[0]) % 2
        return (same * distance**2 + (1 - same) * F.relu(1 - distance) ** 2).mean()


class MixtureOfExperts(nn.Module):
    """Shazeer et al. 2017, dense: every expert sees all, the two best count."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(64, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64)) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        values, chosen = self.router(x).topk(2, -1)
        gates = torch.zeros(x.shape[0], 4).scatter(-1, chosen, values.softmax(-1))
        found = torch.stack([expert(x) for expert in self.experts], 1)
        return (gates[..., None] * found).sum(1)


class RoutedExperts(MixtureOfExperts):
    """The same, each expert on the rows that chose it: the values decide the sizes."""

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(2, -1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            row, place = torch.where(chosen == i)
            out.index_add_(0, row, expert(x[row]) * weights[row, place, None])
        return out


class GraphNetwork(nn.Module):
    """Gilmer et al. 2017: messages along edges, summed by index_add, scatter_add and a mean."""

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        self.message = nn.ModuleList(nn.Linear(2 * size, size) for _ in range(3))
        self.update = nn.ModuleList(nn.GRUCell(size, size) for _ in range(3))
        self.head = nn.Linear(size, 8)

    def forward(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        for i, (message, update) in enumerate(zip(self.message, self.update, strict=True)):
            sent = message(torch.cat([x[source], x.index_select(0, target)], 1)).relu()
            if i == 0:
                got = torch.zeros_like(x).index_add(0, target, sent)
            elif i == 1:
                got = torch.zeros_like(x).scatter_add_(0, target[:, None].expand_as(sent), sent)
            else:
                got = torch.zeros_like(x).scatter_reduce(
                    0, target[:, None].expand_as(sent), sent, "mean", include_self=False
                )
            x = update(got, x)
        return self.head(x)


class GraphAttention(nn.Module):
    """Velickovic et al. 2018: a softmax over each node's edges."""

    def __init__(self, size: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(size, size)
        self.a, self.b = (nn.Parameter(torch.randn(heads, size // heads)) for _ in range(2))

    def forward(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        h = self.inward(x).unflatten(1, (self.heads, -1))
        score = F.leaky_relu((h * self.a).sum(-1)[source] + (h * self.b).sum(-1)[target], 0.2)
        index = target[:, None].expand_as(score)
        most = torch.full((x.shape[0], self.heads), -1e9).scatter_reduce(0, index, score, "amax")
        share = (score - most[target]).exp()
        total = torch.zeros(x.shape[0], self.heads).scatter_add(0, index, share)
        share = share / (total[target] + 1e-9)
        return torch.zeros_like(h).index_add_(0, target, share[..., None] * h[source]).flatten(1)


class NeuralOde(nn.Module):
    """Chen et al. 2018, by steps of Runge and Kutta through which autograd goes."""

    def __init__(self) -> None:
        super().__init__()
        self.field = nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 64))

    def forward(self, x: Tensor) -> Tensor:
        h = 0.25
        for _ in range(4):
            k1 = self.field(x)
            k2 = self.field(x + h / 2 * k1)
            k3 = self.field(x + h / 2 * k2)
            k4 = self.field(x + h * k3)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return x


class Capsules(nn.Module):
    """Sabour et al. 2017: routing by agreement."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 5, 4)
        self.w = nn.Parameter(torch.randn(10, 196, 8, 8) / 8)

    def forward(self, x: Tensor) -> Tensor:
        u = self._squash(self.first(x).view(x.shape[0], -1, 8))[:, :196]
        votes = torch.einsum("bid,jide->bjie", u, self.w)
        logits = torch.zeros(x.shape[0], 10, 196)
        for _ in range(3):
            v = self._squash((logits.softmax(1)[..., None] * votes).sum(2))
            logits = logits + (votes * v[:, :, None]).sum(-1)
        return v.norm(dim=-1)

    @staticmethod
    def _squash(x: Tensor) -> Tensor:
        square = x.square().sum(-1, keepdim=True)
        return square / (1 + square) * x / (square + 1e-8).sqrt()


class PointNet(nn.Module):
    """Qi et al. 2017: a transform of the points, shared layers, the largest over all points."""

    def __init__(self) -> None:
        super().__init__()
        self.transform = nn.Sequential(nn.Conv1d(3, 32, 1), nn.BatchNorm1d(32), nn.ReLU())
        self.matrix = nn.Linear(32, 9)
        self.shared = nn.Sequential(nn.Conv1d(3, 64, 1), nn.BatchNorm1d(64), nn.ReLU())
        self.wide = nn.Sequential(nn.Conv1d(64, 128, 1), nn.BatchNorm1d(128))
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        matrix = self.matrix(self.transform(x).max(2).values).view(-1, 3, 3) + torch.eye(3)
        x = torch.bmm(x.transpose(1, 2), matrix).transpose(1, 2)
        return F.log_softmax(self.head(self.wide(self.shared(x)).amax(2)), 1)


class Seq2Seq(nn.Module):
    """Bahdanau et al. 2015, cell by cell, with attention written out."""

    def __init__(self, size: int = 48) -> None:
        super().__init__()
        self.table = nn.Embedding(200, size)
        self.encoder, self.decoder = nn.GRUCell(size, size), nn.GRUCell(2 * size, size)
        self.query, self.key = nn.Linear(size, size), nn.Linear(size, size)
        self.score, self.head = nn.Linear(size, 1), nn.Linear(size, 200)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        state = torch.zeros(source.shape[0], 48)
        states = []
        for word in self.table(source).unbind(1):
            state = self.encoder(word, state)
            states.append(state)
        memory = torch.stack(states, 1)
        found = []
        for word in self.table(target).unbind(1):
            energy = self.score(torch.tanh(self.key(memory) + self.query(state)[:, None]))
            context = (energy.softmax(1) * memory).sum(1)
            state = self.decoder(torch.cat([word, context], 1), state)
            found.append(self.head(state))
        return F.cross_entropy(torch.stack(found, 1).flatten(0, 1), target.flatten())


class StateSpace(nn.Module):
    """Gu and Dao 2023, step by step: a recurrence whose coefficients the input chooses."""

    def __init__(self, size: int = 64, state: int = 8) -> None:
        super().__init__()
        self.inward, self.outward = nn.Linear(size, 2 * size), nn.Linear(size, size)
        self.convolution = nn.Conv1d(size, size, 4, padding=3, groups=size)
        self.choose = nn.Linear(size, 2 * state + 1)
        self.log_a = nn.Parameter(torch.randn(size, state))

    def forward(self, u: Tensor) -> Tensor:
        x, gate = self.inward(u).chunk(2, -1)
        x = F.silu(self.convolution(x.transpose(1, 2))[..., : u.shape[1]].transpose(1, 2))
        b, c, delta = self.choose(x).split([8, 8, 1], -1)
        delta = F.softplus(delta)
        decay = torch.exp(delta[..., None] * -self.log_a.exp())
        given = (delta * x)[..., None] * b[:, :, None]
        state, found = torch.zeros_like(given[:, 0]), []
        for t in range(u.shape[1]):
            state = decay[:, t] * state + given[:, t]
            found.append((state * c[:, t, None]).sum(-1))
        return self.outward(torch.stack(found, 1) * F.silu(gate))


class RadianceField(nn.Module):
    """Mildenhall et al. 2020: points along rays, encoded, and light composed by cumprod."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.last = nn.Sequential(nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, origin: Tensor, direction: Tensor) -> Tensor:
        depth = torch.linspace(0, 1, 24)
        points = origin[:, None] + direction[:, None] * depth[:, None]
        angles = points[..., None] * 2.0 ** torch.arange(6)
        code = torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)
        colour, density = self.last(torch.cat([self.first(code), code], -1)).split([3, 1], -1)
        alpha = 1 - torch.exp(-F.relu(density[..., 0]) / 24)
        clear = torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10], 1).cumprod(1)[:, :-1]
        return ((alpha * clear)[..., None] * colour.sigmoid()).sum(1)


class HyperNetwork(nn.Module):
    """Ha et al. 2017: one network makes another's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(4, 16))
        self.maker = nn.Linear(16, 64 * 64)

    def forward(self, x: Tensor) -> Tensor:
        for weight in self.maker(self.code).view(4, 64, 64):
            x = F.relu(F.linear(x, weight)) + x
        return x


class Contrastive(nn.Module):
    """Chen et al. 2020: every pair of a batch compared, itself left out."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(256, 128), nn.BatchNorm1d(128), nn.ReLU())
        self.head = nn.Linear(128, 64)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        z = F.normalize(self.head(self.body(torch.cat([a, b]))), dim=1)
        similar = z @ z.t() / 0.1
        similar.fill_diagonal_(float("-inf"))
        return F.cross_entropy(similar, torch.arange(z.shape[0]).roll(a.shape[0]))


class MaskedAutoencoder(nn.Module):
    """He et al. 2022: a part of the patches by argsort of noise, put back by gather."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 64, 4, 4)
        self.position = nn.Parameter(torch.randn(1, 64, 64))
        self.token = nn.Parameter(torch.zeros(1, 1, 64))
        layer = {"dim_feedforward": 128, "batch_first": True, "norm_first": True, "dropout": 0.0}
        self.encoder = nn.TransformerEncoderLayer(64, 4, **layer)  # type: ignore[arg-type]
        self.decoder = nn.TransformerEncoderLayer(64, 4, **layer)  # type: ignore[arg-type]
        self.head = nn.Linear(64, 48)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patch(x).flatten(2).transpose(1, 2) + self.position
        order = torch.rand(y.shape[:2]).argsort(1)
        back = order.argsort(1)
        kept = y.gather(1, order[:, :16, None].expand(-1, -1, 64))
        kept = self.encoder(kept)
        filled = torch.cat([kept, self.token.expand(y.shape[0], 48, 64)], 1)
        filled = filled.gather(1, back[..., None].expand_as(filled))
        return F.mse_loss(self.head(self.decoder(filled)), F.unfold(x, 4, stride=4).transpose(1, 2))


def _images(size: int = 32, batch: int = 4) -> Tensor:
    return torch.randn(batch, 3, size, size)


def _edges(nodes: int = 500, edges: int = 4000) -> tuple[Tensor, Tensor, Tensor]:
    ends = torch.randint(nodes, (2, edges), generator=torch.Generator().manual_seed(0))
    return torch.randn(nodes, 32), ends[0], ends[1]


def _words(length: int = 24) -> Tensor:
    return torch.randint(200, (16, length))


NETWORKS: dict[str, Callable[[], tuple[nn.Module, tuple[Any, ...]]]] = {
    "U-Net": lambda: (UNet(), (_images(64),)),
    "GAN step": lambda: (GanStep(), (_images(16, 8), torch.randn(8, 64, 1, 1))),
    "gradient penalty": lambda: (GradientPenalty(), (_images(), _images())),
    "VAE": lambda: (Vae(), (torch.rand(64, 784),)),
    "vector quantiser": lambda: (VectorQuantiser(), (_images(),)),
    "Transformer-XL": lambda: (TransformerXl(), (torch.randn(4, 128, 64),)),
    "normalising flow": lambda: (Flow(), (torch.randn(256, 64),)),
    "diffusion block": lambda: (DiffusionBlock(), (_images(16), torch.rand(4))),
    "siamese": lambda: (Siamese(), (_images(), _images())),
    "mixture of experts": lambda: (MixtureOfExperts(), (torch.randn(256, 64),)),
    "routed experts": lambda: (RoutedExperts(), (torch.randn(256, 64),)),
    "graph network": lambda: (GraphNetwork(), _edges()),
    "graph attention": lambda: (GraphAttention(), _edges()),
    "neural ODE": lambda: (NeuralOde(), (torch.randn(256, 64),)),
    "capsules": lambda: (Capsules(), (_images(32),)),
    "PointNet": lambda: (PointNet(), (torch.randn(8, 3, 256),)),
    "sequence to sequence": lambda: (Seq2Seq(), (_words(), _words())),
    "state space": lambda: (StateSpace(), (torch.randn(8, 24, 64),)),
    "radiance field": lambda: (RadianceField(), (torch.randn(64, 3), torch.randn(64, 3))),
    "hypernetwork": lambda: (HyperNetwork(), (torch.randn(256, 64),)),
    "contrastive": lambda: (Contrastive(), (torch.randn(128, 256), torch.randn(128, 256))),
    "masked autoencoder": lambda: (MaskedAutoencoder(), (_images(),)),
}
