"""Previews are joined with their texts by (mission, proposal). Exclusions are counted by reason."""

from __future__ import annotations

from dataclasses import replace

from paperclip_cli.dataset.join import abstract_caption, join, mark_seen
from paperclip_cli.records import Key, Observation, Preview, Proposal, Summary


def preview(mission: str, number: int, name: str = "a", **observed: object) -> Preview:
    return Preview(
        mission=mission,
        proposal_id=number,
        image=f"proposal_{number}/{name}.jpg",
        sha256="0" * 64,
        side=64,
        original=name,
        observation=Observation(**observed),
    )  # type: ignore[arg-type]


def proposals(*items: Proposal) -> dict[Key, Proposal]:
    return {item.key: item for item in items}


def test_missions_that_use_the_same_number_are_kept_apart() -> None:
    known = proposals(
        Proposal(mission="hst", proposal_id=1, abstract="about stars"),
        Proposal(mission="jwst", proposal_id=1, abstract="about dust"),
    )
    rows, excluded = join(known, [preview("hst", 1), preview("jwst", 1)], {}, "abstract")
    captions = [(row.preview.mission, row.caption) for row in rows]
    assert captions == [("hst", "about stars"), ("jwst", "about dust")]
    assert excluded == {}


def test_what_has_no_partner_is_counted() -> None:
    known = proposals(
        Proposal(mission="hst", proposal_id=1, abstract="stars"),
        Proposal(mission="hst", proposal_id=2, abstract="  "),
        Proposal(mission="hst", proposal_id=3, abstract="dust"),
        Proposal(mission="hst", proposal_id=4, abstract="gas"),
    )
    summaries = {
        Key("hst", 1): Summary(
            mission="hst",
            proposal_id=1,
            objects_and_phenomena=("stars",),
            science_use_cases=("study stars",),
            backend="keywords",
        )
    }
    previews = [*(preview("hst", number) for number in (1, 2, 3, 9)), preview("hst", 9, "b")]
    rows, excluded = join(known, previews, summaries, "summary")
    assert [row.caption for row in rows] == ["stars; study stars"]
    assert excluded == {
        "proposals without an image": 1,
        "images of proposals that are not in the catalogue": 2,
        "proposals without an abstract": 1,
        "proposals without a summary": 1,
    }


def test_an_abstract_s_caption_names_the_category_if_there_is_one() -> None:
    bare = Proposal(mission="hst", proposal_id=1, abstract="Stars shine.")
    known = replace(bare, category="Stellar Physics")
    assert abstract_caption(known) == "Category: Stellar Physics. Stars shine."
    assert abstract_caption(bare) == "Stars shine."


def test_abstract_captions_keep_the_summary_in_its_column() -> None:
    summaries = {
        Key("hst", 1): Summary(
            mission="hst",
            proposal_id=1,
            objects_and_phenomena=("stars",),
            science_use_cases=("study stars",),
            backend="keywords",
        )
    }
    (row,), _ = join(
        proposals(Proposal(mission="hst", proposal_id=1, abstract="Stars.", cycle="27")),
        [preview("hst", 1)],
        summaries,
        "abstract",
    )
    pair = row.pair(b"jpeg")
    assert (pair.caption, pair.abstract, pair.summary) == ("Stars.", "Stars.", "stars; study stars")
    assert pair.path == "hst/proposal_1/a.jpg"
    assert pair.observation.cycle == "27"


def test_only_held_out_rows_are_marked() -> None:
    text = "We propose to observe the deep field again and again"
    texts = [text, text, "Something else entirely, on stars", "Nothing of the kind, on planets"]
    known = proposals(
        *(
            Proposal(mission="hst", proposal_id=number, abstract=words)
            for number, words in enumerate(texts, 1)
        )
    )
    at = {"s_ra": 10.0, "s_dec": 10.0}
    previews = [
        preview("hst", 1, **at),
        preview("hst", 2, **at),
        preview("hst", 2, "b"),
        preview("hst", 3, s_ra=11.0, s_dec=10.0),
        preview("hst", 4),
    ]
    rows, _ = join(known, previews, {}, "abstract")
    marked = mark_seen({"train": rows[:1], "validation": rows[1:4], "test": rows[4:]})
    seen = {name: [(row.seen_sky, row.seen_text) for row in rows] for name, rows in marked.items()}
    assert seen["train"] == [(None, None)]
    assert seen["validation"] == [(True, True), (None, True), (False, False)]
    assert seen["test"] == [(None, False)]


def test_without_training_nothing_is_known_to_be_seen() -> None:
    rows, _ = join(
        proposals(Proposal(mission="hst", proposal_id=1, abstract="stars")),
        [preview("hst", 1, s_ra=1.0, s_dec=1.0)],
        {},
        "abstract",
    )
    (row,) = mark_seen({"test": rows})["test"]
    assert (row.seen_sky, row.seen_text) == (None, None)
