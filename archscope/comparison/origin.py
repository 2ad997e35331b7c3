"""Where a network comes from: its source, its family, the year of its paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archscope.errors import InvalidInput, UnknownName
from archscope.models.catalog import find
from archscope.sources.grammar import source_of
from archscope.sources.packages import optional

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Origin:
    """``source`` is zoo, torchvision, timm, hf, file or module; ``year`` None if not known."""

    source: str
    family: str | None
    year: int | None = None


def origin(model: str | nn.Module) -> Origin:
    """Of a reference, or of a module, whose class is its family.

    Nothing is built and no file is run.

    Raises:
        ArchscopeError: there is no such name or file, or the package of the source is missing.
    """
    if not isinstance(model, str):
        return Origin("module", type(model).__name__)
    source, name = source_of(model)
    match source.__name__.rpartition(".")[2]:
        case "zoo":
            architecture = find(name)
            return Origin("zoo", architecture.family, architecture.year)
        case "torchvision":
            return Origin("torchvision", _torchvision_family(name))
        case "timm":
            return Origin("timm", _timm_family(name))
        case "huggingface":
            return Origin("hf", source.configuration(name).model_type)
        case "exported":
            return Origin("file", _existing(name).stem)
    place = name.rpartition(":")[0] or name
    if place.endswith(".py"):
        return Origin("file", _existing(place).stem)
    return Origin("module", place.rpartition(".")[2])


def _torchvision_family(name: str) -> str:
    """The module of the builder: resnet, vision_transformer, faster_rcnn."""
    models = optional("torchvision").models
    if name not in models.list_models():
        raise UnknownName("torchvision model", name, models.list_models(), see="torchvision:*")
    return models.get_model_builder(name).__module__.rpartition(".")[2]


def _timm_family(name: str) -> str:
    timm = optional("timm")
    if not timm.models.is_model(name):
        raise UnknownName("timm model", name, timm.list_models(), see="timm:*")
    return timm.models.model_entrypoint(name).__module__.rpartition(".")[2]


def _existing(file: str) -> Path:
    if not Path(file).is_file():
        raise InvalidInput(f"there is no file {file}")
    return Path(file)
