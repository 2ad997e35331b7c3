"""Texts with a placeholder for every feature that a model makes of an image or a sound.

A multimodal language model puts features of its encoders where its text has placeholders, and
refuses a text with more or fewer. How many features there are is found out by running the encoder
on shapes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from archscope.errors import ArchscopeError
from archscope.sources.huggingface.inputs import Value, Wanted
from archscope.trace import trace

# What makes the features of an input, the placeholder's entry, and its kind in mm_token_type_ids.
_ENCODERS = (
    ("pixel_values", "get_image_features", ("image_token_id", "image_token_index"), 1),
    ("input_features", "get_audio_features", ("audio_token_id", "audio_token_index"), 3),
    ("input_values", "get_audio_features", ("audio_token_id", "audio_token_index"), 3),
)


def with_placeholders(wanted: Wanted, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """The same inputs, where the text begins with what stands for images and sounds.

    Args:
        wanted: the model and the sizes of its inputs.
        inputs: its inputs by name, with or without a text.

    Returns:
        The inputs; ``seq_len`` tokens of text follow the placeholders."""
    if "input_ids" not in inputs:
        return dict(inputs)
    try:
        found = list(_placeholders(wanted, inputs))
    except ArchscopeError:  # the model's own run calls the same encoder, and says why
        found = []
    if not found:
        return dict(inputs)
    counts = [count for _, _, count in found]
    ids = torch.tensor([token for token, _, _ in found]).repeat_interleave(torch.tensor(counts))
    kinds = torch.tensor([kind for _, kind, _ in found]).repeat_interleave(torch.tensor(counts))
    text = torch.tensor(_words(wanted)).repeat(wanted.tokens)[: wanted.tokens]
    # Rows count from the text's first token on: something of it stands before the first image.
    ids = torch.cat([text[:1], ids, text[1:]]).expand(wanted.batch, -1).contiguous()
    given = {**inputs, "input_ids": ids}
    if "mm_token_type_ids" in wanted.arguments:
        given["mm_token_type_ids"] = torch.cat(
            [torch.zeros(1, dtype=torch.int64), kinds, torch.zeros_like(text[1:])]
        ).repeat(wanted.batch, 1)
    return given


def _placeholders(wanted: Wanted, inputs: Mapping[str, Value]) -> Iterator[tuple[int, int, int]]:
    """The token, the kind and the number in a sample of each placeholder."""
    model = wanted.language_model
    for name, encoder, entries, kind in _ENCODERS:
        if name not in inputs or not hasattr(model, encoder):
            continue
        token = wanted.size((), entries, None)
        if token is not None:
            yield token, kind, _features(model, encoder, inputs) // wanted.batch


def _features(model: Any, encoder: str, inputs: Mapping[str, Value]) -> int:
    """How many features an encoder makes of all samples."""
    taken = inspect.signature(getattr(model, encoder)).parameters
    named = {name: value for name, value in inputs.items() if name in taken}
    recorded = trace(_Encoder(model, encoder), kwargs=named, name=type(model).__name__)
    return sum(prod(shape[:-1]) for shape in recorded.calls[0].output_shapes)


class _Encoder(nn.Module):
    """The part of a model that makes features."""

    def __init__(self, model: nn.Module, method: str):
        super().__init__()
        self.model = model
        self.method = method

    def forward(self, **inputs: Tensor) -> Any:
        found = getattr(self.model, self.method)(**inputs)
        pooled = getattr(found, "pooler_output", None)
        return found.last_hidden_state if pooled is None else pooled


def _words(wanted: Wanted) -> list[int]:
    """Two tokens that stand for nothing but themselves."""
    special = {
        value
        for name, value in vars(wanted.config).items()
        if name.endswith(("_token_id", "_token_index", "_patch_id")) and isinstance(value, int)
    }
    return [token for token in range(len(special) + 2) if token not in special][:2]
