"""Inputs of single model types of transformers, where a name alone does not tell the shape.

``shaped("context_length", 7)`` is a rule: of each sample so much as the configuration's entry says,
times seven. A rule under a model type goes before the one that everybody has.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

import torch

from archscope.sources.huggingface.inputs import (
    SPECTROGRAM_FRAMES,
    Rule,
    Value,
    Wanted,
    grids_of_patches,
    image,
    images_sizes,
    patch_mask,
    patches,
    wave,
)
from archscope.trace.inputs import TensorSpec

TEXT = "text"  # in a shape: the length of a text
SERIES = 64  # steps of a time series, where the configuration does not say


def shaped(*sizes: int | str, dtype: torch.dtype | None = None) -> Rule:
    """A rule: a tensor of that shape for each sample."""

    def rule(wanted: Wanted) -> Value:
        return wanted.of(*[_size(wanted, size) for size in sizes], dtype=dtype)

    return rule


def ones(*sizes: int | str, dtype: torch.dtype = torch.int64) -> Rule:
    """A rule: ones of that shape for each sample, such as a mask that hides nothing."""

    def rule(wanted: Wanted) -> Value:
        shape = [_size(wanted, size) for size in sizes]
        return torch.ones(wanted.batch, *shape, dtype=dtype)

    return rule


def images(count: int | str) -> Rule:
    """A rule: so many images of each sample, (B, count, C, H, W)."""
    return lambda wanted: wanted.of(_size(wanted, count), *image(wanted))


def _size(wanted: Wanted, size: int | str) -> int:
    if isinstance(size, int):
        return size
    return wanted.tokens if size == TEXT else int(getattr(wanted.config, size))


def _one_channel(wanted: Wanted) -> Value:
    """A wave with a channel, (B, 1, samples)."""
    return wanted.of(wanted.size((), ("audio_channels",), 1), *wave(wanted).shape[1:])


def _past(*features: str) -> Rule:
    """What a model of lagged time series looks back at, (B, steps, sum of features)."""

    def rule(wanted: Wanted) -> Value:
        config = wanted.config
        steps = (config.context_length or SERIES) + max(config.lags_sequence)
        last = [sum(getattr(config, name) for name in features)] if features else []
        return wanted.of(steps, *last)

    return rule


def _tiles(wanted: Wanted) -> int:
    return wanted.size(("vision_config",), ("max_num_tiles",), 1)


def _half_image(wanted: Wanted) -> Value:
    """SegGPT puts an image below the one that shows what is wanted, and takes both as one."""
    channels, height, width = image(wanted)
    return wanted.of(channels, height // 2, width)


def _few_enough_patches(wanted: Wanted) -> Value:
    """An image of as many patches as Aria's projector has queries for."""
    config = wanted.config
    in_a_row = isqrt(min(map(int, config.projector_patch_to_query_dict)))
    side = in_a_row * config.vision_config.patch_size
    return wanted.of(3, side, side)


def _square_patches(wanted: Wanted) -> Value:
    """All patches of all images, (patches, C, height, width)."""
    side = getattr(wanted.config, "vision_config", wanted.config).patch_size
    return TensorSpec((wanted.batch * patches(wanted), 3, side, side))


def _patch_rows(wanted: Wanted) -> Value:
    """All patches of all images, one after the other, (patches, elements)."""
    return TensorSpec((wanted.batch * 49, 3 * wanted.config.patch_size**2))


def _frames_as_images(wanted: Wanted) -> Value:
    """The frames of all videos, (frames, C, H, W)."""
    return TensorSpec((wanted.batch * wanted.config.num_frames, *image(wanted)))


def _strip(wanted: Wanted) -> Value:
    """All patches of all images side by side, (1, C, height, width)."""
    side = getattr(wanted.config, "vision_config", wanted.config).patch_size
    return TensorSpec((1, 3, side, side * wanted.batch * patches(wanted)))


def _latents_first(wanted: Wanted) -> Value:
    """A text that begins with the places of an image's latents, (B, tokens)."""
    is_image = torch.arange(wanted.tokens) < wanted.config.latent_query_num
    return is_image.to(torch.int64).repeat(wanted.batch, 1)


def _four_patches(wanted: Wanted) -> Value:
    """The smallest image that Depth Pro halves twice and still cuts into patches."""
    return wanted.of(3, 4 * wanted.config.patch_size, 4 * wanted.config.patch_size)


def _codes(wanted: Wanted) -> Value:
    """A text and, beside it, the codes of a sound."""
    return wanted.of(wanted.tokens, wanted.config.num_codebooks + 1, dtype=torch.int64)


def _channels_of_codes(wanted: Wanted) -> Value:
    channels = wanted.config.decoder_config.num_channels
    return wanted.of(wanted.tokens, channels, dtype=torch.int64)


def _of_codebooks(wanted: Wanted) -> Value:
    """The codes of a sound, a row for each codebook."""
    return TensorSpec((wanted.batch * wanted.config.num_codebooks, wanted.tokens), torch.int64)


def _stacked_frames(wanted: Wanted) -> Value:
    """Several frames of a spectrogram as one."""
    config = getattr(wanted.config, "audio_config", wanted.config)
    return wanted.of(SPECTROGRAM_FRAMES, config.num_mel_bins * config.num_stacked_frames)


_PAIR = {"pixel_values": images(2)}
_ONE_OF_MANY = {"pixel_values": images(1)}
_TILES = {"pixel_values": images(3), "image_sizes": images_sizes}
_CODEC: dict[str, Rule] = {"input_values": _one_channel}
_LAGGED = {
    "past_values": _past(),
    "past_time_features": _past("num_time_features", "num_dynamic_real_features"),
    "past_observed_mask": lambda wanted: torch.ones(_past()(wanted).shape),
}
_PATCHED = {"past_values": shaped("context_length", "num_input_channels")}
_CLAP = {"input_features": shaped(1, 1024, 64)}
_SIZED = {"image_sizes": images_sizes}
_BINS = {"input_features": shaped(SPECTROGRAM_FRAMES, 128)}
_STRIP = {"pixel_values": _strip, "target_sizes": grids_of_patches}
_OF_CODEBOOKS = {"input_ids": _of_codebooks}
_WINDOWS = {"input_features": shaped(128, 200), "input_features_mask": ones(200)}
_INT64 = torch.int64

OF_TYPE: Mapping[str, Mapping[str, Rule | None]] = {
    "autoformer": _LAGGED,
    "informer": _LAGGED,
    "time_series_transformer": _LAGGED,
    "patchtst": _PATCHED,
    "patchtsmixer": _PATCHED,
    "timesfm": {
        "past_values": shaped("context_length"),
        "past_values_padding": shaped("context_length", dtype=_INT64),
        "freq": shaped(1, dtype=_INT64),
    },
    "timesfm2_5": {"past_values": shaped("context_length")},
    "decision_transformer": {
        "states": shaped(SERIES, "state_dim"),
        "actions": shaped(SERIES, "act_dim"),
        "rewards": shaped(SERIES, 1),
        "returns_to_go": shaped(SERIES, 1),
        "timesteps": shaped(SERIES, dtype=_INT64),
        "attention_mask": ones(SERIES),
    },
    "lxmert": {
        "visual_feats": shaped(36, "visual_feat_dim"),
        "visual_pos": shaped(36, "visual_pos_dim"),
    },
    "perceiver": {"inputs": shaped(TEXT, "d_model")},
    "audio-spectrogram-transformer": {"input_values": shaped("max_length", "num_mel_bins")},
    "clap": _CLAP,
    "clap_audio_model": _CLAP,
    "csm": {"input_values": None},
    "clvp": {"input_features": shaped(80, 128)},
    "aria": {"pixel_values": _few_enough_patches},
    "speecht5": {
        "input_values": shaped(TEXT, "hidden_size"),
        "decoder_input_values": shaped(TEXT, "hidden_size"),
    },
    "layoutlmv2": {"image": shaped(3, 224, 224)},
    "pix2struct": {"flattened_patches": shaped(2048, 770), "attention_mask": ones(2048)},
    "pop2piano": {"input_ids": None, "input_features": shaped(SPECTROGRAM_FRAMES, 512)},
    "seggpt": dict.fromkeys(("pixel_values", "prompt_pixel_values", "prompt_masks"), _half_image),
    "seamless_m4t": {"input_features": None},
    "seamless_m4t_v2": {"input_features": None},
    "speech-encoder-decoder": {"input_features": None},
    "mllama": {
        "pixel_values": lambda wanted: wanted.of(1, _tiles(wanted), *image(wanted)),
        "aspect_ratio_mask": lambda wanted: torch.ones(wanted.batch, 1, _tiles(wanted)),
        "aspect_ratio_ids": ones(1),
        "cross_attention_mask": lambda w: torch.ones(w.batch, w.tokens, 1, _tiles(w)),
    },
    "siglip2": {"pixel_attention_mask": patch_mask},
    "siglip2_vision_model": {"pixel_attention_mask": patch_mask},
    "lfm2_vl": {"pixel_attention_mask": patch_mask},
    "pixtral": _SIZED,
    "emu3": _SIZED,
    "mistral3": _SIZED,
    "mistral_large4": _SIZED,
    "lighton_ocr": _SIZED,
    "fuyu": {"pixel_values": lambda wanted: wanted.of(100, 3 * wanted.config.patch_size**2)},
    "kimi_k25": {"pixel_values": _square_patches},
    "kimi_k25_vision": {"pixel_values": _square_patches},
    "idefics": {"pixel_values": images(1), "image_attention_mask": ones(TEXT, 1)},
    "instructblipvideo": {"pixel_values": images(4)},
    "kyutai_speech_to_text": {"input_ids": _codes},
    "dia": {"decoder_input_ids": _channels_of_codes},
    "gemma4_audio": _BINS,
    "gemma4": _BINS,
    "embedding_gemma2": _BINS,
    "fun_asr_nano": {"input_features": _stacked_frames},
    "fun_asr_nano_encoder": {"input_features": _stacked_frames},
    "granite_docling": {
        "pixel_values": images(1),
        "pixel_attention_mask": ones(1, dtype=torch.bool),
        "tile_fine_mask": ones(1, dtype=torch.bool),
    },
    "minicpm_ocr": _STRIP,
    "minicpm_ocr_vision": _STRIP,
    "minicpmv4_6": _STRIP,
    "minicpmv4_6_vision": _STRIP,
    "minicpmv4_7": _STRIP,
    "minicpmv4_7_vision": _STRIP,
    "muse_spark_audio": {"input_values": shaped(10 * 1920)},
    "neomme": {"pixel_values": _patch_rows},
    "gemma3n": {"input_features_mask": ones(SPECTROGRAM_FRAMES, dtype=torch.bool)},
    "neucodec": {**_CODEC, "input_features": shaped(SPECTROGRAM_FRAMES, 160)},
    "xcodec2": {**_CODEC, "input_features": shaped(SPECTROGRAM_FRAMES, 160)},
    "molmo2_vision": {"pixel_values": shaped(729, 588)},
    "musicgen_decoder": _OF_CODEBOOKS,
    "musicgen_melody_decoder": _OF_CODEBOOKS,
    "nemotron3_5_transcribe_audio": _BINS,
    "nemo_speechlm": _BINS,
    "granite_speech5_encoder": {"input_features": shaped(SPECTROGRAM_FRAMES, 320)},
    "granite_speech5_ctc": {"input_features": shaped(SPECTROGRAM_FRAMES, 320)},
    "deepseek_vl_hybrid": {"high_res_pixel_values": shaped(3, 1024, 1024)},
    "colqwen2": {"pixel_values": lambda wanted: wanted.of(patches(wanted), 3 * 2 * 14 * 14)},
    "depth_pro": {"pixel_values": _four_patches},
    "paddleocr_vl": {"pixel_values": _square_patches},
    "paddleocr_vl_vision": {
        "pixel_values": lambda wanted: wanted.of(
            patches(wanted), 3, wanted.config.patch_size, wanted.config.patch_size
        )
    },
    "mimi_encoder": _CODEC,
    "pocket_tts_audio_tokenizer_encoder": _CODEC,
    "vibevoice": _CODEC,
    "vibevoice_asr": _CODEC,
    "tvp": {"pixel_values": shaped("num_frames", 3, "max_img_size", "max_img_size")},
    "xclip_vision_model": {"pixel_values": _frames_as_images},
    "pe_audio": _CODEC,
    "pe_audio_encoder": _CODEC,
    "pe_audio_video": _CODEC,
    "pe_audio_video_encoder": _CODEC,
    "qwen3_asr": _WINDOWS,
    "qwen3_asr_encoder": _WINDOWS,
    "muse_spark": {"input_values": shaped(10 * 1920)},
    "video_llama_3": {"image_merge_sizes": ones()},
    "video_llama_3_vision": {"merge_sizes": ones()},
    "kosmos-2": {"image_embeds_position_mask": _latents_first},
    "qwen2_audio": {"attention_mask": ones(TEXT)},
    "lightglue": _PAIR,
    "efficientloftr": _PAIR,
    "superglue": _PAIR,
    "idefics2": _ONE_OF_MANY,
    "idefics3": _ONE_OF_MANY,
    "smolvlm": _ONE_OF_MANY,
    "modernvbert": _ONE_OF_MANY,
    "colmodernvbert": _ONE_OF_MANY,
    "ultravbert": _ONE_OF_MANY,
    "llava_next": _TILES,
    "llava_next_video": _TILES,
    "llava_onevision": _TILES,
    "granite4_vision": _TILES,
    "encodec": _CODEC,
    "dac": _CODEC,
    "mimi": _CODEC,
    "xcodec": _CODEC,
    "higgs_audio_v2_tokenizer": _CODEC,
    "vibevoice_acoustic_tokenizer": _CODEC,
    "pocket_tts_audio_tokenizer": _CODEC,
}
