"""The best images for the paper's queries, judged by the abstracts of their proposals."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from paperclip_cli.dataset.pairs import Pair
from paperclip_cli.dataset.paper import QUERIES
from paperclip_cli.errors import BadItem
from paperclip_cli.evaluation import retrieval
from paperclip_cli.evaluation.bm25 import Bm25
from paperclip_cli.evaluation.relevance import Judgement, best_images, random_images, relevance
from paperclip_cli.evaluation.table import CONTROL, Contestant
from paperclip_cli.progress import Progress
from paperclip_cli.report import Failure
from paperclip_cli.summaries.judge import Judge
from paperclip_cli.summaries.verdicts import Verdict, digest, keeping, read_verdicts
from paperclip_cli.text.words import stems
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace


def judge_best_images(
    contestants: Sequence[Contestant],
    models: Sequence[ModelFolder],
    pairs: Sequence[Pair],
    judge: Judge,
    workspace: Workspace,
    progress: Progress,
) -> tuple[Judgement, tuple[Failure, ...]]:
    """Judges the best images for the paper's queries: of the models, of keyword search, and random.

    The keyword search runs over the abstracts.
    """
    abstracts, place = retrieval.number([pair.abstract for pair in pairs])
    search = Bm25([stems(text) for text in abstracts])
    scores = [
        (
            contestant.name,
            contestant.role,
            TextTower.open(model).embed(QUERIES) @ contestant.found.images.T,
        )
        for contestant, model in zip(contestants, models, strict=False)
    ]
    scores += [
        (
            "abstract (BM25)",
            CONTROL,
            np.stack([search.scores(stems(query)) for query in QUERIES])[:, place],
        ),
        ("random images", CONTROL, random_images(len(pairs), len(QUERIES))),
    ]
    rankings = [best_images(*one) for one in scores]
    questions = dict.fromkeys(
        (query, abstracts[place[image]])
        for ranking in rankings
        for query, images in zip(QUERIES, ranking.images, strict=True)
        for image in images
    )
    verdicts, failures = _verdicts(
        list(questions), judge, workspace.root / "verdicts" / f"{judge.backend}.jsonl", progress
    )
    rows = tuple(
        relevance(
            ranking,
            QUERIES,
            lambda query, image: verdicts.get((QUERIES[query], abstracts[place[image]])),
        )
        for ranking in rankings
    )
    return Judgement(judge.backend, judge.model, rows), tuple(failures)


def _verdicts(
    questions: Sequence[tuple[str, str]], judge: Judge, path: Path, progress: Progress
) -> tuple[dict[tuple[str, str], bool], list[Failure]]:
    """The judge's verdict on each query and abstract.

    The verdicts of a language model are kept in a file and reused.
    """
    made_by = judge.backend, judge.model, judge.version
    known = read_verdicts(path, *made_by)
    found = {
        question: known[question[0], digest(question[1])]
        for question in questions
        if (question[0], digest(question[1])) in known
    }
    waiting, failures = [question for question in questions if question not in found], []
    if waiting:
        judge.prepare()
    with (
        progress.task("judge", len(waiting), "abstracts") as task,
        keeping(path) if judge.model else nullcontext() as keep,
    ):
        for query, abstract in waiting:
            try:
                found[query, abstract] = judge.is_relevant(query, abstract)
            except BadItem as error:
                failures.append(
                    Failure(f"{query}: {' '.join(abstract.split())[:60]} ...", str(error))
                )
            else:
                if keep is not None:
                    keep(
                        Verdict(
                            query=query,
                            abstract=digest(abstract),
                            relevant=found[query, abstract],
                            backend=judge.backend,
                            model=judge.model,
                            version=judge.version,
                        )
                    )
            task.advance()
    return found, failures
