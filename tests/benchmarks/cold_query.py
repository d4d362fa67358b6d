"""Time of one query as a whole process, beside scripts on ONNX Runtime and on PyTorch.

    pip install onnx onnxscript onnxruntime
    python tests/benchmarks/cold_query.py [--images 31859] [--runs 9] [--work DIR] [--ours-only]

All three search an index of random vectors with a random model of the size of ViT-B/16 and CLIP's
own tokenizer. The script on ONNX Runtime works as rclip does: a text tower exported to ONNX, a
fixed length of 77 tokens, NumPy for the search. The other one uses transformers and PyTorch.

The programs take turns, so that other load on the machine falls on all of them. Prints the medians,
their ratios, and whether all name the same ten images. Then prints what other forms of answer add.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli.indexes.database import Entry
from paperclip_cli.indexes.journal import Journal
from paperclip_cli.indexes.unrelated import unrelated_texts
from paperclip_cli.indexes.update import (
    Embeddings,
    State,
    publish,
    write_generation,
    write_unrelated,
)
from paperclip_cli.records import Key, Observation, Proposal
from paperclip_cli.towers.folder import ModelFolder, fingerprint
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Manifest, Workspace, write_manifest

QUERY = "galaxy mergers"
THEIRS = """
import sys
import numpy as np
import torch
from transformers import AutoTokenizer, CLIPModel
model = CLIPModel.from_pretrained(sys.argv[1]).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokens = tokenizer([sys.argv[3]], return_tensors="pt", padding=True)
with torch.no_grad():
    query = model.get_text_features(**tokens)
query = getattr(query, "pooler_output", query)[0].numpy()
scores = np.load(sys.argv[2], mmap_mode="r") @ (query / np.linalg.norm(query))
print(*np.argsort(-scores, kind="stable")[:10])
"""

WITH_ONNX = """
import sys
import numpy as np
import onnxruntime
from tokenizers import Tokenizer
ids = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json").encode(sys.argv[3]).ids
tokens = np.full((1, 77), ids[-1], np.int64)
tokens[0, :len(ids)] = ids
providers = ["CPUExecutionProvider"]
session = onnxruntime.InferenceSession(sys.argv[1] + "/text.onnx", providers=providers)
(query,) = session.run(None, {"tokens": tokens})
scores = np.load(sys.argv[2], mmap_mode="r") @ (query[0] / np.linalg.norm(query[0]))
print(*np.argsort(-scores, kind="stable")[:10])
"""
# Options added to the plain query. The others are compared with the first.
FORMS = {
    "query --json": ["--json"],
    "--format votable": ["--format", "votable"],
    "--format ecsv": ["--format", "ecsv"],
    "table": [],
    "--near": ["--json", "--near", "180 0", "--radius", "5deg"],
    "--rank-by hybrid": ["--json", "--rank-by", "hybrid"],
    "--instrument": ["--json", "--instrument", "ACS"],
}


def make_model(folder: Path) -> None:
    """Write a random CLIP the size of openai/clip-vit-base-patch16, with OpenAI's tokenizer."""
    from tests.clip_models import random_torch_clip, write_openai_tokenizer

    text = {
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_attention_heads": 8,
        "num_hidden_layers": 12,
        "vocab_size": 49_408,
        "bos_token_id": 49_406,
        "eos_token_id": 49_407,
    }
    vision = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "patch_size": 16,
    }

    random_torch_clip(text, vision, 512).save_pretrained(folder)
    write_openai_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77})
    )
    write_manifest(folder, Manifest(stage="train", config={}))


def export_text_tower(folder: Path) -> None:
    """Write `text.onnx` and `tokenizer.json` beside the model.

    The tower maps tokens int64 [1, 77] to an embedding float32 [1, D].
    """
    import torch
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    model = CLIPTextModelWithProjection.from_pretrained(folder).eval()

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=tokens).text_embeds

    with torch.no_grad():
        torch.onnx.export(
            Tower().eval(),
            (torch.full((1, 77), 49_407),),
            folder / "text.onnx",
            input_names=["tokens"],
            dynamo=True,
            external_data=False,
        )
    AutoTokenizer.from_pretrained(folder).backend_tokenizer.save(str(folder / "tokenizer.json"))


def make_index(workspace: Workspace, model: ModelFolder, count: int) -> None:
    """Write an index of random directions, seven images per proposal."""
    random = np.random.default_rng(0)
    keys = [Key("hst", 5000 + number // 7) for number in range(count)]
    entries = [
        Entry(
            path=f"/archive/{number:07d}.jpg",
            size=1,
            mtime_ns=1,
            sha256=f"{number:064x}",
            key=key,
            observation=Observation(target=f"NGC {number // 3}", instrument="ACS"),
        )
        for number, key in enumerate(keys)
    ]
    proposals = {
        key: Proposal(
            mission=key.mission,
            proposal_id=key.proposal_id,
            abstract="We propose to image merging galaxies. " * 30,
            title="Galaxy mergers",
        )
        for key in set(keys)
    }

    folder = workspace.index("default")
    journal = Journal(folder, {}, 512)
    for start in range(0, count, 10_000):
        block = random.standard_normal((min(10_000, count - start), 512), dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        journal.append([(f"{start + row:064x}", vector[None]) for row, vector in enumerate(block)])
    number, vectors = write_generation(
        folder, State(tuple(entries), proposals), {}, Embeddings(None, (), journal)
    )

    texts = TextTower.open(model).embed(unrelated_texts())
    unrelated = write_unrelated(folder, number, vectors, texts)
    config = {"model": model.name, "model_folder": str(model.path), "view": {}}
    publish(
        folder,
        Manifest(
            stage="index",
            config=config,
            inputs={"model": fingerprint(model, workspace)},
            counts={"images": count, "vectors": count},
            extra={"dimension": 512, **unrelated},
        ),
        number,
    )


def timed(command: list[str]) -> tuple[float, str]:
    """Seconds of wall clock, and the output of the process."""
    begin = time.perf_counter()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    return time.perf_counter() - begin, done.stdout


def main() -> None:
    options = parser().parse_args()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace((options.work or Path(place, "cache")).absolute(), offline=True)
        folder = workspace.model("base")
        if not folder.exists():
            make_model(folder)
        if not options.ours_only and not (folder / "text.onnx").exists():
            export_text_tower(folder)
        if not workspace.names("indexes"):
            make_index(workspace, ModelFolder.open(folder, "base"), options.images)

        program = str(Path(sys.executable).with_name("paperclip"))
        paperclip = [program, "--cache-dir", str(workspace.root), "--quiet", "query", QUERY]
        first = {"paperclip query": [*paperclip, "--json", "--no-collapse"]}
        if not options.ours_only:
            first |= others(folder, workspace.index("default"))
        compared = in_turns(first, options.runs)
        forms = in_turns({name: [*paperclip, *more] for name, more in FORMS.items()}, options.runs)

    print(f"{options.images:,} images, {options.runs} runs each")
    print_comparison(compared)
    print_forms(forms)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--images", type=int, default=31_859)
    made.add_argument("--runs", type=int, default=9)
    made.add_argument(
        "--work",
        type=Path,
        help="keep model and index in this folder; if they are there already, only query",
    )
    made.add_argument("--ours-only", action="store_true", help="leave the other two programs out")
    return made


def others(model: Path, index: Path) -> dict[str, list[str]]:
    """The commands of the two other programs."""
    (vectors,) = index.glob("vectors-*.npy")
    asked = [str(model), str(vectors), QUERY]
    return {
        "ONNX Runtime": [sys.executable, "-c", WITH_ONNX, *asked],
        "transformers + PyTorch": [sys.executable, "-c", THEIRS, *asked],
    }


def in_turns(commands: dict[str, list[str]], count: int) -> dict[str, tuple[float, str]]:
    """The median time of each command, and its last output.

    The first round fills the page cache and does not count.
    """
    rounds = [
        {name: timed(command) for name, command in commands.items()} for _ in range(1 + count)
    ]
    counted = rounds[1:]
    return {
        name: (statistics.median(each[name][0] for each in counted), counted[-1][name][1])
        for name in commands
    }


def print_comparison(compared: dict[str, tuple[float, str]]) -> None:
    (ours, answer), *rest = compared.values()
    for name, (seconds, _) in compared.items():
        print(f"{name:24} {seconds:6.3f} s   paperclip takes {ours / seconds:.3f} of it")

    images = [int(Path(hit["image"]).stem) for hit in json.loads(answer)]
    if rest:
        is_same = all(images == [int(number) for number in text.split()] for _, text in rest)
        print("same ten images" if is_same else "DIFFERENT IMAGES")


def print_forms(forms: dict[str, tuple[float, str]]) -> None:
    (plain, _), *_ = forms.values()
    for name, (seconds, _) in forms.items():
        print(f"{name:24} {seconds:6.3f} s   {seconds - plain:+.3f} s")


if __name__ == "__main__":
    main()
