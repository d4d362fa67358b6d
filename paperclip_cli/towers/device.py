"""How the towers compute on devices."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from paperclip_cli.towers import capability
from paperclip_cli.towers.clip import Compute
from paperclip_cli.towers.config import ClipConfig


def compute_on(
    devices: Sequence[capability.Device],
    config: ClipConfig,
    dtype: str = "auto",
    remat: bool = False,
) -> Compute:
    """The settings with which towers compute there.

    `auto` is bfloat16 on an accelerator that computes in it, where it is twice as fast, and float32
    elsewhere. Attention is cuDNN's where the devices have it.
    """
    narrow = dtype == "bfloat16" or (dtype == "auto" and capability.narrow(devices))
    towers = (config.text, config.vision)
    widths = [tower.hidden_size // tower.num_attention_heads for tower in towers]
    suit_cudnn = all(width <= 128 and width % 8 == 0 for width in widths)
    return Compute(
        dtype=jnp.bfloat16 if narrow else None,
        remat=remat,
        fused=narrow and capability.flash(devices) and suit_cudnn,
        unrolled=all(device.platform == "gpu" for device in devices),
    )
