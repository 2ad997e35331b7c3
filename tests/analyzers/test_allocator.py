"""The caching allocator's rules, on requests small enough to follow by hand."""

import pytest
from torch import nn

import archscope
from archscope.analyzers.allocator import allocator, rounded, segment_size
from archscope.analyzers.memory import peak_bytes
from archscope.trace.records import Op, Storage, Trace

MIB = 1 << 20


@pytest.mark.parametrize(("request_", "block"), [(1, 512), (512, 512), (513, 1024)])
def test_requests_are_rounded_to_512_bytes(request_, block):
    assert rounded(request_) == block


@pytest.mark.parametrize(
    ("block", "segment"),
    [(512, 2), (MIB, 2), (MIB + 512, 20), (10 * MIB - 512, 20), (10 * MIB, 10), (11 * MIB, 12)],
)
def test_segments_have_two_and_twenty_mebibytes_or_multiples_of_two(block, segment):
    assert segment_size(block) == segment * MIB


def played(*lives):
    """A run of storages (bytes, born, dead)."""
    ops = max(dead for _, _, dead in lives if dead is not None)
    storages = tuple(
        Storage(i, size, "activation", born, dead) for i, (size, born, dead) in enumerate(lives)
    )
    trace = Trace("", "inference", (), 1, (nothing,) * ops, storages, (), (), {}, ())
    return allocator(trace)


nothing = Op(0, "", "forward", "move", "", -1, *((),) * 5, "", 0, 0, 0, 0, (), True)


def test_small_requests_share_a_segment():
    found = played((1000, 0, 2), (1000, 1, 2))
    assert (found.requested, found.allocated, found.reserved) == (2000, 2048, 2 * MIB)


def test_a_freed_block_is_taken_again():
    found = played((12 * MIB, 0, 1), (12 * MIB, 1, 2))
    assert found.reserved == found.allocated == 12 * MIB


def test_a_remainder_of_one_mebibyte_is_not_split_off():
    """So a block may be larger than its request, and counts as allocated whole."""
    found = played((12 * MIB, 0, 1), (11 * MIB, 1, 2))
    assert found.allocated == found.reserved == 12 * MIB
    found = played((13 * MIB - 512, 0, 1), (11 * MIB, 1, 3), (2 * MIB, 2, 3))
    assert found.reserved == 14 * MIB  # two requests from one segment


def test_free_neighbours_are_joined():
    found = played((4 * MIB, 0, 2), (4 * MIB, 0, 2), (9 * MIB, 2, 3))
    assert found.reserved == 20 * MIB


def test_fragments_are_reserved_and_not_allocated():
    """Two holes of 6 MiB, with 8 MiB alive between them, are no place for 9."""
    found = played((6 * MIB, 0, 1), (8 * MIB, 0, 2), (6 * MIB, 0, 1), (9 * MIB, 1, 2))
    assert found.reserved == 40 * MIB
    assert found.allocated == 20 * MIB


def test_a_model_reserves_no_less_than_it_allocates_and_allocates_no_less_than_it_asks():
    model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 8, 3))
    trace = archscope.trace(model, ((4, 3, 64, 64),), "training", optimizer="adam")
    found = allocator(trace)
    assert found.requested == peak_bytes(trace)
    assert found.requested <= found.allocated <= found.reserved
