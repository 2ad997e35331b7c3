"""The page of errata says what is computed, and the computation is what others found."""

from fractions import Fraction
from math import comb

from benchmarks import errata


def test_the_page_is_what_is_computed():
    assert errata.PAGE.read_text(encoding="utf-8") == errata.page()


def test_path_shares_are_binomial():
    inside = sum(comb(54, modules) for modules in range(19, 36))
    assert errata.share_of_paths("preact-resnet110-cifar", 19, 35) == Fraction(inside, 2**54)


def test_the_courses_lines_add_up_to_their_shapes():
    image, convolutions = 3 * 224**2, 2 * 64 * 224**2 + 2 * 128 * 112**2 + 3 * 256 * 56**2
    convolutions += 3 * 512 * 28**2 + 3 * 512 * 14**2
    pools = 64 * 112**2 + 128 * 56**2 + 256 * 28**2 + 512 * 14**2 + 512 * 7**2
    listed = image + convolutions + pools + 2 * 4096 + 1000
    assert f"{listed:,} values" in errata.vgg_activations()
