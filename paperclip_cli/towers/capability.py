"""What accelerators can compute in, which decides how towers compute. Imports no JAX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

# Ampere. Older GPUs lack bfloat16 arithmetic, and cuDNN has no flash attention for them.
LEAST = (8, 0)


class Device(Protocol):
    """The part of a device of JAX that says what it is."""

    @property
    def platform(self) -> str: ...


def narrow(devices: Sequence[Device]) -> bool:
    """Whether all compute fast in bfloat16: TPUs, and GPUs from compute capability 8.0 on."""
    return all(device.platform == "tpu" or _is_recent(device) for device in devices)


def flash(devices: Sequence[Device]) -> bool:
    """Whether all have cuDNN's flash attention, which computes in 16 bit only."""
    return all(_is_recent(device) for device in devices)


def lacks(devices: Sequence[Device]) -> str | None:
    """What GPUs do without, for the user; None where there is no such GPU."""
    old = [device for device in devices if device.platform == "gpu" and not _is_recent(device)]
    if not old:
        return None
    given = getattr(old[0], "compute_capability", None) or "unknown"
    return (
        f"float32 and plain attention: compute capability {given}, and bfloat16 and cuDNN's "
        f"attention need {LEAST[0]}.{LEAST[1]}"
    )


def _is_recent(device: Device) -> bool:
    """Whether it is an NVIDIA GPU from LEAST on. Those of others have no number with a point."""
    given = re.fullmatch(r"(\d+)\.(\d+)", str(getattr(device, "compute_capability", "")))
    return (
        device.platform == "gpu" and given is not None and (int(given[1]), int(given[2])) >= LEAST
    )
