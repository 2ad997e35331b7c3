"""torchvision's builders: classification, segmentation, detection, video and optical flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archscope.errors import InvalidInput, UnknownName
from archscope.sources.building import built
from archscope.sources.packages import optional
from archscope.sources.subject import Request, Subject

# Sizes for what the weights do not name, as torchvision counted its own published operations.
SEGMENTATION = (3, 520, 520)
DETECTION = (3, 800, 800)
SSD = {"ssd300_vgg16": (3, 300, 300), "ssdlite320_mobilenet_v3_large": (3, 320, 320)}
FLOW = (3, 520, 960)
FRAMES = 16


def names() -> list[str]:
    """Every builder of torchvision."""
    return optional("torchvision").models.list_models()


def resolve(name: str, request: Request) -> Subject:
    """Build a model of torchvision without its weights.

    The input is the one that its first published weights were evaluated with. A detector takes a
    list of images, one for each sample of the batch, and in training one object in each.

    Raises:
        UnknownName: torchvision has no such builder.
        InvalidInput: an option that the builder refuses.
    """
    builder = _builder(name)
    options = {**_without_weights(builder), **request.options}
    try:
        model, warnings = built(lambda: builder(**options), real=request.real)
    except (TypeError, ValueError, AssertionError) as error:
        raise InvalidInput(f"torchvision's {name} cannot be built: {error}") from error
    inputs, kwargs = request.arguments(*_samples(name, builder))
    if _takes_images(builder):
        _let_boxes_be_suppressed()
        image = inputs[0].shape[1:]
        inputs = ([image] * request.batch,)
        if request.mode == "training":
            inputs = (*inputs, [_target(name, image) for _ in range(request.batch)])
        warnings += ("a detector's cost depends on what it detects; these weights are random",)
    return request.subject(name, model, (inputs, kwargs), warnings)


def own_sample(name: str, request: Request) -> tuple[tuple[int, ...], ...] | None:
    """The shapes of one sample; None of a detector, which takes a list."""
    builder = _builder(name)
    return None if _takes_images(builder) else _samples(name, builder)


def _builder(name: str) -> Callable[..., Any]:
    models = optional("torchvision").models
    if name not in models.list_models():
        raise UnknownName(
            "torchvision model", name, models.list_models(), see="torchvision.models.list_models()"
        )
    return models.get_model_builder(name)


def weights(name: str) -> list[Any]:
    """The entries of weights that torchvision publishes for a builder, the first one first."""
    return list(optional("torchvision").models.get_model_weights(name))


def evaluation_shape(entry: Any) -> tuple[int, ...] | None:
    """The image that an entry of weights was evaluated with, or None where it does not say."""
    settings = getattr(entry.transforms, "keywords", {})
    crop = settings.get("crop_size")
    if crop is None:
        return None
    return (3, *crop) if isinstance(crop, tuple) else (3, crop, crop)


def _without_weights(builder: Callable[..., Any]) -> dict[str, Any]:
    """No download, and no slow initialisation where a builder does it unasked."""
    module = builder.__module__
    options: dict[str, Any] = {"weights": None}
    if ".detection." in module or ".segmentation." in module:
        options["weights_backbone"] = None
    if module.endswith((".googlenet", ".inception")) and ".quantization" not in module:
        options["init_weights"] = False
    return options


def _samples(name: str, builder: Callable[..., Any]) -> tuple[tuple[int, ...], ...]:
    module = builder.__module__
    if ".detection." in module:
        return (SSD.get(name, DETECTION),)
    if ".segmentation." in module:
        return (SEGMENTATION,)
    if ".optical_flow." in module:
        return FLOW, FLOW
    shapes = [shape for entry in weights(name) if (shape := evaluation_shape(entry))]
    shape = min(shapes, default=(3, 224, 224))
    return ((shape[0], FRAMES, *shape[1:]),) if ".video." in module else (shape,)


def _takes_images(builder: Callable[..., Any]) -> bool:
    return ".detection." in builder.__module__


def _target(name: str, image: tuple[int, ...]) -> dict[str, Any]:
    """One object in the middle of an image (3, H, W): what a detector learns from."""
    import torch

    height, width = image[1:]
    box = [width / 4, height / 4, 3 * width / 4, 3 * height / 4]
    target = {"boxes": torch.tensor([box]), "labels": torch.ones(1, dtype=torch.int64)}
    if name.startswith("maskrcnn"):
        target["masks"] = torch.ones(1, height, width, dtype=torch.uint8)
    if name.startswith("keypointrcnn"):
        target["keypoints"] = torch.tensor([width / 2, height / 2, 1.0]).expand(1, 17, 3)
    return target


_kernels: list[Any] = []  # a library's kernels live as long as it does


def _let_boxes_be_suppressed() -> None:
    """Detectors call ``torchvision::nms``, which has no kernel where its operators did not load."""
    import torch

    extension = optional("torchvision").extension
    if extension._has_ops() or _kernels:
        return
    library = torch.library.Library("torchvision", "IMPL")
    library.impl("nms", _suppressed, "CPU")
    _kernels.append(library)
    extension._has_ops = lambda: True  # what nms asks before it calls its operator


def _suppressed(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """The indices of the boxes (n, 4) that no better one overlaps by more, the best first."""
    import torch

    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # (n,)
    order = scores.argsort(descending=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        corner = torch.maximum(boxes[best, :2], boxes[rest, :2])
        sides = (torch.minimum(boxes[best, 2:], boxes[rest, 2:]) - corner).clamp(min=0)
        shared = sides[:, 0] * sides[:, 1]
        order = rest[shared <= iou_threshold * (area[best] + area[rest] - shared)]
    return torch.stack(kept) if kept else order
