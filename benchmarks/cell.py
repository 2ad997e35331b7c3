"""One measurement in a process of its own: one counter on one model.

    python -m benchmarks.cell SUBJECT WAY

Prints the seconds of the call alone and the highest resident memory that the process ever had, as
JSON. Building the model is over by then, and so are the imports, of which torch and the tools do
some at first use.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks import counters

Subject = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]

# A counter that asks for more than this fails, and takes nobody else's memory with it.
MEMORY_LIMIT_BYTES = 12 << 30


def zoo(name: str) -> Subject:
    from archscope import models

    channels, height, width = map(int, models.find(name).input)
    return models.build(name), (torch.empty(1, channels, height, width),), {}


def lstm(steps: int) -> Subject:
    return nn.LSTM(128, 256), (torch.empty(steps, 1, 128),), {}


def language_model(family: str, **options: int) -> Subject:
    """A transformers model from its configuration alone: no weights, no download.

    It is given its mask, since to make one it would read the values of the positions, which a
    tensor on meta has none of: the floor and most counters could not run.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    length = 128
    config = AutoConfig.for_model(family, use_cache=False, **options)
    tokens = torch.zeros(1, length, dtype=torch.long)
    mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
    return AutoModelForCausalLM.from_config(config), (tokens,), {"attention_mask": mask}


LLAMA_7B = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
}
LLAMA_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}

SUBJECTS: dict[str, Callable[[], Subject]] = {
    **{
        name: partial(zoo, name)
        for name in ("alexnet", "vgg16", "resnet50", "resnet152", "inception-v4")
    },
    "LSTM T=100": partial(lstm, 100),
    "LSTM T=10000": partial(lstm, 10_000),
    "GPT-2": partial(language_model, "gpt2"),
    "Llama-7B": partial(language_model, "llama", **LLAMA_7B),
    "Llama-70B": partial(language_model, "llama", **LLAMA_70B),
}
WITHOUT_WEIGHTS = {"GPT-2", "Llama-7B", "Llama-70B"}


Call = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], Any]


def forward() -> Call:
    return lambda module, args, kwargs: module(*args, **kwargs)


def archscope_trace() -> Call:
    import archscope

    return lambda module, args, kwargs: archscope.trace(module, args, kwargs=kwargs)


def archscope_analyze() -> Call:
    import archscope

    def analyze(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        report = archscope.analyze(module, inputs=args, kwargs=kwargs)
        return report.totals, report.layers

    return analyze


FLOOR = "forward, meta"
REFERENCE = "FlopCounterMode, meta"

# What is called, and on which device its model is built.
WAYS: dict[str, tuple[str, Callable[[], Call]]] = {
    FLOOR: ("meta", forward),
    "archscope trace": ("meta", archscope_trace),
    "archscope analyze": ("meta", archscope_analyze),
    REFERENCE: ("meta", counters.LOADERS["FlopCounterMode"]),
    "forward, cpu": ("cpu", forward),
    "FlopCounterMode, cpu": ("cpu", counters.LOADERS["FlopCounterMode"]),
    **{
        name: ("cpu", loader)
        for name, loader in counters.LOADERS.items()
        if name not in ("archscope", "FlopCounterMode")
    },
}


def device_of(subject: str, way: str) -> str | None:
    """Where a model is built for a way to count it; None where that would need its weights."""
    device, loader = WAYS[way]
    if subject not in WITHOUT_WEIGHTS or device == "meta":
        return device
    return None if loader in (forward, counters.LOADERS["FlopCounterMode"]) else "meta"


def peak_rss_mib() -> float:
    """The process's own high-water mark: getrusage's would include the parent's before exec."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def import_the_rest(counter: Call) -> None:
    """Import what torch and the tool import at first use, by running them on something tiny.

    Alone for meta's shape functions or a dispatch mode, torch imports sympy: a second.
    """
    tiny = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.MaxPool2d(1)).eval()
    counter(tiny, (torch.ones(1, 1, 1, 1),), {})
    tiny.to("meta")(torch.ones(1, 1, 1, 1, device="meta"))


def main(subject: str, way: str) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a counter prints is no answer
    counters.let_torchvision_be_imported()
    counter = WAYS[way][1]()
    device = device_of(subject, way)
    assert device is not None, f"{way} needs the weights of {subject}"
    with torch.device(device):
        module, args, kwargs = SUBJECTS[subject]()
    module.eval()
    with torch.no_grad():
        import_the_rest(counter)
        start = time.perf_counter()
        counter(module, args, kwargs)
        seconds = time.perf_counter() - start
    json.dump({"seconds": seconds, "peak_rss_mib": peak_rss_mib()}, answer)
    answer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
