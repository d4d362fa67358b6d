"""CLIP's weights before training, as OpenAI's `CLIP.initialize_parameters` draws them (github.com/openai/CLIP, `clip/model.py`).

Normal deviates, whose deviation is, with W the width of a tower and N its number of layers: queries, keys and values W^-1/2; what is
added to the residual stream W^-1/2 (2 N)^-1/2; the first layer of an MLP (2 W)^-1/2; projections W^-1/2; tokens 0.02 and
their positions 0.01; class token and positions of patches W^-1/2. Biases are 0, norms 1. OpenAI leaves the layers of the
vision tower to PyTorch; here both towers follow the scheme.
"""

from __future__ import annotations

import jax
import numpy as np

from paperclip_cli.towers.config import ClipConfig


def draw(shapes: dict, config: ClipConfig, key: jax.Array) -> dict:
    """Random weights (float32) for parameters of these shapes. The numbers are NumPy's: XLA takes seconds to compile as many draws."""
    stream = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return jax.tree.map_with_path(
        lambda path, leaf: jax.numpy.array(_initial(_names(path), leaf.shape, config, stream)),
        shapes,
    )


def draw_heads(config: ClipConfig, size: int, stream: np.random.Generator) -> dict:
    """The parameters of two heads with an inner width of `size`: deviates of W^-1/2 and, after the GELU, size^-1/2; biases 0."""

    def layer(inputs: int, outputs: int) -> dict:
        kernel = stream.standard_normal((inputs, outputs), np.float32) * np.float32(inputs**-0.5)
        return {"kernel": jax.numpy.array(kernel), "bias": jax.numpy.zeros(outputs)}

    return {
        name: {"up": layer(width, size), "down": layer(size, config.projection_dim)}
        for name, width in (
            ("image_head", config.vision.hidden_size),
            ("text_head", config.text.hidden_size),
        )
    }


def _initial(
    names: tuple[str, ...], shape: tuple[int, ...], config: ClipConfig, stream: np.random.Generator
) -> np.ndarray:
    if names == ("logit_scale",):
        return np.full(shape, config.logit_scale_init_value, np.float32)
    if names[-1] in ("scale", "bias"):
        return np.full(shape, names[-1] == "scale", np.float32)
    values = stream.standard_normal(shape, np.float32)
    values *= np.float32(
        _deviation(names, shape, config)
    )  # in place: another array of 600 MB takes time
    return values


def _deviation(names: tuple[str, ...], shape: tuple[int, ...], config: ClipConfig) -> float:
    """Standard deviation of the parameter at a path such as ("text", "layers", "blocks", "qkv", "kernel")."""
    if len(names) == 2 and names[-1] == "kernel":  # a projection
        return shape[0] ** -0.5
    tower, part = names[0], names[-2] if names[-1] == "kernel" else names[-1]
    width, layers = (
        (config.text.hidden_size, config.text.num_hidden_layers)
        if tower == "text"
        else (config.vision.hidden_size, config.vision.num_hidden_layers)
    )
    into_residual = width**-0.5 * (2 * layers) ** -0.5
    return {
        "qkv": width**-0.5,
        "out": into_residual,
        "up": (2 * width) ** -0.5,
        "down": into_residual,
        "patches": (3 * shape[0]) ** -0.5,  # the deviation of PyTorch's uniform default
        "tokens": 0.02,
        "class_token": width**-0.5,
        "positions": 0.01 if tower == "text" else width**-0.5,
    }[part]


def _names(path: tuple) -> tuple[str, ...]:
    return tuple(str(part.key) for part in path)
