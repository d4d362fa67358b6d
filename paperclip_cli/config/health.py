"""Doctor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DoctorConfig:
    """`verify`: read every file of the cache again and compare it with what was written."""

    verify: bool = False
