"""What a model of transformers is called with, and which types there are."""

import pytest
import torch
from torch import nn

import archscope
from archscope.errors import InvalidInput
from archscope.sources import expand, resolve
from archscope.sources.building import built

pytest.importorskip("transformers")

SMALL = {"num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 64}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2}
LLAMA = {"model_type": "llama", **SMALL, **HEADS}
CLIP = {"model_type": "clip_vision_model", **SMALL, **HEADS, "image_size": 56, "patch_size": 14}
LLAVA = {"text_config": LLAMA, "vision_config": CLIP}


def test_a_text_has_a_placeholder_for_every_feature_of_an_image() -> None:
    subject = resolve("hf:llava", batch=2, options={**LLAVA, "seq_len": 10})
    ids = subject.kwargs["input_ids"]
    token = subject.model.config.image_token_id
    assert ids.shape == (2, 4 * 4 + 10)
    assert (ids == token).sum(1).tolist() == [16, 16]
    assert (ids[:, 0] != token).all()


def test_an_image_adds_its_encoder_and_its_tokens() -> None:
    whole = archscope.analyze("hf:llava", task="ImageTextToText", seq_len=10, **LLAVA)
    text = archscope.analyze("hf:llama", task="CausalLM", seq_len=26, **SMALL, **HEADS)
    layers = whole.layers.set_index("path")
    assert whole.trace.ran_on == "shapes"
    language = layers[layers.index.str.contains("language_model|lm_head")]
    assert language["macs"].sum() == text.totals["macs"]
    assert whole.totals["macs"] > text.totals["macs"]


def test_a_text_that_is_classified_by_its_end_has_one() -> None:
    layers = {"encoder_layers": 1, "decoder_layers": 1}
    report = archscope.analyze("hf:bart", task="SequenceClassification", batch=2, **layers)
    assert report.trace.ran_on == "shapes"


def test_patches_of_images_come_with_their_grid() -> None:
    vision = {"model_type": "qwen2_vl_vision", "depth": 1, "embed_dim": 32, "num_heads": 2}
    text = {"model_type": "qwen2_vl_text", **SMALL, **HEADS}
    text["rope_parameters"] = {"rope_type": "default", "mrope_section": [2, 3, 3]}
    options = {"text_config": text, "vision_config": {**vision, "hidden_size": 32}}
    subject = resolve("hf:qwen2_vl", batch=2, options=options)
    assert subject.kwargs["pixel_values"].shape == (2 * 16 * 16, 3 * 2 * 14 * 14)
    assert subject.kwargs["image_grid_thw"].tolist() == [[1, 16, 16]] * 2
    assert subject.kwargs["mm_token_type_ids"].sum(1).tolist() == [64, 64]
    assert archscope.analyze("hf:qwen2_vl", batch=2, **options).trace.ran_on == "shapes"


@pytest.mark.parametrize(
    ("reference", "options", "inputs"),
    [
        ("hf:detr", {"encoder_layers": 1, "decoder_layers": 1}, {"pixel_values": (1, 3, 224, 224)}),
        (
            "hf:bart",
            {"encoder_layers": 1, "decoder_layers": 1},
            {"input_ids": (1, 128), "decoder_input_ids": (1, 128)},
        ),
        ("hf:timesformer", SMALL | HEADS, {"pixel_values": (1, 8, 3, 224, 224)}),
        ("hf:wav2vec2", SMALL | HEADS, {"input_values": (1, 16_000)}),
        (
            "hf:whisper",
            {"encoder_layers": 1, "decoder_layers": 1},
            {"input_features": (1, 80, 3000), "decoder_input_ids": (1, 128)},
        ),
        ("hf:wav2vec2-bert", SMALL | HEADS, {"input_features": (1, 128, 160)}),
        ("hf:bert", {"task": "MultipleChoice", "num_hidden_layers": 1}, {"input_ids": (1, 4, 128)}),
        ("hf:idefics2", {}, {"input_ids": (1, 128), "pixel_values": (1, 1, 3, 224, 224)}),
        ("hf:patchtst", {}, {"past_values": (1, 32, 1)}),
        ("hf:siglip_text_model", SMALL | HEADS, {"input_ids": (1, 64)}),
    ],
)
def test_a_forward_is_given_what_its_arguments_name(reference, options, inputs) -> None:
    kwargs = resolve(reference, options=options).kwargs
    assert {name: tuple(value.shape) for name, value in kwargs.items()} == inputs


@pytest.mark.parametrize(
    ("reference", "options", "message"),
    [
        ("hf:sam_mask_decoder", {}, "a part of other models"),
        ("hf:autoformer", {"dropout": "much"}, "no configuration of autoformer"),
        ("hf:bert", {"hidden_size": 33}, "cannot be built"),
        ("hf:bert", {"task": "ImageClassification"}, "cannot be built"),
    ],
)
def test_what_transformers_cannot_build_is_told_in_one_line(reference, options, message) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        resolve(reference, options=options)
    assert "\n" not in str(caught.value)


def test_a_part_that_reads_what_others_make_asks_for_its_input() -> None:
    with pytest.raises(InvalidInput, match="does not say what it is called with"):
        archscope.analyze("hf:blip_2_qformer", num_hidden_layers=1)


def test_model_types_are_listed() -> None:
    assert {"hf:bert", "hf:bart", "hf:t5"} <= set(expand(["hf:*"]))
    assert set(expand(["hf:convnext*"])) == {"hf:convnext", "hf:convnextv2"}


def test_strides_kept_as_buffers_reach_the_forward() -> None:
    report = archscope.analyze("hf:encodec", num_lstm_layers=1)
    assert report.trace.ran_on == "shapes"
    # 24,000 samples leave 24,000 / (8 * 5 * 4 * 2) = 75 frames of 128 values.
    assert any(op.output_shapes[:1] == ((1, 128, 75),) for op in report.trace.ops)


def test_a_constructor_that_fails_of_itself_is_not_given_real_weights() -> None:
    calls = []

    def construct() -> nn.Module:
        calls.append(torch.empty(1).is_meta)
        raise ValueError("33 is no multiple of 2")

    with pytest.raises(ValueError, match="33 is no multiple"):
        built(construct)
    assert calls == [True, False]
