"""transformers' models from their configuration alone: no weights, no network."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from archscope.arguments import positive
from archscope.errors import ArchscopeError, InvalidInput, UnknownName, first_line
from archscope.sources.building import built
from archscope.sources.packages import optional
from archscope.sources.subject import Request, Subject

_HEAD = "AutoModelFor"


def resolve(path: str, request: Request) -> Subject:
    """Build a model of transformers from a configuration.

    The class is the one that the configuration names under ``architectures``, or the one of the
    option ``task``: "CausalLM" for ``AutoModelForCausalLM``. The option ``seq_len`` sets the
    length of a text; every other option replaces an entry of the configuration
    (``num_hidden_layers=2``).

    Raises:
        InvalidInput: no such file, or not a configuration that transformers knows.
        UnknownName: an unknown task.
    """
    options = dict(request.options)
    task, length = options.pop("task", None), options.pop("seq_len", None)
    if length is not None:
        positive("seq_len", length)
    config = configuration(path, options)
    cls = _model_class(config, task)
    try:
        model, warnings = built(
            lambda: cls.from_config(config) if _is_auto(cls) else cls(config), real=request.real
        )
    except ArchscopeError:
        raise
    except Exception as error:
        line = first_line(error)
        raise InvalidInput(f"{path} cannot be built: {type(error).__name__}: {line}") from error
    inputs, kwargs = request.arguments()
    if not request.input:
        kwargs = model_inputs(model, request.batch, length)
    return request.subject(_name(Path(path)), model, (inputs, kwargs), warnings)


def configuration(path: str, changes: dict[str, Any] | None = None) -> Any:
    """The configuration in a JSON file, or in a directory's config.json, with changes.

    A model type ("llama") in place of a file stands for that type's default configuration.

    Raises:
        InvalidInput: no such file, or not a configuration that transformers knows.
    """
    transformers = optional("transformers")
    known = _types()
    if path in known and not Path(path).exists():
        content = {"model_type": path}
    else:
        content = _read(Path(path) / "config.json" if Path(path).is_dir() else Path(path))
    kind = content.pop("model_type", None)
    if kind not in known:
        raise UnknownName("model_type", str(kind), known, see="transformers-cli env")
    try:
        return transformers.AutoConfig.for_model(kind, **{**content, **(changes or {})})
    except Exception as error:
        line = " ".join(str(error).split())[:200]  # it may list all model types
        raise InvalidInput(f"{path} is no configuration of {kind}: {line}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(
            f"there is no configuration {file}; nothing is downloaded: give a directory "
            "with a config.json, the file, or a model type such as hf:llama"
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"{file} is not a configuration: it holds no JSON object")
    return content


def model_inputs(model: Any, batch: int, length: int | None = None) -> dict[str, Any]:
    """Keyword inputs for a model of transformers, by the names that its forward takes.

    Args:
        model: a ``PreTrainedModel``.
        batch: samples.
        length: tokens of a text; 128 by default, or as many as the model has positions for.

    Returns:
        A shape with its dtype for each, or a tensor where values matter.
    """
    from archscope.sources.huggingface.inputs import Wanted, named_inputs
    from archscope.sources.huggingface.kinds import OF_TYPE
    from archscope.sources.huggingface.placeholders import with_placeholders

    wanted = Wanted(model, batch, length)
    return with_placeholders(wanted, named_inputs(wanted, OF_TYPE.get(model.config.model_type, {})))


def _name(path: Path) -> str:
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def names() -> list[str]:
    """Every model type that transformers can make a configuration of."""
    return list(_types())


def _types() -> Mapping[str, str]:
    return optional("transformers").models.auto.configuration_auto.CONFIG_MAPPING_NAMES


def _model_class(config: Any, task: str | None) -> Any:
    """The class that a task, or else the configuration, names; or else what it is made for."""
    transformers = optional("transformers")
    if task is not None:
        tasks = [head.removeprefix(_HEAD) for head in _heads(transformers)]
        if task not in tasks:
            raise UnknownName("task", task, tasks, see="dir(transformers)")
        return getattr(transformers, _HEAD + task)
    for name in config.architectures or ():
        if hasattr(transformers, name):
            return getattr(transformers, name)
    for name in ("AutoModel", *_heads(transformers)):
        auto = getattr(transformers, name)
        if type(config) in auto._model_mapping:
            return auto
    return _class_of_its_own(config)


def _heads(transformers: Any) -> list[str]:
    return [name for name in dir(transformers) if name.startswith(_HEAD)]


def _class_of_its_own(config: Any) -> Any:
    """A model, such as CLIP's text encoder, that no task is named for.

    Raises:
        InvalidInput: transformers has no model of this configuration alone.
    """
    from torch import nn

    transformers, no_forward = optional("transformers"), nn.Module.forward
    module = type(config).__module__.replace(".configuration_", ".modeling_")
    found = importlib.import_module(module) if find_spec(module) else None
    for value in vars(found or object).values():
        is_model = isinstance(value, type) and issubclass(value, transformers.PreTrainedModel)
        if is_model and value.config_class is type(config) and value.forward is not no_forward:
            return value
    raise InvalidInput(
        f"{config.model_type} is a part of other models: transformers has no model of it alone"
    )


def _is_auto(cls: Any) -> bool:
    return hasattr(cls, "from_config")
