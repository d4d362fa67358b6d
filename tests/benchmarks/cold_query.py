"""How long one query takes as a whole process, beside a script on transformers and PyTorch that does the same.

    python tests/benchmarks/cold_query.py [--images 31859] [--runs 9]

A random model of the size of ViT-B/16 with CLIP's own tokenizer, and an index of random vectors. The two programs take turns, so that
whatever else the machine does hits both. Prints the medians, their ratio, and whether both name the same ten images.
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

import numpy as np

from paperclip_cli.data.background import LEVELS
from paperclip_cli.data.index_update import Embeddings, State, publish, write_generation
from paperclip_cli.data.journal import Journal
from paperclip_cli.data.observations import Entry
from paperclip_cli.model.folder import ModelFolder, fingerprint
from paperclip_cli.records import Key, Observation, Proposal
from paperclip_cli.workspace import Manifest, Workspace, write_manifest

QUERY = "galaxy mergers"
THEIRS = """
import sys
import numpy as np
import torch
from transformers import AutoTokenizer, CLIPModel
model = CLIPModel.from_pretrained(sys.argv[1]).eval()
tokens = AutoTokenizer.from_pretrained(sys.argv[1])([sys.argv[3]], return_tensors="pt", padding=True)
with torch.no_grad():
    query = model.get_text_features(**tokens)
query = getattr(query, "pooler_output", query)[0].numpy()
scores = np.load(sys.argv[2], mmap_mode="r") @ (query / np.linalg.norm(query))
print(*np.argsort(-scores, kind="stable")[:10])
"""


def make_model(folder: Path) -> None:
    """A random CLIP of the size of openai/clip-vit-base-patch16, with OpenAI's tokenizer."""
    from tests.clip_models import random_torch_clip, write_openai_tokenizer

    text = {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8, "num_hidden_layers": 12, "vocab_size": 49_408,
            "bos_token_id": 49_406, "eos_token_id": 49_407}
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "patch_size": 16}
    random_torch_clip(text, vision, 512).save_pretrained(folder)
    write_openai_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}))
    write_manifest(folder, Manifest("train", {}))


def make_index(workspace: Workspace, model: ModelFolder, count: int) -> Path:
    """An index of random directions, seven images a proposal; gives the file of its vectors."""
    random = np.random.default_rng(0)
    keys = [Key("hst", 5000 + number // 7) for number in range(count)]
    entries = [Entry(f"/archive/{number:07d}.jpg", 1, 1, f"{number:064x}", key, Observation(target=f"NGC {number // 3}", instrument="ACS"))
               for number, key in enumerate(keys)]
    proposals = {key: Proposal(*key, abstract="We propose to image merging galaxies. " * 30, title="Galaxy mergers") for key in set(keys)}
    folder = workspace.index("default")
    journal = Journal(folder, {}, 512)
    for start in range(0, count, 10_000):
        block = random.standard_normal((min(10_000, count - start), 512), dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        journal.append([(f"{start + row:064x}", vector[None]) for row, vector in enumerate(block)])
    number, _ = write_generation(folder, State(tuple(entries), proposals), {}, Embeddings(None, (), journal))
    background = {"scores": np.linspace(-0.2, 0.2, len(LEVELS)).tolist(), "best": 0.2}
    config = {"model": model.name, "model_folder": str(model.path), "view": {}}
    publish(folder, Manifest("index", config, {"model": fingerprint(model, workspace)}, {"images": count, "vectors": count},
                             {"dimension": 512, "background": background}), number)
    return folder / f"vectors-{number:06d}.npy"


def timed(command: list[str]) -> tuple[float, str]:
    """Seconds of wall clock, and what the process printed."""
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    return time.perf_counter() - begin, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=31_859)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace(Path(place, "cache"), offline=True)
        make_model(workspace.model("base"))
        vectors = make_index(workspace, ModelFolder.open(workspace.model("base"), "base"), options.images)
        paperclip = str(Path(sys.executable).with_name("paperclip"))
        ours = [paperclip, "--cache-dir", str(workspace.root), "--quiet", "query", QUERY, "--json", "--no-collapse"]
        theirs = [sys.executable, "-c", THEIRS, str(workspace.model("base")), str(vectors), QUERY]
        runs = [(timed(ours), timed(theirs)) for _ in range(options.runs + 1)][1:]  # the first of each fills the page cache
    (_, our_text), (_, their_text) = runs[-1]
    our_images = [int(Path(hit["image"]).stem) for hit in json.loads(our_text)]
    our_time, their_time = (statistics.median(run[side][0] for run in runs) for side in (0, 1))
    print(f"{options.images:,} images, {options.runs} runs each")
    print(f"paperclip query          {our_time:6.3f} s")
    print(f"transformers + PyTorch   {their_time:6.3f} s")
    print(f"ratio                    {our_time / their_time:6.3f}")
    print("same ten images" if our_images == [int(number) for number in their_text.split()] else "DIFFERENT IMAGES")


if __name__ == "__main__":
    main()
