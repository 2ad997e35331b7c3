"""timm's architectures."""

from __future__ import annotations

from archscope.errors import InvalidInput, UnknownName
from archscope.sources.building import built
from archscope.sources.packages import optional
from archscope.sources.subject import Request, Subject


def names() -> list[str]:
    """Every architecture of timm, without the tags of its weights."""
    return optional("timm").list_models()


def resolve(name: str, request: Request) -> Subject:
    """Build an architecture of timm without its weights.

    The input is the ``input_size`` of its pretrained configuration. A name may carry the tag of
    weights (``vit_base_patch16_224.augreg_in21k``), whose configuration then counts. Another
    input size is passed to the builder as ``img_size`` where the architecture fixes its own.

    Raises:
        UnknownName: timm has no such architecture.
        InvalidInput: an option that the builder refuses.
    """
    timm = optional("timm")
    _check_name(name)
    options = dict(request.options)
    if len(request.input) == 1 and _fixes_its_input(name):
        options.setdefault("img_size", request.input[0].shape[1:])
    try:
        model, warnings = built(
            lambda: timm.create_model(name, pretrained=False, **options), real=request.real
        )
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise InvalidInput(f"timm's {name} cannot be built: {error}") from error
    arguments = request.arguments(tuple(model.pretrained_cfg["input_size"]))
    return request.subject(name, model, arguments, warnings)


def own_sample(name: str, request: Request) -> tuple[tuple[int, ...], ...] | None:
    """The shape of one image, of a model without options: these may change its configuration."""
    _check_name(name)
    configuration = optional("timm").models.get_pretrained_cfg(name, allow_unregistered=True)
    if request.options or configuration is None:
        return None
    return (tuple(configuration.input_size),)


def _check_name(name: str) -> None:
    timm = optional("timm")
    if not timm.models.is_model(name):
        raise UnknownName("timm model", name, timm.list_models(), see="timm:*")


def _fixes_its_input(name: str) -> bool:
    configuration = optional("timm").models.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(configuration and configuration.fixed_input_size)


def default_tag(name: str) -> str:
    """The tag of the weights that timm loads for an architecture unless told otherwise."""
    configuration = optional("timm").models.get_pretrained_cfg(name, allow_unregistered=True)
    return configuration.tag if configuration else ""
