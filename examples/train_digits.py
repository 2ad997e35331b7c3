"""Train plain and residual networks on scikit-learn's handwritten digits, on a CPU in minutes.

    pip install "archscope[examples]"
    python examples/train_digits.py -o digits

The networks are those of He et al. (2015), section 4.2: 6n + 2 weight layers, with shortcuts or
without. The data are 1,797 real images of 8x8, bundled with scikit-learn. What comes out shows
degradation (a deeper plain network has a larger *training* error) and the effective depth before
and after training:

    digits/digits.npz           test images and labels
    digits/plain56.pt           weights, one file for each network
    digits/results.csv          a row for each network

    archscope depth resnet56-cifar --gradient \\
        --checkpoint digits/resnet56.pt --data digits/digits.npz
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import archscope
from archscope.models.catalog import build

KINDS = ("plain", "resnet")
BATCH = 64
PEAK_RATE = 0.05


def main() -> None:
    arguments = read_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    images, labels = digits()
    train, test = split(len(images))
    np.savez(
        arguments.output / "digits.npz", images=images[test].numpy(), labels=labels[test].numpy()
    )
    rows = []
    for depth in arguments.depths:
        for kind in KINDS:
            torch.manual_seed(arguments.seed)
            model = build(f"{kind}20-cifar", depth=depth)
            before = effective_depth(model, images[test], labels[test])
            fit(model, images[train], labels[train], arguments.epochs, f"{kind}{depth}")
            torch.save(model.state_dict(), arguments.output / f"{kind}{depth}.pt")
            rows.append(
                {
                    "network": f"{kind}{depth}",
                    "depth": depth,
                    "train_error": error(model, images[train], labels[train]),
                    "test_error": error(model, images[test], labels[test]),
                    "effective_depth_before": before,
                    "effective_depth_after": effective_depth(model, images[test], labels[test]),
                }
            )
            pd.DataFrame(rows).to_csv(arguments.output / "results.csv", index=False)
    print(pd.DataFrame(rows).round(3).to_string(index=False))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train plain and residual networks on digits.")
    parser.add_argument("-o", "--output", type=Path, default=Path("digits"))
    parser.add_argument("--depths", type=int, nargs="+", default=[8, 14, 20, 32, 44, 56])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def digits() -> tuple[Tensor, Tensor]:
    """Images (N, 3, 8, 8) with mean 0 and deviation 1, and labels (N,)."""
    bunch = load_digits()
    grey = torch.tensor(bunch.images, dtype=torch.float32)  # (N, 8, 8)
    grey = (grey - grey.mean()) / grey.std()
    return grey[:, None].repeat(1, 3, 1, 1), torch.tensor(bunch.target)


def split(number: int) -> tuple[Tensor, Tensor]:
    """Four fifths to train on and one to test."""
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    return order[: number * 4 // 5], order[number * 4 // 5 :]


def fit(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, name: str) -> None:
    """SGD with momentum, the learning rate rising over an epoch and falling along a cosine."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), PEAK_RATE, momentum=0.9, weight_decay=1e-4)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_RATE, total_steps=steps, pct_start=1 / epochs
    )
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        total = 0.0
        for rows in torch.randperm(len(images)).split(BATCH):
            if len(rows) < BATCH:
                continue
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - start
        mean = total / (len(images) // BATCH)
        print(f"{name}: epoch {epoch} of {epochs}, loss {mean:.3f}, {seconds:.0f} s", flush=True)


@torch.no_grad()
def error(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of wrong answers."""
    model.eval()
    return float((model(images).argmax(1) != labels).float().mean())


def effective_depth(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The gradient-weighted mean path length over eight samples."""
    measured = archscope.gradient_paths(model, images, labels, samples=8)
    return measured.attrs["effective_depth"]


if __name__ == "__main__":
    main()
