"""Where a network comes from: its source, its family, the year of its paper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archscope.errors import InvalidInput, UnknownName
from archscope.models.catalog import find
from archscope.sources.grammar import source_of
from archscope.sources.packages import optional

if TYPE_CHECKING:
    from torch import nn


# arxiv.org/abs/1512.03385: of 2015, December.
_ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/(\d\d)\d\d\.\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """``source`` is zoo, torchvision, timm, hf, file or module.

    ``year`` is that of the paper, as the zoo's catalogue or torchvision's documentation name it.
    timm's does not do so for each architecture: then it is None, and nobody guesses.
    """

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
            return _of_torchvision(name)
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


def _of_torchvision(name: str) -> Origin:
    """The module of the builder (resnet, faster_rcnn) and the newest paper of its docstring."""
    models = optional("torchvision").models
    if name not in models.list_models():
        raise UnknownName("torchvision model", name, models.list_models(), see="torchvision:*")
    builder = models.get_model_builder(name)
    years = [2000 + int(year) for year in _ARXIV.findall(builder.__doc__ or "")]
    return Origin("torchvision", builder.__module__.rpartition(".")[2], max(years, default=None))


def _timm_family(name: str) -> str:
    timm = optional("timm")
    if not timm.models.is_model(name):
        raise UnknownName("timm model", name, timm.list_models(), see="timm:*")
    return timm.models.model_entrypoint(name).__module__.rpartition(".")[2]


def _existing(file: str) -> Path:
    if not Path(file).is_file():
        raise InvalidInput(f"there is no file {file}")
    return Path(file)
