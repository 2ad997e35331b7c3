"""Numbers in well-known papers and notes that exact counts contradict, written as a page.

    python -m benchmarks.errata          # writes docs/published-errata.md
    python -m benchmarks.errata --check  # exit 1 if the page says something else

What was printed is written here, each with its source; what is exact is computed when this runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import click

import archscope
from archscope.report import Report

PAGE = Path(__file__).parents[1] / "docs" / "published-errata.md"

_INTRODUCTION = """\
# Published numbers that exact counts contradict

Every number under "exact" is computed by archscope when this page is generated
(`python -m benchmarks.errata`; a test fails when the page and the computation differ). Every number
under "printed" is as the named source has it. A MAC is one multiply and one add; papers often print
MACs and call them FLOPs or operations.

None of this diminishes the papers: their networks are right, and slips in tables are common. It
matters because these numbers are copied, and because a counter that is "checked" against one of
them is wrong with it.
"""


@dataclass(frozen=True, slots=True)
class Erratum:
    """One printed number, the exact one, and why they differ."""

    printed: str
    exact: Callable[[], str]
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """What was published where, and what of it is contradicted."""

    title: str
    where: str
    errata: tuple[Erratum, ...]


@cache
def analysed(model: str) -> Report:
    return archscope.analyze(model)


def total(model: str, column: str) -> int:
    return int(analysed(model).totals[column])


def millions(number: int | float, digits: int = 2) -> str:
    return f"{number / 1e6:,.{digits}f} M"


def macs(model: str, digits: int = 2) -> str:
    return f"{millions(total(model, 'macs'), digits)} MACs"


def of_layers(model: str, column: str, kinds: tuple[str, ...] = (), under: str = "") -> int:
    """The sum of a column over the layers of those kinds, or below that path."""
    layers = analysed(model).layers
    if under:
        layers = layers[layers["path"].str.startswith(f"{under}.")]
    if kinds:
        layers = layers[layers["kind"].isin(kinds)]
    return int(layers[column].sum())


# The lines of the course's table: the image, convolutions, pools and fully connected layers.
_LISTED = ("Input", "Conv2d", "MaxPool2d", "Linear")


def vgg_activations() -> str:
    values = of_layers("vgg16", "activations", _LISTED)
    return f"{values:,} values, {4 * values / 2**20:.1f} MiB"


def googlenet_row(path: str) -> str:
    weights = of_layers("googlenet", "weights", under=path)
    counted = of_layers("googlenet", "macs", under=path)
    return f"{weights:,} weights ({weights / 1024:,.1f} x 1024), {millions(counted, 1)} MACs"


def share_of_paths(model: str, fewest: int, most: int) -> Fraction:
    """The exact share of routes through so many residual modules, of two weight layers each."""
    lengths = archscope.analyzers.paths(analysed(model).trace)
    shortest = min(lengths.index)
    modules = {(length - shortest) // 2: count for length, count in lengths.items()}
    inside = sum(count for number, count in modules.items() if fewest <= number <= most)
    return Fraction(inside, sum(modules.values()))


def share_text(fewest: int, most: int) -> str:
    share = share_of_paths("preact-resnet110-cifar", fewest, most)
    return f"{100 * float(share):.2f} % of paths go through {fewest} to {most} modules"


def convolutions_and_all(model: str) -> str:
    convolutions = of_layers(model, "macs", ("Conv2d",))
    whole = millions(total(model, "macs"), 1)
    return f"{millions(convolutions, 1)} MACs in convolutions, {whole} in all"


SOURCES = (
    Source(
        "CS231n course notes: the VGG-16 table",
        "cs231n.github.io/convolutional-networks, section on case studies",
        (
            Erratum(
                '"24M * 4 bytes ~= 93MB / image" of activations',
                vgg_activations,
                "The table's own lines do not add up to the sum printed below them. "
                "The 138M parameters are right.",
            ),
        ),
    ),
    Source(
        "GoogLeNet: Table 1",
        "Szegedy et al., Going Deeper with Convolutions, arXiv:1409.4842; its K is 1024, its ops "
        "are multiply-adds",
        (
            Erratum(
                "conv 7x7/2: 2.7K, 34M",
                lambda: googlenet_row("conv1"),
                "The printed values are those of a separable filter, (7 + 7) x 3 x 64 = 2,688; a "
                "full 7x7 has 3.5 times as many.",
            ),
            Erratum(
                "inception 4a: 364K, 73M",
                lambda: googlenet_row("inception_4a"),
                "The row's own filter numbers give more parameters.",
            ),
            Erratum(
                "inception 4c: 463K, 100M",
                lambda: googlenet_row("inception_4c"),
                "The operations agree with the row's filter numbers, the parameters do not.",
            ),
            Erratum("inception 4d: 580K, 119M", lambda: googlenet_row("inception_4d"), "As 4c."),
            Erratum("inception 4e: 840K, 170M", lambda: googlenet_row("inception_4e"), "As 4c."),
            Erratum(
                "inception 5a: 1072K, 54M",
                lambda: googlenet_row("inception_5a"),
                "Neither agrees with the row's filter numbers.",
            ),
            Erratum("inception 5b: 1388K, 71M", lambda: googlenet_row("inception_5b"), "As 4c."),
            Erratum(
                "the rows' sum, 1,502M; the text's 1.5 billion multiply-adds",
                lambda: f"{macs('googlenet')}, {total('googlenet', 'params'):,} parameters",
                "Mostly the first convolution's missing 84 M.",
            ),
        ),
    ),
    Source(
        "ResNet: FLOPs that are MACs",
        "He et al., Deep Residual Learning for Image Recognition, arXiv:1512.03385, Table 1 and "
        "section 4.1",
        (
            Erratum(
                'ResNet-50: "3.8 x 10^9 FLOPs"',
                lambda: f"{macs('resnet50-v1')}, {millions(total('resnet50-v1', 'flops'))} FLOPs",
                "The paper counts a multiply and its add as one. All its networks agree as MACs.",
            ),
            Erratum(
                "the same figure, cited for the ResNet-50 that is run today",
                lambda: macs("resnet50"),
                "Today's code has the stride in the 3x3 convolution instead of the first 1x1.",
            ),
            Erratum(
                'VGG-16: "15.3 billion FLOPs"',
                lambda: convolutions_and_all("vgg16"),
                "Convolutions only, whereas the next row counts everything.",
            ),
            Erratum(
                'VGG-19: "19.6 billion FLOPs"',
                lambda: convolutions_and_all("vgg19"),
                "With the fully connected layers, so that the two cannot be compared.",
            ),
        ),
    ),
    Source(
        "Residual networks as ensembles: 95 % of paths",
        "Veit, Wilber and Belongie, arXiv:1605.06431; ResNet-110 has 54 modules and 2^54 paths",
        (
            Erratum(
                "95 % of paths go through 19 to 35 modules",
                lambda: share_text(19, 35),
                "Path lengths are binomial; the interval is wider than said.",
            ),
            Erratum(
                "the same, as the central interval of at least 95 %",
                lambda: share_text(20, 34),
                "The narrowest interval around the mean of 27 that has 95 %. The paper's 0.45 % of "
                "paths with 5 to 17 modules is exact.",
            ),
        ),
    ),
    Source(
        "FractalNet: 38.6M parameters",
        "Larsson et al., arXiv:1605.07648, as quoted by Huang et al., arXiv:1608.06993, Table 2",
        (
            Erratum(
                "FractalNet of depth 21: 38.6M",
                lambda: f"{total('fractalnet20-cifar', 'params'):,} parameters",
                "Three columns, five blocks of 64, 128, 256, 512 and 512 channels, as in the "
                "authors' generator. No simple reading of the paper gives 38.6M.",
            ),
        ),
    ),
    Source(
        "Inception-v3: 42 layers, 4.8 billion operations",
        "Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567, Table 3 for the "
        "operations; the 42 as it is commonly quoted",
        (
            Erratum(
                "42 layers",
                lambda: f"{total('inception-v3', 'depth')} weight layers on the longest path",
                "Of the network as released and as everyone runs it, counted as ResNet-50 counts "
                "its 50.",
            ),
            Erratum(
                "4.8 billion multiply-adds",
                lambda: macs("inception-v3"),
                "The released network, at 299x299.",
            ),
        ),
    ),
    Source(
        "AlexNet: an input of 224",
        "Krizhevsky et al., NIPS 2012, section 3.5",
        (
            Erratum(
                "224x224 input, 11x11 filters, stride 4",
                lambda: f"{(224 - 11) / 4 + 1:g} positions at 224, {(227 - 11) // 4 + 1} at 227",
                "The convolution does not fit 224 without padding; 227 gives the 55 of the layers "
                "that follow. The 60 million parameters are right.",
            ),
        ),
    ),
    Source(
        "timm: results tables",
        "github.com/huggingface/pytorch-image-models, results/, columns of GMACs counted by fvcore",
        (
            Erratum(
                "sequencer2d_s: 4.96 GMACs",
                lambda: macs("timm:sequencer2d_s", 0),
                "fvcore has no formula for an LSTM and leaves it out. So for _m and _l.",
            ),
            Erratum(
                "convmixer_768_32: 19.55 GMACs",
                lambda: macs("timm:convmixer_768_32", 0),
                "fvcore skips convolutions with padding='same', here all depthwise ones.",
            ),
            Erratum(
                "ecaresnext50t_32x4d: 2.70 GMACs, 15.41M parameters",
                lambda: (
                    f"{macs('timm:ecaresnext50t_32x4d', 0)}, "
                    f"{millions(total('timm:ecaresnext50t_32x4d', 'params'))} parameters"
                ),
                "The row is that of a network of 26 layers; today's builder makes 50.",
            ),
            Erratum(
                "ghostnetv3_100: 0.17 GMACs",
                lambda: macs("timm:ghostnetv3_100", 0),
                "Counted after its branches were merged for inference; as built it has them all.",
            ),
        ),
    ),
    Source(
        "torchvision: weights metadata",
        "torchvision 0.28, Inception_V3_Weights.IMAGENET1K_V1 and others",
        (
            Erratum(
                "ResNet-50: _ops = 4.089, in documents headed GFLOPS",
                lambda: (
                    f"{macs('torchvision:resnet50')}, "
                    f"{millions(total('torchvision:resnet50', 'flops'))} FLOPs"
                ),
                "The figures are MACs, for every model.",
            ),
            Erratum(
                "Inception-v3: num_params = 27,161,264",
                lambda: f"{total('inception-v3', 'params'):,} parameters in inference",
                "The auxiliary classifier is included, which runs in training only.",
            ),
        ),
    ),
)


def page() -> str:
    """The page, whole."""
    return "\n".join([_INTRODUCTION, *(line for source in SOURCES for line in _section(source))])


def _section(source: Source) -> Iterator[str]:
    yield f"## {source.title}\n"
    yield f"{source.where}.\n"
    yield "| printed | exact | why |"
    yield "|---|---|---|"
    for erratum in source.errata:
        yield f"| {erratum.printed} | {erratum.exact()} | {erratum.why} |"
    yield ""


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the page differs.")
def main(check: bool) -> None:
    """Generate docs/published-errata.md."""
    text = page()
    if check:
        raise SystemExit(0 if PAGE.read_text(encoding="utf-8") == text else 1)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
