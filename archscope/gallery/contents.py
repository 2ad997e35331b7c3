"""The sections of the report, in the order of the course: what is shown, and by which command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archscope.gallery.canziani import derived_figures, measured_figures
from archscope.gallery.data import Measured
from archscope.gallery.items import DATA, Absent, Item, Listing, Picture, Section, Suggested
from archscope.gallery.networks import CANZIANI, FLOW, PATHS, RECURRENT, STEPS

ZOOS = "zoo-study.csv.gz"


def sections(measured: Measured) -> list[Section]:
    """All of the report but the explorer and the pages of single networks.

    Args:
        measured: what there is to draw from beside what is derived.
    """
    return [
        _lecture(),
        _inception(),
        _depth(measured),
        _memory(),
        Section(
            "Canziani's ten figures: what is derived",
            "Figures 1, 2, 5, 6 and 10 of Canziani, Paszke and Culurciello, "
            "[arXiv:1605.07678](https://arxiv.org/abs/1605.07678), for their networks but ENet, "
            "which is not in the zoo. They need no device. Their Figures 5 and 6 show what the "
            "system of a board had given away; these show what the network itself holds.",
            derived_figures(),
        ),
        *measured_figures(measured),
        _recurrent(measured),
        _growth(),
        *_whole_zoos(measured),
    ]


def _lecture() -> Section:
    return Section(
        "The course's table of VGG",
        "Layer by layer: activations are many in the beginning, where the picture is large; "
        "parameters are many at the end, where everything is connected to everything. The notes of "
        "CS231n print this table with a sum of 24M activations; its own lines add up to 15.2M.",
        [
            Listing("VGG-16", "", ("table", "vgg16")),
            Picture(
                "vgg16-layers",
                "Where VGG-16 spends",
                "Activations and parameters at opposite ends, multiply-accumulates in between.",
                ("layers", "vgg16", "--cost", "activations,params,macs"),
            ),
        ],
    )


def _inception() -> Section:
    return Section(
        "The two Inception modules",
        "The module as it was first thought of, and as GoogLeNet has it, with 1x1 convolutions "
        "that reduce the channels before the large filters: a third of the work.",
        [
            Listing(
                "Both beside each other",
                "",
                (
                    *("compare", "inception-naive", "inception-bottleneck"),
                    *("--relative-to", "inception-naive"),
                    *("--columns", "model,input_shape,params,macs,macs_relative,activations"),
                ),
            ),
            Listing("Naive", "", ("table", "inception-naive")),
            Listing("With bottlenecks", "", ("table", "inception-bottleneck")),
            Picture(
                "googlenet-blocks",
                "Where GoogLeNet spends",
                "By block; its last layer is a small part of its parameters, unlike VGG's.",
                ("layers", "googlenet", "--level", "block", "--cost", "activations,params,macs"),
            ),
        ],
    )


def _depth(measured: Measured) -> Section:
    columns = "model,depth,shortest_path,paths,mean_path,params,macs,top1,protocol"
    plain = ("plain18", "plain34", "resnet18-a", "resnet34-a")
    return Section(
        "Depth, degradation and gradients",
        "A deeper plain network is worse, a deeper residual one better, at the same parameters "
        "and the same work: He et al., [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), "
        "Table 2. What differs are the paths. A residual network has routes of many lengths, and "
        "most of its gradient comes along short ones, as Veit et al., "
        "[arXiv:1605.06431](https://arxiv.org/abs/1605.06431), sampled; here it is exact. "
        "Gradients are of random weights, with fixed seeds, before any training.",
        [
            Listing(
                "Degradation",
                "",
                ("compare", *plain, "--protocol", "10-crop", "--columns", columns),
            ),
            Listing(
                "Paths of networks for CIFAR",
                "",
                (
                    *("compare", *FLOW, "preact-resnet110-cifar", "fractalnet20-cifar"),
                    *("--columns", "model,depth,shortest_path,paths,mean_path,params,macs"),
                ),
            ),
            _of_gradients(
                measured,
                "gradient-flow",
                Picture(
                    "gradient-flow",
                    "The gradient at every layer",
                    "Without shortcuts the gradient is multiplied by about the same factor at "
                    "every layer on its way to the input, batch normalisation or not, so that it "
                    "grows exponentially with depth; with shortcuts it hardly does.",
                    ("gradient-flow", *FLOW),
                ),
            ),
            _of_gradients(
                measured,
                "gradient-paths",
                Picture(
                    "path-lengths",
                    "Paths, and the gradient along them",
                    "The longest path says little: the dotted lines are where the gradient's norm "
                    "has its mean, the effective depth.",
                    ("depth", *PATHS),
                ),
            ),
            Picture(
                "accuracy-vs-longest-path",
                "Accuracy over the longest path",
                "Depth as the papers count it.",
                ("accuracy-vs-depth", *CANZIANI, "--depth", "longest"),
            ),
            _of_gradients(
                measured,
                "gradient-paths",
                Picture(
                    "accuracy-vs-effective-depth",
                    "Accuracy over effective depth",
                    "The same networks by the length of the paths that the gradient takes.",
                    ("accuracy-vs-depth", *CANZIANI, "--depth", "effective"),
                ),
            ),
        ],
    )


def _of_gradients(measured: Measured, kind: str, picture: Picture) -> Item:
    """The picture from what was measured, or that nobody has."""
    if kind not in measured.gradients:
        reason = f"there is no `data/{kind}.json`; `archscope report --measure` measures it"
        return Absent(picture.title, reason)
    words = (*picture.words, "--measured", f"{DATA}/{kind}.json")
    return Picture(picture.name, picture.title, picture.text, words)


def _memory() -> Section:
    columns = "model,params,weight_bytes,peak_bytes,training_peak_bytes"
    return Section(
        "Memory",
        "Bytes alive at each moment of a run, from the lifetimes of its tensors. Inference frees "
        "what it has used; training keeps it for the backward pass.",
        [
            Picture(
                "memory-inference",
                "One inference of ResNet-50",
                "",
                ("memory-timeline", "resnet50", "--batch", "16"),
            ),
            Picture(
                "memory-training",
                "One training step of ResNet-50",
                "Activations pile up during the forward pass and go during the backward pass, "
                "while gradients grow; Adam keeps two numbers for each parameter.",
                (
                    *("memory-timeline", "resnet50", "--batch", "16", "--mode", "training"),
                    *("--optimizer", "adam"),
                ),
            ),
            Listing(
                "How the peak grows with the batch",
                "",
                (
                    *("memory", "resnet50", "--mode", "training", "--over", "batch=1..256"),
                    *("--fit", "24GiB"),
                ),
            ),
            Listing(
                "Training against inference",
                "At batch 16, a forward and a backward pass without an optimizer.",
                (
                    *("compare", *CANZIANI, "--batch", "16", "--columns", columns),
                    *("--sort", "training_peak_bytes"),
                ),
            ),
        ],
    )


def _recurrent(measured: Measured) -> Section:
    return Section(
        "Recurrent networks through time",
        "Unfolded, a recurrent network is as deep as its sequence is long. The cell state of an "
        "LSTM crosses a time step without a weight layer: its shortest path does not grow with "
        "the lag.",
        [
            _of_gradients(
                measured,
                "gradient-through-time",
                Picture(
                    "through-time",
                    "Path lengths and the gradient against the time lag",
                    "Random weights, before any training.",
                    ("through-time", *RECURRENT, "--seq-len", str(STEPS)),
                ),
            ),
            Listing(
                "An LSTM over ten steps", "", ("depth", "lstm", "--through-time", "--seq-len", "10")
            ),
            Listing(
                "Cells, and Karpathy's char-rnn",
                "The whole sequence; parameters are the same at every step.",
                (
                    *("compare", *RECURRENT, "char-rnn*", "--columns"),
                    "model,input_shape,params,macs,activations,peak_bytes,training_peak_bytes,depth",
                ),
            ),
            Picture(
                "recurrent-scaling",
                "Work over the length of the sequence",
                "Proportional, whatever the cell.",
                ("scaling", *RECURRENT, "--over", "seq_len=64..512:64", "--cost", "macs"),
            ),
        ],
    )


def _growth() -> Section:
    fully_convolutional: Sequence[str] = ("nin", "googlenet", "resnet50", "inception-v4")
    return Section(
        "More pictures",
        "",
        [
            Picture(
                "timeline",
                "Accuracy over the years",
                "",
                ("timeline", *CANZIANI, "--cost", "top1"),
            ),
            Picture(
                "resolution",
                "Work over resolution",
                "Convolutions grow with the area of the picture.",
                ("scaling", *fully_convolutional, "--over", "input=128..512:64", "--cost", "macs"),
            ),
            Picture(
                "roofline-h100",
                "ResNet-50 under the ceilings of an H100",
                "Derived from the card's data sheet and the bytes and operations of each layer; "
                "nothing here was measured.",
                ("roofline", "resnet50", "--batch", "32", "--device", "h100"),
            ),
        ],
    )


def _whole_zoos(measured: Measured) -> Iterator[Section]:
    if ZOOS not in measured.about:
        return
    table = ("--from", f"{DATA}/{ZOOS}")
    conditions = ZOOS.replace(".csv.gz", ".json")
    yield Section(
        "All of torchvision and timm",
        "Every model of both, counted by archscope in one run, and how long that took beside "
        f"other counters. The rows are in [data/{ZOOS}](data/{ZOOS}), their conditions in "
        f"[data/{conditions}](data/{conditions}).",
        [
            Picture(
                "torchvision",
                "Accuracy over operations, torchvision",
                "Those whose accuracy torchvision publishes.",
                ("accuracy-vs-ops", "torchvision:*", *table, "--ops", "macs"),
            ),
            Picture(
                "zoos-memory",
                "Memory over parameters, both",
                "Inference of one sample.",
                ("memory-vs-params", *table),
            ),
            Suggested(
                "Explore them",
                "A page of 1.3 MB that opens offline. Times are axes as all else is: choose "
                "*Archscope CPU* and *Fvcore CPU*, in CPU milliseconds. `--layers` counts the "
                "layers of each, too, which takes minutes.",
                ("explore", *table, "-o", "zoos.html"),
            ),
        ],
    )
