"""How towers compute on accelerators of several kinds, with stand-ins for these."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from paperclip_cli.config import DoctorConfig
from paperclip_cli.report import Check, State
from paperclip_cli.stages import doctor
from paperclip_cli.towers import capability
from paperclip_cli.towers.clip import Compute
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.training import sharding
from paperclip_cli.workspace import Workspace

VIT = ClipConfig(TextConfig(), VisionConfig(patch_size=16))


def gpu(capability: str | None) -> Any:
    return SimpleNamespace(platform="gpu", device_kind="A GPU", compute_capability=capability)


T4, V100, A100, H200, BLACKWELL = map(gpu, ("7.5", "7.0", "8.0", "9.0", "12.0"))
AMD, UNNAMED = gpu("gfx90a"), SimpleNamespace(platform="gpu", device_kind="A GPU")
TPU = SimpleNamespace(platform="tpu", device_kind="A TPU")
CPU = SimpleNamespace(platform="cpu", device_kind="cpu")
FLOAT32, BFLOAT16, FUSED = (Compute(None), Compute(jnp.bfloat16), Compute(jnp.bfloat16, fused=True))


@pytest.mark.parametrize(
    ("devices", "auto", "asked"),
    [
        ([CPU], FLOAT32, BFLOAT16),
        ([TPU], BFLOAT16, BFLOAT16),
        ([T4], FLOAT32, BFLOAT16),
        ([V100], FLOAT32, BFLOAT16),
        ([A100], FUSED, FUSED),
        ([H200, H200], FUSED, FUSED),
        ([BLACKWELL], FUSED, FUSED),
        ([H200, T4], FLOAT32, BFLOAT16),
        ([AMD], FLOAT32, BFLOAT16),
        ([UNNAMED], FLOAT32, BFLOAT16),
    ],
)
def test_what_devices_lack_is_not_chosen(devices: list, auto: Compute, asked: Compute) -> None:
    used: Any = SimpleNamespace(used=devices)
    on_gpu = {"unrolled": all(device.platform == "gpu" for device in devices)}
    wish = sharding.compute("bfloat16", used, VIT, remat=False)
    assert sharding.compute("auto", used, VIT, remat=False) == auto._replace(**on_gpu)
    assert wish == asked._replace(**on_gpu), "the user's wish wins"
    assert sharding.compute("float32", used, VIT, remat=False) == FLOAT32._replace(**on_gpu)
    lacking = capability.lacks(devices)
    assert (lacking is None) == (auto != FLOAT32 or devices == [CPU])


def test_odd_heads_have_plain_attention() -> None:
    odd = ClipConfig(TextConfig(num_attention_heads=2), VisionConfig(patch_size=16))
    used: Any = SimpleNamespace(used=[H200])
    assert sharding.compute("auto", used, odd, remat=True) == Compute(
        jnp.bfloat16, True, unrolled=True
    )


@pytest.mark.parametrize(
    ("devices", "found"),
    [
        (
            [T4],
            "1 x A GPU (gpu), training in float32 and plain attention: compute capability 7.5, and "
            "bfloat16 and cuDNN's attention need 8.0",
        ),
        ([H200, H200], "2 x A GPU (gpu)"),
        ([TPU], "1 x A TPU (tpu)"),
    ],
)
def test_doctor_says_what_a_gpu_lacks(
    devices: list, found: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jax, "local_devices", lambda: devices)
    (check,) = [
        check
        for check in doctor.run(DoctorConfig(), Workspace(tmp_path / "cache", offline=True))
        if (check.topic, check.name) == ("devices", "jax")
    ]
    assert isinstance(check, Check) and check.found == found
    assert (check.state == State.NOTE) == ("float32" in found) == bool(check.advice)
