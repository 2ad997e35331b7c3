"""What every source is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archscope.sources.inputs import InputSpec, arguments

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subject:
    """A model, what to call it with (tensors or their shapes), and where it comes from."""

    name: str
    model: nn.Module
    inputs: tuple[Any, ...]
    batch: int
    options: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """A reference with the settings that a person gave beside it."""

    reference: str
    batch: int = 1
    input: tuple[InputSpec, ...] = ()
    mode: str = "inference"
    options: Mapping[str, Any] = field(default_factory=dict)
    real: bool = False  # weights with values, on the CPU

    def arguments(self, *sample: tuple[int, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The given inputs, or else ``sample``: the shapes of one sample."""
        return arguments(self.input or tuple(map(InputSpec, sample)), self.batch)

    def subject(
        self,
        name: str,
        model: nn.Module,
        arguments: tuple[tuple[Any, ...], Mapping[str, Any]],
        warnings: tuple[str, ...] = (),
    ) -> Subject:
        """The answer: what was built, with its positional and keyword inputs."""
        return Subject(
            name=name,
            model=model,
            inputs=arguments[0],
            kwargs=arguments[1],
            batch=self.batch,
            options=self.options,
            reference=self.reference,
            warnings=warnings,
        )
