"""What a study consists of: plain records that can be pickled, printed and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

State = Literal["done", "failed"]


@dataclass(frozen=True)
class Setting:
    """A network and how it is run: one row of the exported table."""

    reference: str
    batch: int = 1
    size: int | None = None  # height and width of its image; its own by default
    inputs: tuple[str, ...] = ()  # as `--input` takes them, in place of a size
    dtype: str | None = None  # the network's own by default
    mode: str = "inference"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The same as JSON, of which there is one for each setting."""
        return json.dumps({**vars(self), "options": dict(self.options)}, sort_keys=True)

    @property
    def text_of_input(self) -> str:
        """The same for all batches, dtypes and modes of a network with that input."""
        return replace(self, batch=1, dtype=None, mode="inference").text

    @property
    def text_of_options(self) -> str:
        """The options as JSON."""
        return json.dumps(dict(self.options), sort_keys=True)

    @staticmethod
    def read(text: str) -> Setting:
        """What ``text`` was made from."""
        found = json.loads(text)
        return Setting(**{**found, "inputs": tuple(found["inputs"])})


@dataclass(frozen=True)
class Cell:
    """One analysis of one setting. ``key`` stands for everything that its result depends on."""

    key: str
    analysis: str
    device: str = ""  # only of a measurement


@dataclass(frozen=True)
class Limits:
    """What one process may take: seconds without a result, and bytes of memory.

    Where no memory is given, an engine lets each process have an equal share of what there is.
    """

    seconds: float = 600.0
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Measurement:
    """How latency is measured; see ``archscope.latency``."""

    max_seconds: float = 20.0
    precision: float = 0.01
    threads: int | None = None


@dataclass(frozen=True)
class Task:
    """Cells of one setting that share one run, and what they were planned with.

    ``device`` is what must be left alone meanwhile: "" nothing, "cpu" the whole machine, "cuda:0"
    that one. ``fingerprint`` has the versions and the contents of files of the plan.
    """

    setting: Setting
    cells: tuple[Cell, ...]
    fingerprint: Mapping[str, str]
    device: str = ""
    limits: Limits = field(default_factory=Limits)
    measurement: Measurement = field(default_factory=Measurement)


@dataclass(frozen=True)
class Result:
    """What became of one cell: ``values`` of columns, or the ``reason`` why there are none.

    ``cpu_seconds`` and ``seconds`` of a run that several cells share are divided among them.
    """

    key: str
    state: State
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    finished: str = ""  # UTC, ISO 8601
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None
    attempts: int = 1
