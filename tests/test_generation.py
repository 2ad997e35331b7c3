"""The cost of generating text, against closed forms."""

import pytest

from archscope.errors import ArchscopeError, InvalidInput
from archscope.generation import generation_cost

pytest.importorskip("transformers")

LLAMA = {  # a small one: d = 64, 4 heads of 16, 2 for keys and values, MLP 128, 3 layers
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
}


def llama_macs(queries: int, keys: int, logits: int) -> int:
    """Per layer q, k, v, o (64 x (64 + 32 + 32 + 64)), attention 2 x 4 x 16, MLP 3 x 64 x 128."""
    layer = queries * (64 * 192 + 3 * 64 * 128) + 2 * 64 * queries * keys
    return 3 * layer + logits * 64 * 1000


def test_prefill_and_decode_of_a_llama_follow_the_closed_form() -> None:
    cost = generation_cost("hf:llama", prompt=50, batch=2, **LLAMA)
    assert cost.prefill.macs == 2 * llama_macs(50, 50, 1)
    assert cost.decode.macs == 2 * llama_macs(1, 51, 1)
    assert cost.prefill.tokens == 100
    assert cost.decode.tokens == 2


def test_the_cache_is_two_tensors_a_layer() -> None:
    cost = generation_cost("hf:llama", prompt=50, batch=2, dtype="bfloat16", **LLAMA)
    (full,) = cost.cache
    assert full.bytes_per_token == cost.cache_bytes_per_token == 3 * 2 * 2 * 16 * 2
    assert full.bytes == 2 * 50 * full.bytes_per_token
    assert cost.decode.cache_bytes_read == full.bytes
    assert cost.decode.cache_bytes_written == 2 * full.bytes_per_token
    assert cost.prefill.cache_bytes_written == full.bytes


def test_a_decoding_step_reads_every_weight_but_one_row_of_the_embedding() -> None:
    cost = generation_cost("hf:llama", prompt=8, **LLAMA)
    assert cost.decode.weight_bytes_read == 4 * (cost.params - 999 * 64)
    assert cost.active_params == cost.params


def test_gpt2_reads_its_tied_embedding_whole_for_the_logits() -> None:
    cost = generation_cost("hf:gpt2", prompt=256)
    assert cost.params == 124_439_808
    assert cost.decode.weight_bytes_read == 4 * (cost.params - 1023 * 768)  # one position
    assert cost.cache_bytes_per_token == 12 * 2 * 768 * 4
    per_layer = 12 * 768 * 768 + 2 * 768 * 257
    assert cost.decode.macs == 12 * per_layer + 768 * 50257


def test_a_sliding_window_bounds_the_cache() -> None:
    cost = generation_cost("hf:mistral", prompt=100, sliding_window=32, **LLAMA)
    (sliding,) = cost.cache
    assert (sliding.kind, sliding.window) == ("sliding attention", 32)
    assert sliding.bytes == 31 * sliding.bytes_per_token  # the new token is the window's last
    longer = generation_cost("hf:mistral", prompt=200, sliding_window=32, **LLAMA)
    assert longer.decode.macs == cost.decode.macs


def test_types_of_layers_are_kept_apart() -> None:
    cost = generation_cost("hf:gemma3_text", prompt=64, num_hidden_layers=6, sliding_window=16)
    kinds = {layers.kind: layers.layers for layers in cost.cache}
    assert kinds == {"full attention": 1, "sliding attention": 5}


def test_a_token_meets_only_the_chosen_experts() -> None:
    options = {**LLAMA, "num_local_experts": 8, "num_experts_per_tok": 2}
    cost = generation_cost("hf:mixtral", prompt=16, **options)
    expert = 3 * 64 * 128
    assert cost.params - cost.active_params == 3 * 6 * expert
    assert cost.decode.weight_bytes_read == 4 * (cost.active_params - 999 * 64)
    assert cost.prefill.weight_bytes_read == 4 * (cost.params - 984 * 64)  # 32 choices of 8
    dense = generation_cost("hf:mixtral", prompt=16, **{**options, "num_experts_per_tok": 1})
    assert cost.decode.macs - dense.decode.macs == 3 * expert


def test_seventy_billion_parameters_need_no_memory() -> None:
    cost = generation_cost(
        "hf:llama",
        dtype="bfloat16",
        hidden_size=8192,
        intermediate_size=28672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        vocab_size=128256,
    )
    assert cost.params == 70_553_706_496
    assert cost.cache_bytes_per_token == 80 * 2 * 8 * 128 * 2


@pytest.mark.parametrize(
    ("reference", "options", "message"),
    [
        ("vgg16", {}, "hf:CONFIG"),
        ("hf:llama", {"prompt": 0}, "1 or more"),
        ("hf:llama", {"dtype": "int3"}, "bfloat16"),
    ],
)
def test_a_wrong_request_is_told(reference: str, options, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        generation_cost(reference, **options)


def test_a_model_without_keys_and_values_is_refused() -> None:
    with pytest.raises(ArchscopeError, match="no keys and values"):
        generation_cost("hf:mamba", num_hidden_layers=1, hidden_size=32)
