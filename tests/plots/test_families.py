"""A family keeps its hue, its look is its own, and eyes of every kind tell the hues apart."""

from itertools import combinations

import numpy as np

from archscope.models.catalog import architectures
from archscope.plots.families import HUES, hue, looks

# Machado, Oliveira and Fernandes 2009: what remains of a colour, at full severity.
EYES = {
    "usual": np.eye(3),
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def lab(colour, eye):
    """CIELAB of a colour as an eye sees it."""
    encoded = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(eye) @ linear, 0, 1)
    to_xyz = [[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]]
    xyz = np.array(to_xyz) @ seen / [0.9505, 1, 1.0888]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_hues_are_far_apart_for_every_eye():
    for name, eye in EYES.items():
        for one, other in combinations(HUES, 2):
            apart = np.linalg.norm(lab(one, eye) - lab(other, eye))
            assert apart >= 15, f"{one} and {other} with {name}: {apart:.0f}"


def test_a_family_has_its_hue_whatever_else_is_drawn():
    few, many = looks(["resnet", "new"]), looks(["resnet", "new", "vgg", "other", "eva", "newer"])
    for family, look in few.items():
        assert look.colour == many[family].colour == hue(family)


def test_tens_of_families_look_different():
    zoo = {architecture.family for architecture in architectures().values()}
    families = zoo | {f"family-{k}" for k in range(40)}
    found = looks(families)
    assert len(set(found.values())) == len(families)


def test_the_zoo_s_families_are_never_moved_by_a_stranger():
    zoo = {architecture.family for architecture in architectures().values()}
    alone, crowd = looks(zoo), looks(zoo | {f"family-{k}" for k in range(40)})
    assert all(alone[family] == crowd[family] for family in zoo)
