"""The folder of measured data: which devices and gradients there are, and under what conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archscope.errors import InvalidInput
from archscope.models.catalog import architectures

_GRADIENTS = ("gradient-paths", "gradient-flow", "gradient-through-time")
_TABLES = (".csv", ".csv.gz")
_IMAGE = 3  # sizes of an image: channels, height, width


@dataclass(frozen=True, slots=True)
class Device:
    """A machine that was measured."""

    name: str  # of its file, without the ending
    title: str
    conditions: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    def networks(self, column: str) -> tuple[str, ...]:
        """The image networks of the zoo with that measurement at the least batch size of all."""
        found = [row for row in self.rows if row.get(column) is not None and _of_images(row)]
        least = min((row["batch"] for row in found), default=None)
        return tuple(dict.fromkeys(row["model"] for row in found if row["batch"] == least))

    def why_not(self, kind: str) -> str:
        """What the rows of a kind say of why they hold nothing."""
        told = [row.get("status") for row in self.rows if row.get("kind") == kind]
        reasons = dict.fromkeys(str(status) for status in told if status not in (None, "ok"))
        return (
            "; ".join(reasons).removeprefix("not measured: ")
            or f"no {kind} of this device has been measured"
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """All that lies in the folder ``data`` of a report."""

    folder: Path
    devices: Sequence[Device]
    gradients: frozenset[str]
    about: Mapping[str, str]  # a line on each file

    @property
    def explored(self) -> tuple[str, ...]:
        """The file of the first device with latencies; a network has those of one device only."""
        timed = [device for device in self.devices if device.networks("latency_ms_p50")]
        return tuple(f"{device.name}.json" for device in timed[:1])


def read(folder: Path) -> Measured:
    """What a folder has; nothing if there is none.

    Raises:
        InvalidInput: a file cannot be read.
    """
    devices, gradients, about = [], set(), {}
    for path in sorted(folder.glob("*.json")):
        content = _json(path)
        if content.get("kind") in _GRADIENTS:
            gradients.add(content["kind"])
        if {"conditions", "rows"} <= set(content):
            devices.append(_device(path, content))
        about[path.name] = _about(content)
        for ending in _TABLES:
            if path.with_suffix(ending).is_file():
                about[f"{path.stem}{ending}"] = f"a table of them; conditions are in {path.name}"
    return Measured(folder, devices, frozenset(gradients), about)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"{path} holds no measurements with their conditions")
    return content


def _device(path: Path, content: Mapping[str, Any]) -> Device:
    conditions = content["conditions"]
    return Device(path.stem, str(conditions.get("title")), conditions, content["rows"])


def _of_images(row: Mapping[str, Any]) -> bool:
    found = architectures().get(row["model"])
    return found is not None and len(found.input) == _IMAGE


def _about(content: Mapping[str, Any]) -> str:
    """Where and when, as far as the file says."""
    told = content.get("about") or content.get("conditions") or content.get("environment") or {}
    number = content.get("networks") or len(content.get("tables") or content.get("rows") or ())
    networks = {"networks", "tables"} & set(content)
    parts = [
        str(content.get("kind") or content.get("method") or "").replace("-", " "),
        f"{number:,} {'networks' if networks else 'rows'}" if number else "",
        str(told.get("title") or told.get("device") or told.get("cpu") or ""),
        f"{told['threads']} thread{'s' * (told['threads'] != 1)}" if told.get("threads") else "",
        f"torch {told['torch']}" if told.get("torch") else "",
        str(told.get("date") or "")[:10],
    ]
    return ", ".join(part for part in parts if part)
