"""What a model of transformers is called with, by the names of its forward and its configuration.

``input_ids`` is text, ``pixel_values`` an image, ``input_features`` a spectrogram, ``input_values``
a wave; the configuration says how large they are. Each kind of data that a model takes is given
once for every sample.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from archscope.trace.inputs import TensorSpec

SEQUENCE = 128  # tokens, where a person gives no seq_len
CHOICES = 4  # endings of a text, as SWAG has
SECONDS_OF_AUDIO = 1
SAMPLING_RATE = 16_000
SPECTROGRAM_FRAMES = 128  # more than a second's 100, where the configuration wants no fixed length
IMAGE = 224

Value = TensorSpec | Tensor
Rule = Callable[["Wanted"], Value]

_VISION = ("vision_config", "image_config", "vision_encoder_config", "backbone_config")
_AUDIO = ("audio_config", "audio_encoder_config", "encoder_config", "speech_config")


@dataclass(frozen=True)
class Wanted:
    """A model, and for how many samples and tokens inputs are wanted."""

    model: Any
    batch: int
    length: int | None = None

    @cached_property
    def arguments(self) -> Mapping[str, inspect.Parameter]:
        """What its forward takes."""
        return inspect.signature(self.model.forward).parameters

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return self.model.config

    @property
    def language_model(self) -> Any:
        """The model that takes images and text, which a retrieval model wraps."""
        return getattr(self.model, "vlm", self.model)

    @cached_property
    def tokens(self) -> int:
        """The length of a text, which a model's positions may bound."""
        limit = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        if self.length is not None:
            return self.length
        return min(SEQUENCE, limit) if isinstance(limit, int) and limit > 0 else SEQUENCE

    def size(self, parts: tuple[str, ...], names: tuple[str, ...], default: Any) -> Any:
        """The first of these entries that a part of the configuration has, or all of it."""
        whole = self.language_model.config
        found = [getattr(whole, part, None) for part in parts]
        inner = [getattr(config, "backbone_config", None) for config in found]
        for config in (*filter(None, (*found, *inner)), whole):
            for name in names:
                value = getattr(config, name, None)
                if value is not None:
                    return value
        return default

    def of(self, *shape: int, dtype: torch.dtype | None = None) -> TensorSpec:
        """A tensor of that shape for each sample."""
        return TensorSpec((self.batch, *shape), dtype)

    def lacks(self, part: str) -> bool:
        """Whether the configuration leaves a part of the model out."""
        return hasattr(self.config, part) and getattr(self.config, part) is None


def named_inputs(wanted: Wanted, special: Mapping[str, Rule | None]) -> dict[str, Value]:
    """The inputs that a model's forward asks for by name, without placeholders in its text.

    Args:
        wanted: the model and the sizes of its inputs.
        special: rules that this model has for itself, by name; None for what it is not given.

    Returns:
        A shape or a tensor for each; nothing where one that must be given is not known, such as
        what another part of a larger model makes.
    """
    rules = {name: rule for name, rule in {**INPUTS, **special}.items() if rule is not None}
    if "grid_thw" not in wanted.arguments:
        rules.pop("hidden_states")  # not the patches of an image: what another part makes
    required = {name for name, parameter in wanted.arguments.items() if _is_required(parameter)}
    if not required <= rules.keys():
        return {}
    main = wanted.model.main_input_name
    asked = {*required, *([main] if isinstance(main, str) else main), *special}
    asked |= {name for name in _DATA if _takes(wanted, name)}
    return {name: rules[name](wanted) for name in wanted.arguments if name in asked & rules.keys()}


def _is_required(parameter: inspect.Parameter) -> bool:
    by_name = (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    return parameter.default is parameter.empty and parameter.kind in by_name


def _takes(wanted: Wanted, name: str) -> bool:
    """Whether the configuration has the part of the model that reads this kind of data."""
    return not (_DATA[name] and wanted.lacks(_DATA[name]))


# -- images ----------------------------------------------------------------------------------------


def _channels(wanted: Wanted) -> int:
    return wanted.size(_VISION, ("num_channels", "in_channels", "in_chans"), 3)


def _image_size(wanted: Wanted) -> tuple[int, int]:
    size = wanted.size(_VISION, ("image_size", "img_size"), IMAGE)
    if isinstance(size, Mapping):
        size = [*size.values()] * 2
    height, width = size[:2] if isinstance(size, list | tuple) else (size, size)
    return height, width


def image(wanted: Wanted) -> tuple[int, int, int]:
    """Channels, height and width of an image."""
    return (_channels(wanted), *_image_size(wanted))


def _patch(wanted: Wanted) -> int:
    size = wanted.size(_VISION, ("patch_size", "spatial_patch_size"), 16)
    return size if isinstance(size, int) else size[-1]


def _grid(wanted: Wanted) -> tuple[int, int]:
    """Rows and columns of patches of an image, which are merged in squares."""
    merge = wanted.size(
        _VISION,
        (
            *("spatial_merge_size", "merge_size", "merge_kernel_size", "downsample_factor"),
            "pooling_kernel_size",
        ),
        2,
    )
    merge = merge if isinstance(merge, int) else merge[0]
    side = max(1, IMAGE // _patch(wanted) // merge) * merge
    return side, side


def images_sizes(wanted: Wanted) -> Tensor:
    """Height and width of each image, (B, 2)."""
    return torch.tensor([image(wanted)[1:]] * wanted.batch)


def patches(wanted: Wanted) -> int:
    """How many patches an image has."""
    rows, columns = _grid(wanted)
    return rows * columns


def _patch_elements(wanted: Wanted, frames: int = 1) -> int:
    return _channels(wanted) * frames * _patch(wanted) ** 2


def _temporal_patch(wanted: Wanted) -> int:
    size = wanted.size(_VISION, ("temporal_patch_size", "patch_temporal"), 1)
    return size if isinstance(size, int) else size[0]


def _flat_patches(wanted: Wanted) -> TensorSpec:
    """All patches of all images, one after the other, as Qwen2-VL has them."""
    elements = _patch_elements(wanted, _temporal_patch(wanted))
    return TensorSpec((wanted.batch * patches(wanted), elements))


def _padded_patches(wanted: Wanted) -> TensorSpec:
    """The patches of each image, (B, patches, elements), as SigLIP 2 has them."""
    return wanted.of(patches(wanted), _patch_elements(wanted))


def _pixels(wanted: Wanted) -> TensorSpec:
    if {"image_grid_thw", "grid_thw"} & wanted.arguments.keys():
        return _flat_patches(wanted)
    if {"spatial_shapes", "image_position_ids", "pixel_position_ids"} & wanted.arguments.keys():
        return _padded_patches(wanted)
    frames = wanted.size(_VISION, ("num_frames",), None)
    return wanted.of(*([frames] if frames else []), *image(wanted))


def _one_image(wanted: Wanted) -> TensorSpec:
    return wanted.of(*image(wanted))


def _video(wanted: Wanted) -> TensorSpec:
    frames = wanted.size(_VISION, ("num_frames", "frames_per_clip"), 8)
    return wanted.of(frames, *image(wanted))


def _grids(wanted: Wanted) -> Tensor:
    """Frames, rows and columns of the patches of each image."""
    return torch.tensor([[1, *_grid(wanted)]] * wanted.batch)


def grids_of_patches(wanted: Wanted) -> Tensor:
    """Rows and columns of the patches of each image, (B, 2)."""
    return torch.tensor([_grid(wanted)] * wanted.batch)


def _patch_positions(wanted: Wanted) -> Tensor:
    rows, columns = _grid(wanted)
    positions = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).flip(-1)
    return positions.expand(wanted.batch, -1, -1)


def patch_mask(wanted: Wanted) -> Tensor:
    """A mask (B, patches) that hides none."""
    return torch.ones(wanted.batch, patches(wanted), dtype=torch.int64)


# -- sound -----------------------------------------------------------------------------------------


def _mel_bins(wanted: Wanted) -> int:
    names = ("num_mel_bins", "n_mels", "num_mels", "input_feat_per_channel")
    return wanted.size(_AUDIO, (*names, "feature_projection_input_dim", "input_feat_size"), 80)


def _frames(wanted: Wanted) -> int:
    """Whisper's encoder has a position for every second frame and takes no other length."""
    positions = wanted.size(_AUDIO, ("max_source_positions",), None)
    return 2 * positions if positions and _is_like_whisper(wanted) else SPECTROGRAM_FRAMES


def _is_like_whisper(wanted: Wanted) -> bool:
    others = ("input_feat_per_channel", "feature_projection_input_dim")
    has_positions = wanted.size(_AUDIO, ("max_source_positions",), None) is not None
    return has_positions and wanted.size(_AUDIO, others, None) is None


def _spectrogram(wanted: Wanted) -> TensorSpec:
    bins, frames = _mel_bins(wanted), _frames(wanted)
    return wanted.of(bins, frames) if _is_like_whisper(wanted) else wanted.of(frames, bins)


def _spectrogram_mask(wanted: Wanted) -> Tensor:
    return torch.ones(wanted.batch, _frames(wanted), dtype=torch.int64)


def wave(wanted: Wanted) -> TensorSpec:
    """A second of sound at the model's sampling rate, (B, samples)."""
    rate = wanted.size(_AUDIO, ("sampling_rate", "sample_rate"), SAMPLING_RATE)
    return wanted.of(SECONDS_OF_AUDIO * rate)


# -- text ------------------------------------------------------------------------------------------


def _ids(wanted: Wanted) -> Value:
    """A text, as many as there are to choose from, or one whose end is what is classified."""
    kind = type(wanted.model).__name__
    if kind.endswith("ForSequenceClassification") and wanted.config.is_encoder_decoder:
        ids = torch.zeros(wanted.batch, wanted.tokens, dtype=torch.int64)
        ids[:, -1] = wanted.config.eos_token_id
        return ids
    chooses = kind.endswith("ForMultipleChoice")
    return wanted.of(*([CHOICES] if chooses else []), wanted.tokens, dtype=torch.int64)


def _boxes(wanted: Wanted) -> Tensor:
    """Where each token stands on the page: its corners, the first before the second."""
    return torch.tensor([0, 0, 1, 1]).expand(wanted.batch, wanted.tokens, 4)


# -- by name ---------------------------------------------------------------------------------------

# One of each kind of data is given, unless the configuration leaves that part of the model out.
_DATA = {
    "input_ids": "",
    "bbox": "",
    "decoder_input_ids": "",
    "pixel_values": "vision_config",
    "image_grid_thw": "vision_config",
    "grid_thw": "",
    "spatial_shapes": "vision_config",
    "image_position_ids": "vision_config",
    "input_features": "audio_config",
    "input_features_mask": "audio_config",
    "feature_attention_mask": "audio_config",
    "input_values": "audio_config",
}

INPUTS: dict[str, Rule] = {
    "input_ids": _ids,
    "decoder_input_ids": _ids,
    "bbox": _boxes,
    "pixel_values": _pixels,
    "pixel_values_videos": _video,
    "hidden_states": _flat_patches,
    "image": _one_image,
    "qformer_input_ids": _ids,
    "image_grid_thw": _grids,
    "grid_thw": _grids,
    "spatial_shapes": grids_of_patches,
    "image_position_ids": _patch_positions,
    "pixel_position_ids": _patch_positions,
    "input_features": _spectrogram,
    "input_features_mask": _spectrogram_mask,
    "feature_attention_mask": _spectrogram_mask,
    "input_values": wave,
}
