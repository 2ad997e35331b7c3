"""Every model type of transformers, analysed and compared with torch's own counter.

    python -m benchmarks.hf_coverage [--heads] [--workers 2] [PATTERN...]

Each type is built without weights from its default configuration, with the entries that it has no
default for (``GIVEN``) and no more than four layers of a stack, whose others are the same again. It
is traced on shapes and counted by torch's FlopCounterMode, on the meta device or else, if weights
and operations are few, on the CPU. ``--heads`` takes each type with every task that transformers
has for it. As in ``zoo_coverage`` a row is written as soon as it is there,
and ``explained_differences.csv`` says why counts differ.

A row also says what should never be: a model that its analysis has changed, a peak below what is
held at the end, no depth in spite of products. Exits 1 if there is such a row, if a model failed
and ``REASONS`` has none for it, or if a difference is not explained.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import Any
from unittest.mock import patch

import click
import pandas as pd
import torch
from torch import nn

from archscope.errors import ArchscopeError
from benchmarks.results import conditions, markdown
from benchmarks.zoo_coverage import (
    COLUMNS,
    Files,
    differs,
    explanation,
    sweep,
    sweep_options,
    work,
)

FILES = Files("inference", "hf_coverage", "layers torch_ran_on torch_error residue")
FEW_BYTES = 1 << 30  # of weights that torch may count on data
FEW_MACS = 100 * 10**9
FEW_LAYERS = 4
LAYERS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "depth"),
    *("decoder_layers", "num_decoder_layers", "num_encoder_layers"),
)


def _of_width(width: int, kind: str) -> dict[str, Any]:
    return {"vision_config": {"model_type": kind, "out_hidden_size": width}}


# Entries without which a configuration cannot be made.
_HALF_ROTATED = {
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [8, 12, 12],
        "partial_rotary_factor": 0.5,
    }
}
_PREDICTION = {"prediction_length": 24}
_DECODER = {"model_type": "gpt2", "add_cross_attention": True, "is_decoder": True}
_IMAGE_TO_TEXT = {"encoder": {"model_type": "vit"}, "decoder": _DECODER}
_DIVISIBLE = {
    "vision_config": {"model_type": "siglip_vision_model", "image_size": 256},
    "text_config": {"model_type": "modernbert", "vocab_size": 50432},
}
GIVEN: dict[str, dict[str, Any]] = {
    "autoformer": _PREDICTION,
    "informer": _PREDICTION,
    "time_series_transformer": _PREDICTION,
    "aya_vision": {"vision_config": {"model_type": "siglip_vision_model"}},
    "blip-2": {"image_token_index": 50265},
    "instructblip": {"image_token_index": 50265},
    "instructblipvideo": {"video_token_index": 50265},
    "idefics3": {"vision_config": {"model_type": "idefics3_vision", "image_size": 256}},
    "smolvlm": {"vision_config": {"model_type": "smolvlm_vision", "image_size": 256}},
    "modernvbert": _DIVISIBLE,
    "colmodernvbert": {"vlm_config": {"model_type": "modernvbert", **_DIVISIBLE}},
    "gemma3": {
        "vision_config": {"model_type": "siglip_vision_model", "image_size": 896, "patch_size": 14}
    },
    "esm": {"vocab_size": 33},
    "dbrx": {"attn_config": {"rope_theta": 500000.0, "kv_n_heads": 8}},
    "dots1": {"n_routed_experts": 128, "num_experts_per_tok": 6},
    # Encoders whose features are by default of another width than the text.
    "qwen2_vl": {"vision_config": {"model_type": "qwen2_vl_vision", "hidden_size": 8192}},
    "qwen2_5_vl": _of_width(8192, "qwen2_5_vl_vision"),
    "qwen3_5": _of_width(4096, "qwen3_5_vision"),
    "qwen3_5_moe": _of_width(2048, "qwen3_5_moe_vision"),
    "qwen3_vl": _of_width(4096, "qwen3_vl_vision"),
    "qwen3_vl_moe": _of_width(2048, "qwen3_vl_moe_vision"),
    "qwen4_exp": _of_width(2048, "qwen4_exp_vision"),
    "cosmos3_omni": _of_width(4096, "qwen3_vl_vision"),
    "exaone4_5": _of_width(4096, "exaone4_5_vision"),
    "glm_ocr": _of_width(1024, "glm_ocr_vision"),
    "glm4v": {"text_config": {"model_type": "glm4v_text", **_HALF_ROTATED}},
    "glm4v_text": _HALF_ROTATED,
    "glm46v": {"text_config": {"model_type": "glm4v_text", **_HALF_ROTATED}},
    "glmga": {"text_config": {"model_type": "glm4v_text", **_HALF_ROTATED}},
    "glm_image_text": _HALF_ROTATED,
    "step3p5": {"sliding_window": 512},
    "step3p7": {"text_config": {"model_type": "step3p5", "sliding_window": 512}},
    "voxtral": {"audio_token_id": 24},
    "xmod": {"default_language": "en_XX"},
    "bamba": {"attn_layer_indices": [1, 3]},
    "deepseek_v2": {"n_routed_experts": 64, "num_experts_per_tok": 6},
    "janus": {"vision_config": {"model_type": "janus_vision_model", "projection_dim": 4096}},
    "encoder-decoder": {"encoder": {"model_type": "bert"}, "decoder": {"model_type": "bert"}},
    "vision-encoder-decoder": _IMAGE_TO_TEXT,
    "speech-encoder-decoder": {**_IMAGE_TO_TEXT, "encoder": {"model_type": "wav2vec2"}},
    "vision-text-dual-encoder": {
        "vision_config": {"model_type": "vit"},
        "text_config": {"model_type": "bert"},
    },
}


def references(heads: bool, patterns: tuple[str, ...]) -> list[str]:
    """``hf:TYPE`` for every model type, or ``hf:TYPE TASK`` for each of its tasks."""
    from archscope.sources import expand

    found = expand(patterns or ("hf:*",))
    return [f"{name} {task}" for name in found for task in tasks(name)] if heads else found


def tasks(reference: str) -> Iterator[str]:
    """What transformers has a head for, of a type: ``CausalLM`` and so on."""
    from archscope.sources.packages import optional

    transformers = optional("transformers")
    kind = transformers.CONFIG_MAPPING[reference.removeprefix("hf:")]
    for name in dir(transformers):
        if name.startswith("AutoModelFor") and kind in getattr(transformers, name)._model_mapping:
            yield name.removeprefix("AutoModelFor")


def read(reference: str) -> tuple[str, dict[str, Any]]:
    """A reference of this benchmark as archscope's, with its options."""
    name, _, task = reference.partition(" ")
    given = dict(GIVEN.get(name.removeprefix("hf:"), {}))
    return name, ({**given, "task": task} if task else given)


# -- one model -------------------------------------------------------------------------------------


def analysed(reference: str, mode: str = "inference") -> dict[str, Any]:
    """One row of the table."""
    from archscope.analysis import analyze
    from archscope.sources import resolve

    name, given = read(reference)
    for options in (few_layers_of(name, given), given):
        subject = None
        try:
            subject = resolve(name, options=options)
            before = state_of(subject.model)
            began = time.perf_counter()
            report = analyze(
                subject.model, subject.inputs or None, kwargs=dict(subject.kwargs), mode=mode
            )
            break
        except ArchscopeError as error:
            if options is not given:
                continue  # some do not work with few layers
            if subject is not None and raises_alone(subject, error):
                raise RaisedByTransformers(str(error)) from error
            raise
    sums = report.sums
    seconds = time.perf_counter() - began
    row = {column: sums[column] for column in COLUMNS.split() if column in sums}
    row |= {
        "reference": reference,
        "layers": "default" if options == given else "few",
        "input": " ".join("x".join(map(str, shape)) for _, shape, _ in report.trace.inputs),
        "ran_on": report.trace.ran_on,
        "ops": len(report.trace.ops),
        "seconds": round(seconds, 3),
        "residue": " ".join(changed(before, state_of(subject.model))),
    }
    return row | compared(name, options, subject, sums["macs"])


class RaisedByTransformers(Exception):
    """A model that raises the same without archscope, on the meta device."""


def raises_alone(subject: Any, error: ArchscopeError) -> bool:
    """Whether a model raises what an analysis says when it is called with the same inputs."""
    try:
        counted_by_torch(subject, on_meta, unchecked=False)
    except Exception as raised:
        return type(raised).__name__ in str(error)
    return False


def few_layers_of(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a subject with few layers."""
    from archscope.sources.huggingface import configuration

    entries = {key: value for key, value in options.items() if key != "task"}
    return {**options, **few_layers(configuration(name.removeprefix("hf:"), entries).to_dict())}


def few_layers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Entries that leave a configuration few layers, in its parts too."""
    counts = {config[name] for name in LAYERS if isinstance(config.get(name), int)}
    changes: dict[str, Any] = {}
    for name, value in config.items():
        if name in LAYERS and isinstance(value, int) and value > FEW_LAYERS:
            changes[name] = FEW_LAYERS
        elif isinstance(value, Mapping) and "model_type" in value and few_layers(value):
            changes[name] = {**value, **few_layers(value)}
        elif isinstance(value, list) and len(value) in counts and len(value) > FEW_LAYERS:
            changes[name] = value[:FEW_LAYERS]
    return changes


def state_of(model: nn.Module) -> dict[str, Any]:
    """What an analysis must leave as it was."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    state: dict[str, Any] = {
        name: (id(tensor), tensor._version, tensor.requires_grad, tensor.grad is None)
        for name, tensor in tensors.items()
    }
    state |= {f"{path}.": (m.training, frozenset(vars(m))) for path, m in model.named_modules()}
    state["random numbers"] = torch.random.get_rng_state().tolist()
    return state


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of what is not as it was."""
    return sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))[:5]


def compared(name: str, options: dict[str, Any], subject: Any, macs: int) -> dict[str, Any]:
    """What FlopCounterMode counts, and on what it ran."""
    from archscope.sources import resolve

    def on_data() -> int:
        refuse_if_large(subject.model, macs)
        return counted_by_torch(resolve(name, options=options, real=True), on_cpu)

    ways: dict[str, Callable[[], int]] = {
        "shapes": lambda: counted_by_torch(subject, on_meta),
        "data": on_data,
    }
    errors = []
    for ran_on, count in ways.items():
        began = time.perf_counter()
        try:
            counted = count()
        except Exception as error:
            errors.append(f"{ran_on}: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
            continue
        seconds = round(time.perf_counter() - began, 3)
        return {"torch_macs": counted, "torch_ran_on": ran_on, "torch_seconds": seconds}
    return {"torch_error": "; ".join(errors)}


def counted_by_torch(subject: Any, prepare: Callable[[Any], Any], *, unchecked: bool = True) -> int:
    """The MACs that torch's FlopCounterMode finds.

    It has no formula for grouped products, and torch no form of them for shapes in float32, so the
    experts of a mixture take transformers' other way, a batched product of every token's weights.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    model = subject.model.eval().requires_grad_(False)
    if any(hasattr(module, "num_experts") for module in model.modules()):
        model.set_experts_implementation("batched_mm")
    inputs, kwargs = prepare((subject.inputs, dict(subject.kwargs)))
    # transformers' own checks read values.
    checks = patch.dict(os.environ, TRANSFORMERS_DISABLE_TORCH_CHECK=str(int(unchecked)))
    # Its formulas for attention are those of GPUs' kernels.
    unfused = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), checks, unfused, FlopCounterMode(display=False) as counter:
        model(*inputs, **kwargs)
    return counter.get_total_flops() // 2


def on_meta(inputs: Any) -> Any:
    """Inputs on the meta device, whole numbers too: torch mixes no devices."""
    from torch.utils._pytree import tree_map_only

    return tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), on_cpu(inputs))


def on_cpu(inputs: Any) -> Any:
    """Inputs with the values that archscope gives them where it needs some."""
    from archscope.trace.inputs import on_cpu, with_dtype

    return on_cpu(with_dtype(inputs, torch.float32))


def refuse_if_large(model: nn.Module, macs: int) -> None:
    """Raise ``ValueError`` for what this machine would count on data too long."""
    held = sum(p.numel() * p.itemsize for p in model.parameters())
    if held > FEW_BYTES or macs > FEW_MACS:
        raise ValueError(f"{held / 2**30:.1f} GiB of weights, {macs / 1e9:.0f} GMACs: too large")


# -- all of them -----------------------------------------------------------------------------------

# Why a type is not analysed: patterns of its reference and of the error, and what it means.
_UNBUILDABLE = "transformers cannot build its default configuration"
_UNFIT = "the parts of its default configuration do not fit"
_UNKNOWN = "what its processor makes of an image or a sound is not reproduced"
_FOREIGN = "reads what another part makes, or an object, such as a video session"
REASONS = (
    ("*", "*part of other models*", "a part for which transformers has no model of its own"),
    ("*", "*a module needs inputs*", _FOREIGN),
    ("*", "*ImportError*", "needs a package that is not installed"),
    ("*", "*requires the*", "needs a package that is not installed"),
    ("*", "*cannot be built*", _UNBUILDABLE),
    ("*", "*no configuration of*", _UNBUILDABLE),
    ("*", "*validation error*", _UNBUILDABLE),
    ("*", "*must be run on data*", "asks for values in its forward, and its weights do not fit"),
    (
        "*",
        "*ran out of memory on data*",
        "asks for values in its forward, and its weights do not fit",
    ),
    ("hf:moshi_depth", "*", _FOREIGN),
    ("hf:glm4v_moe", "*split_with_sizes*", _UNFIT),
    ("hf:lw_detr", "*", _UNFIT),
    ("hf:pp_doclayout_v2", "*", _UNFIT),
    ("hf:dots3_note", "*", _UNKNOWN),
    ("hf:gemma3n", "*", _UNKNOWN),
    ("hf:glm_image", "*", _UNKNOWN),
    ("hf:inkling2*", "*", _UNKNOWN),
    ("hf:moss_transcribe_diarize", "*", _UNKNOWN),
    ("hf:musicflamingo", "*", _UNKNOWN),
    ("hf:qwen2_audio", "*", _UNKNOWN),
    ("*", "RaisedByTransformers*", "raises the same without archscope"),
)


def failed_because(row: Mapping[str, str]) -> str:
    """Why a model failed, as far as that is known; empty where it did not."""
    if not row["error"]:
        return ""
    if re.search(r"tokens: (\d+), features: \1$", row["error"]):
        return "its default encoder's features are of another width than its text"
    for pattern, error, why in REASONS:
        if fnmatchcase(row["reference"], pattern) and fnmatchcase(row["error"], error):
            return why
    return ""


def nonsense(row: Mapping[str, str]) -> list[str]:
    """What a row says that cannot be."""
    found = []
    if float(row["coverage"]) < 1:
        found.append(f"coverage {row['coverage']}")
    if int(row["peak_bytes"]) < 4 * int(row["params"]) * 0.99:
        found.append(f"a peak of {row['peak_bytes']} bytes, below its weights")
    if int(row["macs"]) and not int(row["depth"]):
        found.append("no depth")
    if row["residue"]:
        found.append(f"changed: {row['residue']}")
    return found


def summarise(rows: dict[str, dict[str, str]]) -> bool:
    """Print and write what came out; whether everything is analysed and explained."""
    groups = {
        "model types": [row for row in rows.values() if " " not in row["reference"]],
        "with a task's head": [row for row in rows.values() if " " in row["reference"]],
    }
    frame = pd.DataFrame({name: counts(found) for name, found in groups.items() if found})
    complaints = [line for row in rows.values() for line in complaints_about(row)]
    text = (
        "# Coverage of transformers\n\nEvery model type, from its default configuration with no "
        "more than four layers of a stack, without weights, batch 1, inference; counts in MACs. "
        "Every model was as before after its analysis. The rows are in "
        f"`{FILES.table.name}`, the reasons for differences in `../explained_differences.csv`.\n\n"
        f"Conditions: {conditions(()).removesuffix('; .')}; "
        f"transformers {version('transformers')}.\n\n"
        f"{markdown(frame.astype(str).rename_axis(''))}\n"
        f"Not analysed:\n\n{listed(rows, failed_because)}\n"
        f"Different:\n\n{listed(rows, differs_because)}\n"
        f"Not counted by FlopCounterMode:\n\n{listed(rows, uncounted_because)}"
    )
    click.echo(text)
    for complaint in complaints:
        click.echo(complaint)
    FILES.summary.write_text(text, encoding="utf-8")
    return not complaints


def counts(rows: list[dict[str, str]]) -> dict[str, int]:
    """How many rows came out in each way."""
    analysed = [row for row in rows if not row["error"]]
    counted = [row for row in analysed if row["torch_macs"]]
    different = [row for row in counted if differs(row)]
    explained = [row for row in different if explanation(row["reference"])]
    return {
        "models": len(rows),
        "analysed": len(analysed),
        "not analysed, for a known reason": sum(bool(failed_because(row)) for row in rows),
        "run on data": sum(row["ran_on"] == "data" for row in analysed),
        "coverage below 1": sum(float(row["coverage"]) < 1 for row in analysed),
        "counted by FlopCounterMode": len(counted),
        "on shapes": sum(row["torch_ran_on"] == "shapes" for row in counted),
        "on data": sum(row["torch_ran_on"] == "data" for row in counted),
        "equal": len(counted) - len(different),
        "different, explained": len(explained),
        "different, unexplained": len(different) - len(explained),
    }


def complaints_about(row: dict[str, str]) -> list[str]:
    """What should not be, a line for each."""
    name = row["reference"]
    if row["error"]:
        return [] if failed_because(row) else [f"{name} failed: {row['error']}"]
    found = nonsense(row)
    if differs(row) and not explanation(name):
        found.append(f"{row['macs']} MACs, FlopCounterMode {row['torch_macs']}")
    return [f"{name}: {line}" for line in found]


def differs_because(row: dict[str, str]) -> str:
    """Why the counts of a row differ, empty where they do not."""
    if row["error"] or not differs(row):
        return ""
    return explanation(row["reference"]) or "unexplained"


def uncounted_because(row: dict[str, str]) -> str:
    """Why FlopCounterMode has no count, empty where it has."""
    if row["error"] or row["torch_macs"]:
        return ""
    return "what it cannot run on shapes is too large, or refused, on data"


def listed(rows: dict[str, dict[str, str]], because: Callable[[dict[str, str]], str]) -> str:
    """A line for each reason, with the models that it holds for."""
    found: dict[str, list[str]] = {}
    for reference, row in rows.items():
        if because(row):
            found.setdefault(because(row), []).append(reference.removeprefix("hf:"))
    lines = [f"* {why} ({len(names)}): {', '.join(names)}\n" for why, names in found.items()]
    return "".join(lines) or "None.\n"


@click.command()
@click.argument("patterns", nargs=-1)
@click.option("--heads", is_flag=True, help="Each type with each of its tasks.")
@sweep_options(gibibytes=3.0)
def main(patterns: tuple[str, ...], heads: bool, **how: Any) -> None:
    """Analyse every model type that the patterns name: all of transformers by default."""
    sys.exit(0 if summarise(sweep(FILES, references(heads, patterns), **how)) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2:], analysed)
    else:
        main()
