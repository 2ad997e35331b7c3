"""Numbers as text."""

import pytest

from archscope.report.numbers import count, memory, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0K"),
        (86_704_128, "86.7M"),
        (999_499, "999K"),
        (999_500, "1.00M"),
        (1_849_688_064, "1.85G"),
        (7 * 10**12, "7.00T"),
        (10**21, "1.00e+21"),
    ],
)
def test_counts_have_three_digits(value, text):
    assert count(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(1023, "1023 B"), (1024, "1.0 KiB"), (60_950_432, "58.1 MiB"), (2**40 - 1, "1.0 TiB")],
)
def test_memory_is_in_powers_of_1024(size, text):
    assert memory(size) == text


def test_a_small_share_is_not_nothing():
    assert [percent(share) for share in (0, 0.0001, 0.12, 1)] == ["", "<0.1", "12.0", "100.0"]
