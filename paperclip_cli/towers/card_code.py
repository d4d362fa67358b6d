"""The lines of Python in a model's card with which transformers, without paperclip, sees as we do.

A `preprocessor_config.json` can say how a square picture is resampled and cut. It cannot say that a
picture is padded, that pixels without data are painted, or that heads replace the projections.
"""

from __future__ import annotations

from paperclip_cli.config import PREVIEW_SIZE
from paperclip_cli.images.pictures import NO_DATA, RINGING
from paperclip_cli.images.view import View
from paperclip_cli.towers.config import Extras

_BETWEEN_SENTENCES = (
    r"(?<=[.?!])(?<!\b[A-Z]\.)(?<!\bal\.)(?<!\bFig\.)(?<!e\.g\.)(?<!i\.e\.) (?=[A-Z0-9])"
)
_BETWEEN_ITEMS = r"(?<=[,;]) "
_CATEGORY = "Category: "  # with which a caption may begin; it goes with what follows


def packages(view: View) -> str:
    """What `pip install` needs for the lines."""
    return "torch transformers pillow" + (" numpy scipy" if view.fill == "sky" else "")


def code(view: View, length: int, extras: Extras, of_summaries: bool = False) -> str:
    """Python that defines `view`, `embed_images` and `embed_texts` for a model's folder.

    `length` is that of a text in tokens, as in training and evaluation. Longer ones are cut between
    sentences or, with `of_summaries`, between the items of a summary.
    """
    parts = [_HEAD_OF_FILE, _view(view), _shortened(length, of_summaries)]
    parts += [_embeddings(length, extras)]
    lines = "\n\n\n".join(parts)
    imports = ["import re", ""]
    imports += ["import numpy as np"] if "np." in lines else []
    imports += ["import torch", "from PIL import Image, ImageOps"]
    imports += ["from safetensors.torch import load_file"] if "load_file(" in lines else []
    imports += ["from scipy import ndimage"] if "ndimage." in lines else []
    imports += ["from transformers import CLIPModel, CLIPProcessor"]
    return "\n".join(imports) + "\n\n" + lines


_HEAD_OF_FILE = """\
folder = "."  # where this file is
model = CLIPModel.from_pretrained(folder).eval()
processor = CLIPProcessor.from_pretrained(folder)"""


def _view(view: View) -> str:
    upright = """\
    picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    picture = picture.convert("RGB")"""
    if view.kind == "clip":
        return (
            f'def view(picture):\n    """An 8-bit picture, upright and in colour."""\n{upright}\n'
            "    return picture"
        )
    about = "on a square canvas" + (" without gaps" if view.fill == "sky" else "")
    return f'''\
def view(picture, side={PREVIEW_SIZE}):
    """An 8-bit picture {about}; the processor resamples and cuts it.

    A picture with more than `side` pixels is shrunk to them. Images of a dataset that paperclip
    made are such canvases already: side=None leaves them as they are.
    """
{upright}
    scale = min(1, side / max(picture.size)) if side else 1
    if scale < 1:
        size = [max(1, round(length * scale)) for length in picture.size]
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    width, height = picture.size
    longest = max(width, height)
    canvas = Image.new("RGB", (longest, longest), ({view.pad},) * 3)
    canvas.paste(picture, ((longest - width) // 2, (longest - height) // 2))
    return {"paint(canvas)" if view.fill == "sky" else "canvas"}''' + (
        _PAINT if view.fill == "sky" else ""
    )


# The same as `images.pictures.fill_no_data`.
_PAINT = f'''


def paint(canvas):
    """Pixels without data, which are white and connected to the border, get the median's colour."""
    pixels = np.array(canvas)
    white = pixels.min(axis=2) >= {NO_DATA}
    border = np.ones_like(white)
    border[1:-1, 1:-1] = False
    empty = ndimage.binary_propagation(white & border, mask=white)
    empty = ndimage.binary_dilation(empty, iterations={RINGING})
    if not empty.all():
        pixels[empty] = np.floor(np.median(pixels[~empty], axis=0))
    return Image.fromarray(pixels)'''


def _shortened(length: int, of_summaries: bool) -> str:
    """As `dataset.captions` cuts captions, but that fewer abbreviations are known."""
    if of_summaries:
        what, between, end = "items", _BETWEEN_ITEMS, '.rstrip(",;")'
    else:
        what, between, end = "sentences", _BETWEEN_SENTENCES, ""
    return f'''\
def shortened(text):
    """The first {what} of a long text that fit, as `paperclip evaluate` reads captions."""

    def fits(part):
        return len(processor.tokenizer(part, verbose=False).input_ids) <= {length}

    between = r"{between}"
    pieces = re.split(between, " ".join(text.split()))
    count = 2 if pieces[0].startswith("{_CATEGORY}") else 1
    while count < len(pieces) and fits(" ".join(pieces[: count + 1])):
        count += 1
    return text if fits(text) else " ".join(pieces[:count]){end}'''


def _embeddings(length: int, extras: Extras) -> str:
    if extras.head_size is None:
        heads, image, text = "", "model.visual_projection(pooled)", "model.text_projection(pooled)"
    else:
        heads, image, text = _HEADS, 'apply("image_head", pooled)', 'apply("text_head", pooled)'
    return f'''{heads}@torch.no_grad()
def embed_images(pictures):
    """Unit vectors [N, D] of pictures."""
    inputs = processor(images=[view(picture) for picture in pictures], return_tensors="pt")
    pooled = model.vision_model(inputs["pixel_values"]).pooler_output
    return torch.nn.functional.normalize({image}, dim=-1)


@torch.no_grad()
def embed_texts(texts):
    """Unit vectors [N, D] of texts of up to {length} tokens; longer ones are shortened."""
    texts = [shortened(text) for text in texts]
    how = dict(padding=True, truncation=True, max_length={length}, return_tensors="pt")
    pooled = model.text_model(**processor(text=texts, **how)).pooler_output
    return torch.nn.functional.normalize({text}, dim=-1)'''


_HEADS = '''\
heads = load_file(f"{folder}/heads.safetensors")


def apply(head, pooled):
    """The MLP in place of a projection."""
    for layer in ("fc1", "fc2"):
        weight, bias = heads[f"{head}.{layer}.weight"], heads[f"{head}.{layer}.bias"]
        pooled = torch.nn.functional.linear(pooled, weight, bias)
        pooled = torch.nn.functional.gelu(pooled) if layer == "fc1" else pooled
    return pooled


'''
