"""The shape of a CLIP model, read from and written to the `config.json` of transformers' CLIP.

Field names are those of the file. Nothing heavy is imported here: a query reads its model's
configuration without JAX.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers.safetensors import AS_BEFORE

ACTIVATIONS = ("quick_gelu", "gelu")
LEGACY_EOS = 2
Tower = TypeVar("Tower", "TextConfig", "VisionConfig")


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The text tower. Fields that a file leaves out have the defaults of transformers.

    `max_position_embeddings` is the longest text in tokens. Texts are pooled at the first
    `eos_token_id`, unless that is 2: OpenAI's files have that number by mistake, and it means "at
    the highest token id".
    """

    vocab_size: int = 49_408
    hidden_size: int = 512
    intermediate_size: int = 2_048
    num_hidden_layers: int = 12
    num_attention_heads: int = 8
    max_position_embeddings: int = 77
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    bos_token_id: int = 49_406
    eos_token_id: int = 49_407
    pad_token_id: int = 1

    def __post_init__(self) -> None:
        _check_tower("text_config", self)

    @property
    def pools_highest_id(self) -> bool:
        return self.eos_token_id == LEGACY_EOS


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """The vision tower: square images of `image_size` pixels, cut into squares of `patch_size`.

    Where the patch does not divide the side, the rows and columns left over on the right and below
    are not seen.
    """

    hidden_size: int = 768
    intermediate_size: int = 3_072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_channels: int = 3
    image_size: int = 224
    patch_size: int = 32
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        _check_tower("vision_config", self)
        if self.patch_size > self.image_size:
            raise _bad(
                f"vision_config.patch_size {self.patch_size} is larger "
                f"than image_size {self.image_size}"
            )
        if self.num_channels != 3:
            raise _bad(f"vision_config.num_channels is {self.num_channels}, but images here have 3")

    @property
    def num_patches(self) -> int:
        return (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True)
class ClipConfig:
    """Both towers, and the dimension of the space they share."""

    text: TextConfig = field(default_factory=TextConfig)
    vision: VisionConfig = field(default_factory=VisionConfig)
    projection_dim: int = 512
    logit_scale_init_value: float = 2.6592

    def __post_init__(self) -> None:
        if not _is_count(self.projection_dim):
            raise _bad(f"projection_dim is {self.projection_dim!r}, not a positive whole number")

    @classmethod
    def from_dict(cls, values: dict) -> ClipConfig:
        """The configuration in a decoded `config.json`.

        Raises:
            PaperclipError: it is not a CLIP model's, or describes an impossible one.
        """
        if values.get("model_type", "clip") != "clip":
            raise _bad(f"model_type is {values['model_type']!r}, not 'clip'")
        quantised = values.get("quantization_config")
        if quantised is not None:
            method = quantised.get("quant_method") if isinstance(quantised, dict) else None
            raise PaperclipError(f"its weights are quantised ({str(method)[:40]})", AS_BEFORE)

        own = {
            name: values[name]
            for name in ("projection_dim", "logit_scale_init_value")
            if values.get(name) is not None
        }
        return cls(
            text=_tower(TextConfig, values, "text_config"),
            vision=_tower(VisionConfig, values, "vision_config"),
            **own,
        )

    @classmethod
    def read(cls, path: Path) -> ClipConfig:
        """Reads a `config.json`. Errors name the file."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PaperclipError(
                f"{path} cannot be read as JSON ({error})", "download the file again"
            ) from error
        if not isinstance(values, dict):
            raise PaperclipError(
                f"{path}: not the configuration of a model", "download the file again"
            )
        try:
            return cls.from_dict(values)
        except PaperclipError as error:
            raise PaperclipError(f"{path}: {error.message}", error.hint) from error

    def to_dict(self) -> dict:
        """The content of a `config.json` for `transformers.CLIPModel.from_pretrained`."""
        text = {"model_type": "clip_text_model", "projection_dim": self.projection_dim}
        vision = {"model_type": "clip_vision_model", "projection_dim": self.projection_dim}
        return {
            "architectures": ["CLIPModel"],
            "model_type": "clip",
            "dtype": "float32",
            "projection_dim": self.projection_dim,
            "logit_scale_init_value": self.logit_scale_init_value,
            "text_config": text | dataclasses.asdict(self.text),
            "vision_config": vision | dataclasses.asdict(self.vision),
        }


@dataclass(frozen=True)
class Extras:
    """Parts of a model that CLIP's own layout has no place for.

    `paperclip.json` lists them, and `heads.safetensors` holds their tensors. `head_size` is the
    inner width of the two MLPs in place of the projections; None where there are none. `logit_bias`
    says whether there is a bias of the sigmoid loss, on which no embedding depends.
    """

    head_size: int | None = None
    logit_bias: bool = False

    def __post_init__(self) -> None:
        has_size = self.head_size is None or _is_count(self.head_size)
        if not has_size or type(self.logit_bias) is not bool:
            raise _bad(f"extras are {self!r}")

    def __bool__(self) -> bool:
        return self != Extras()


def _tower(kind: type[Tower], values: dict, name: str) -> Tower:
    # In transformers the `text_config_dict` of an old file replaces `text_config` as a whole, also
    # where it is empty.
    found = values.get(f"{name}_dict")
    found = values.get(name) if found is None else found
    if not isinstance(found, dict | None):
        raise _bad(f"{name} is not an object")
    names = {f.name for f in dataclasses.fields(kind)}
    given = {key: value for key, value in (found or {}).items() if key in names}
    for unused in ("bos_token_id", "pad_token_id"):  # no embedding depends on them
        if given.get(unused, 0) is None:
            del given[unused]
    return kind(**given)


def _check_tower(name: str, tower: TextConfig | VisionConfig) -> None:
    for f in dataclasses.fields(tower):
        value = getattr(tower, f.name)
        is_right = _is_token if f.name.endswith("token_id") else _is_count
        if f.type == "int" and not is_right(value):
            raise _bad(f"{name}.{f.name} is {value!r}, not a positive whole number")
    if tower.hidden_size % tower.num_attention_heads:
        raise _bad(
            f"{name}.hidden_size {tower.hidden_size} is not a multiple "
            f"of num_attention_heads {tower.num_attention_heads}"
        )
    if tower.hidden_act not in ACTIVATIONS:
        raise _bad(
            f"{name}.hidden_act is {tower.hidden_act!r}, not one of {', '.join(ACTIVATIONS)}"
        )
    if not isinstance(tower.layer_norm_eps, float | int) or not 0 < tower.layer_norm_eps < 1:
        raise _bad(f"{name}.layer_norm_eps is {tower.layer_norm_eps!r}, not between 0 and 1")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


def _is_token(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _bad(what: str) -> PaperclipError:
    return PaperclipError(what, "only CLIP models in the Hugging Face layout can be used")
