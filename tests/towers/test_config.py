"""`config.json` in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig

ODD = ClipConfig(
    TextConfig(
        vocab_size=600, hidden_size=48, num_attention_heads=4, hidden_act="gelu", eos_token_id=599
    ),
    VisionConfig(
        hidden_size=60, num_attention_heads=5, image_size=30, patch_size=7, layer_norm_eps=1e-6
    ),
    projection_dim=28,
)


@pytest.mark.parametrize("config", [ClipConfig(), ODD], ids=["default", "odd"])
def test_what_is_written_is_read_back(config: ClipConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict()))
    assert ClipConfig.read(path) == config


def test_transformers_reads_it_as_we_do() -> None:
    from transformers import CLIPConfig

    theirs = CLIPConfig(**ODD.to_dict())
    assert ClipConfig.from_dict(theirs.to_dict()) == ODD


def test_defaults_are_those_of_transformers() -> None:
    from transformers import CLIPConfig

    assert ClipConfig.from_dict({"model_type": "clip"}) == ClipConfig.from_dict(
        CLIPConfig().to_dict()
    )


def test_an_old_file_with_both_forms_of_a_tower_is_read_as_transformers_reads_it() -> None:
    from transformers import CLIPConfig

    old = {
        "model_type": "clip",
        "text_config": {
            "hidden_size": 64,
            "num_attention_heads": 4,
            "eos_token_id": 2,
            "max_position_embeddings": 33,
        },
        "text_config_dict": {"hidden_size": 96, "num_attention_heads": 12},
        "vision_config": {"patch_size": 16},
        "vision_config_dict": None,
    }
    assert ClipConfig.from_dict(old) == ClipConfig.from_dict(CLIPConfig(**old).to_dict())
    assert ClipConfig.from_dict(old).text.eos_token_id == 49_407


def test_patches_that_do_not_fit_are_not_counted() -> None:
    assert VisionConfig(image_size=30, patch_size=7).num_patches == 16


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"model_type": "siglip"}, "model_type is 'siglip'"),
        (
            {"text_config": {"hidden_size": 50, "num_attention_heads": 8}},
            "text_config.hidden_size 50 is not a multiple",
        ),
        ({"vision_config": {"hidden_act": "relu"}}, "vision_config.hidden_act is 'relu'"),
        ({"vision_config": {"patch_size": 0}}, "vision_config.patch_size is 0"),
        ({"vision_config": {"patch_size": 500}}, "patch_size 500 is larger"),
        ({"vision_config": {"image_size": [224, 224]}}, "vision_config.image_size is [224, 224]"),
        ({"vision_config": {"num_channels": 4}}, "num_channels is 4"),
        ({"text_config": {"num_hidden_layers": "12"}}, "text_config.num_hidden_layers is '12'"),
        ({"text_config": {"layer_norm_eps": -1.0}}, "layer_norm_eps is -1.0"),
        ({"text_config": [1, 2]}, "text_config is not an object"),
        ({"projection_dim": -3}, "projection_dim is -3"),
    ],
)
def test_what_is_no_clip_model_is_told_in_one_line(values: dict, says: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(PaperclipError) as raised:
        ClipConfig.read(path)
    message = raised.value.message
    assert says in message and str(path) in message and "\n" not in message


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_a_file_that_is_no_configuration_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(PaperclipError, match=r"config\.json"):
        ClipConfig.read(path)
