"""The ceilings of the device at hand: as calibrated on it, else as its maker lists them."""

from __future__ import annotations

import re

from archscope.calibrated import ceilings, device_of
from archscope.devices import Device as Card
from archscope.devices import devices
from archscope.measure.devices import Device

# "RTX 3090 Ti" is another card than the RTX 3090, and a MIG instance is a part of one.
_OTHERS = {"ti", "super", "d", "laptop", "max", "nvl", "mig"}


def card_at_hand(device: Device, threads: int) -> Card | None:
    """The device's card; None where it was neither calibrated nor is listed.

    Args:
        device: at hand.
        threads: of the CPU, which its calibration is of.
    """
    on_cpu = device.name == "cpu"
    measured = ceilings(device.title, threads if on_cpu else None)
    if measured:
        return device_of(measured)
    return None if on_cpu else listed(device.title)


def listed(title: str) -> Card | None:
    """The card whose name is in what the driver calls a GPU: "NVIDIA H100 80GB HBM3" is h100."""
    words = set(re.split(r"[\s()-]+", title.lower()))
    if words & _OTHERS:
        return None
    found = [card for name, card in devices().items() if set(name.split("-")) <= words]
    return max(found, key=lambda card: len(card.name), default=None)
