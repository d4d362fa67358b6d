"""Settings of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DoctorConfig:
    """`verify` reads every file of the cache and compares it with its checksum."""

    verify: bool = False
