"""Initial weights of CLIP, as OpenAI's `CLIP.initialize_parameters` draws them.

The source is github.com/openai/CLIP, `clip/model.py`. Weights are normal deviates. With W the width
of a tower and N its number of layers, the deviation is W^-1/2 for queries, keys and values; W^-1/2
(2 N)^-1/2 for what is added to the residual stream; (2 W)^-1/2 for the first layer of an MLP;
W^-1/2 for projections; 0.02 for tokens and 0.01 for their positions; W^-1/2 for the class token and
the positions of patches. Biases are 0, norms 1. OpenAI leaves the layers of the vision tower to
PyTorch; here both towers follow the scheme.
"""

from __future__ import annotations

import jax
import numpy as np

from paperclip_cli.towers.config import ClipConfig


def draw(shapes: dict, config: ClipConfig, key: jax.Array) -> dict:
    """Random weights (float32) for parameters of these shapes.

    NumPy draws the numbers: XLA takes seconds to compile that many draws.
    """
    stream = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return jax.tree.map_with_path(
        lambda path, leaf: jax.numpy.array(_initial(_names(path), leaf.shape, config, stream)),
        shapes,
    )


def draw_heads(config: ClipConfig, size: int, stream: np.random.Generator) -> dict:
    """The parameters of two heads with an inner width of `size`.

    Deviations are W^-1/2 and, after the GELU, size^-1/2; biases are 0.
    """

    def layer(inputs: int, outputs: int) -> dict:
        kernel = stream.standard_normal((inputs, outputs), np.float32) * np.float32(inputs**-0.5)
        return {"kernel": jax.numpy.array(kernel), "bias": jax.numpy.zeros(outputs)}

    widths = {"image_head": config.vision.hidden_size, "text_head": config.text.hidden_size}
    return {
        name: {"up": layer(width, size), "down": layer(size, config.projection_dim)}
        for name, width in widths.items()
    }


def _initial(
    names: tuple[str, ...], shape: tuple[int, ...], config: ClipConfig, stream: np.random.Generator
) -> np.ndarray:
    if names == ("logit_scale",):
        return np.full(shape, config.logit_scale_init_value, np.float32)
    if names[-1] in ("scale", "bias"):
        return np.full(shape, names[-1] == "scale", np.float32)
    values = stream.standard_normal(shape, np.float32)
    # In place, because another array of 600 MB would take time.
    values *= np.float32(_deviation(names, shape, config))
    return values


def _deviation(names: tuple[str, ...], shape: tuple[int, ...], config: ClipConfig) -> float:
    """The deviation of a parameter named, say, ("text", "layers", "blocks", "qkv", "kernel")."""
    if len(names) == 2 and names[-1] == "kernel":  # a projection
        return shape[0] ** -0.5

    tower, part = names[0], names[-2] if names[-1] == "kernel" else names[-1]
    own = config.text if tower == "text" else config.vision
    width, layers = own.hidden_size, own.num_hidden_layers
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
