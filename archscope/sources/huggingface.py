"""transformers' models from their configuration alone: no weights, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archscope.arguments import positive
from archscope.errors import ArchscopeError, InvalidInput, UnknownName
from archscope.sources.building import built
from archscope.sources.packages import optional
from archscope.sources.subject import Request, Subject

SEQUENCE = 128  # tokens, where a person gives no seq_len
SECONDS_OF_AUDIO = 1
SAMPLING_RATE = 16_000
MEL_FRAMES = 3000  # Whisper's 30 seconds
IMAGE = 224


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
        raise InvalidInput(f"{path} cannot be built: {type(error).__name__}: {error}") from error
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
    known = transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES
    if path in known and not Path(path).exists():
        content = {"model_type": path}
    else:
        content = _read(Path(path) / "config.json" if Path(path).is_dir() else Path(path))
    kind = content.pop("model_type", None)
    if kind not in known:
        raise UnknownName("model_type", str(kind), known, see="transformers-cli env")
    return transformers.AutoConfig.for_model(kind, **{**content, **(changes or {})})


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
    """Keyword inputs for a model of transformers, as shapes with dtypes, by what it reads first."""
    import torch

    from archscope.trace.inputs import TensorSpec

    config = model.config
    text = getattr(config, "text_config", None) or config
    limit = getattr(text, "max_position_embeddings", None) or SEQUENCE
    ids = TensorSpec((batch, length or min(SEQUENCE, limit)), torch.int64)
    first = model.main_input_name
    found = {first: ids}
    if first == "input_values":
        found = {first: TensorSpec((batch, SECONDS_OF_AUDIO * SAMPLING_RATE))}
    elif first == "input_features":
        mel_bins = getattr(config, "num_mel_bins", 80)
        found = {first: TensorSpec((batch, mel_bins, MEL_FRAMES))}
    elif first == "pixel_values" or hasattr(config, "vision_config"):
        text_inputs = {"input_ids": ids} if hasattr(config, "text_config") else {}
        found = {**text_inputs, "pixel_values": TensorSpec((batch, *_image(config)))}
    if getattr(config, "is_encoder_decoder", False):
        found["decoder_input_ids"] = ids
    return found


def _name(path: Path) -> str:
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def _image(config: Any) -> tuple[int, ...]:
    vision = getattr(config, "vision_config", None) or config
    size = getattr(vision, "image_size", None) or IMAGE
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return getattr(vision, "num_channels", 3), height, width


def _model_class(config: Any, task: str | None) -> Any:
    transformers = optional("transformers")
    if task is None:
        for name in config.architectures or ():
            if hasattr(transformers, name):
                return getattr(transformers, name)
        return transformers.AutoModel
    prefix = "AutoModelFor"
    tasks = [name.removeprefix(prefix) for name in dir(transformers) if name.startswith(prefix)]
    if task not in tasks:
        raise UnknownName("task", task, tasks, see="dir(transformers)")
    return getattr(transformers, prefix + task)


def _is_auto(cls: Any) -> bool:
    return hasattr(cls, "from_config")
