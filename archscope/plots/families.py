"""A colour and a marker for every family of architectures, the same in every picture.

The hue of a family depends on its name alone. Eight hues are told apart by all eyes (the nearest
two are 15 CIELAB units apart with any kind of colour blindness), so tens of families share them,
each with a marker of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d", "8")

# Relatives share a hue: residual networks are pink, as in Canziani et al.
_HUES = {
    "#CC79A7": (
        "resnet",
        "resnet-cifar",
        "preact-resnet-cifar",
        "resnetv2",
        "resnest",
        "res2net",
        "byobnet",
        "tresnet",
        "senet",
        "sknet",
        "nfnet",
        "selecsls",
    ),
    "#0072B2": (
        "inception",
        "googlenet",
        "inception_v3",
        "inception_v4",
        "inception_resnet_v2",
        "inception_next",
        "xception",
        "xception_aligned",
        "nasnet",
        "pnasnet",
    ),
    "#009E73": (
        "vgg",
        "plain",
        "plain-cifar",
        "regnet",
        "repvit",
        "repghost",
        "byoanet",
        "vovnet",
        "dla",
        "hrnet",
    ),
    "#E69F00": (
        "alexnet",
        "zfnet",
        "efficientnet",
        "mobilenetv3",
        "mobilenetv2",
        "mobilenet",
        "mnasnet",
        "ghostnet",
        "mobilevit",
        "rexnet",
        "lcnetv2",
        "hardcorenas",
        "mobilenetv5",
        "tinynet",
    ),
    "#56B4E9": (
        "nin",
        "convnext",
        "convmixer",
        "mlp_mixer",
        "edgenext",
        "starnet",
        "fasternet",
        "focalnet",
        "metaformer",
        "sequencer",
        "volo",
    ),
    "#D55E00": (
        "vision_transformer",
        "deit",
        "beit",
        "cait",
        "xcit",
        "swin_transformer",
        "swin_transformer_v2",
        "maxvit",
        "maxxvit",
        "hiera",
        "eva",
        "naflexvit",
        "levit",
        "vision_transformer_hybrid",
    ),
    "#882255": (
        "densenet",
        "fractalnet",
        "squeezenet",
        "dpn",
        "rdnet",
        "cspnet",
        "hgnet",
        "shufflenetv2",
        "coat",
        "pit",
        "pvt_v2",
        "twins",
        "mvitv2",
    ),
    "#000000": (
        "recurrent",
        "char-rnn",
        "other",
        "efficientformer",
        "efficientformer_v2",
        "efficientvit_mit",
        "efficientvit_msra",
        "fastvit",
        "nextvit",
        "gcvit",
        "davit",
        "tiny_vit",
        "crossvit",
        "convit",
    ),
}
_KNOWN = {
    name: (hue, MARKERS[index]) for hue, names in _HUES.items() for index, name in enumerate(names)
}
HUES = tuple(_HUES)


@dataclass(frozen=True, slots=True)
class Look:
    """How a family is drawn."""

    colour: str
    marker: str


def hue(family: str) -> str:
    """The colour of a family, by its name alone."""
    known = _KNOWN.get(family)
    return known[0] if known else HUES[crc32(family.encode()) % len(HUES)]


def looks(families: Iterable[str]) -> dict[str, Look]:
    """A look for each family of a picture.

    Args:
        families: their names.

    Returns:
        Each with the hue that it always has, and a marker that no other family of this hue in
        this picture has, as far as there are markers: 14 of a hue.
    """
    found: dict[str, Look] = {}
    used: set[Look] = set()
    for family in sorted(set(families), key=lambda name: (name not in _KNOWN, name)):
        colour = hue(family)
        first = (
            MARKERS.index(_KNOWN[family][1]) if family in _KNOWN else crc32(family.encode()[::-1])
        )
        turns = (Look(colour, MARKERS[(first + k) % len(MARKERS)]) for k in range(len(MARKERS)))
        wanted = Look(colour, MARKERS[first % len(MARKERS)])
        found[family] = next((look for look in turns if look not in used), wanted)
        used.add(found[family])
    return found
