"""Frames of comparisons that no network was analysed for: what a picture is given, made up."""

import numpy as np
import pandas as pd

FAMILIES = ("resnet", "vgg", "inception", "convnext", "vision_transformer", "a-new-one", "another")


def comparison(number: int, seed: int = 0, protocols: tuple[str, ...] = ("single-crop",)):
    """So many networks: more operations give more accuracy, on the whole."""
    random = np.random.default_rng(seed)
    macs = 10 ** random.uniform(8, 11, number)
    params = 10 ** (6.2 + 0.6 * np.log10(macs / 1e8) + random.normal(0, 0.3, number))
    top1 = 84 - 30 * np.exp(-0.8 * (np.log10(macs) - 7.6)) + random.normal(0, 2.5, number)
    families = [FAMILIES[i % len(FAMILIES)] for i in range(number)]
    return pd.DataFrame(
        {
            "model": [f"{family}_{i}" for i, family in enumerate(families)],
            "family": families,
            "source": "zoo",
            "year": pd.array(random.integers(2012, 2025, number), dtype="Int64"),
            "batch": 1,
            "input_shape": [(1, 3, 224, 224)] * number,
            "dtype": "float32",
            "params": params.astype("int64"),
            "weight_bytes": 4 * params.astype("int64"),
            "macs": macs.astype("int64"),
            "flops": (2.1 * macs).astype("int64"),
            "peak_bytes": (1.3 * 4 * params + 30e6 * random.uniform(0.5, 2, number)).astype(
                "int64"
            ),
            "depth": random.integers(8, 200, number),
            "mean_path": random.uniform(5, 90, number),
            "effective_depth": random.uniform(5, 40, number),
            "top1": top1,
            "protocol": [protocols[i % len(protocols)] for i in range(number)],
            "accuracy_source": "table.csv",
            "top1_per_mparams": top1 / (params / 1e6),
            "status": "ok",
        }
    )


def of_many_families(number: int = 300, families: int = 44):
    """As many networks of as many families as a zoo has, with names of its length."""
    frame = comparison(number, 1)
    frame["family"] = [
        f"family{'_of_networks'[: i % families % 12]}{i % families}" for i in range(number)
    ]
    frame["model"] = [f"{family}_{i}" for i, family in enumerate(frame["family"])]
    return frame


def measured(number: int, batches=(1, 2, 4, 8, 16, 32, 64), seed: int = 0):
    """A row per network and batch size, with made-up times and powers."""
    random = np.random.default_rng(seed)
    frames = []
    for batch in batches:
        frame = comparison(number, seed)
        for column in ("macs", "flops", "peak_bytes"):
            frame[column] = frame[column] * batch
        frame["batch"] = batch
        time = frame["flops"] / 1e9 * (1 + 4 / batch) * random.uniform(0.8, 1.3, number)
        frame["latency_ms_p50"] = time
        frame["throughput_per_s"] = 1000 * batch / time
        frame["power_w"] = random.normal(180, 6, number)
        frame["idle_power_w"] = 60.0
        frame["device_title"], frame["torch"], frame["date"] = "Some GPU", "2.13.0", "2026-11-20"
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
