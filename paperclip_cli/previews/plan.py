"""The plan of one fetch: a job for each image drawn, and which of them are already done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paperclip_cli.archives.base import Archive, Candidate
from paperclip_cli.archives.sampling import Choice
from paperclip_cli.config import FetchConfig
from paperclip_cli.previews.collection import Holdings
from paperclip_cli.previews.fetch_log import LEDGER, Entry, Place, shard_ledger
from paperclip_cli.previews.names import file_names
from paperclip_cli.workspace import file_sha256

RECIPE = 1  # to be raised when the same image would give another preview


@dataclass(frozen=True)
class Job:
    """A drawn image, the path of its preview, and a stamp of all that the preview depends on."""

    candidate: Candidate
    image: str
    stamp: str

    @property
    def place(self) -> Place:
        return self.candidate.key, self.candidate.name


@dataclass(frozen=True)
class Plan:
    """What one run is to do, and where."""

    archive: Archive
    choice: Choice
    config: FetchConfig
    folder: Path

    @property
    def ledger(self) -> str:
        """The name of the ledger that this run appends to."""
        return LEDGER if self.config.shard is None else shard_ledger(*self.config.shard)

    def jobs(self) -> list[Job]:
        """One job an image, whether or not it is done already."""
        recipe = f"size {self.config.size} recipe {RECIPE}"
        return [
            Job(image, f"proposal_{image.key.proposal_id}/{name}", f"{image.stamp} {recipe}")
            for wanted in self.choice.wanted
            for image, name in zip(
                wanted.images, file_names([image.name for image in wanted.images]), strict=True
            )
        ]

    def todo(self, held: Holdings) -> list[Job]:
        """The jobs that are not done."""
        return [job for job in self.jobs() if not self._is_done(job, held.ledger.get(job.place))]

    def _is_done(self, job: Job, entry: Entry | None) -> bool:
        """Whether the ledger and the disk hold what this job would make."""
        if (
            entry is None
            or self.config.force
            or (entry.source, entry.stamp) != (self.archive.identity, job.stamp)
        ):
            return False
        if entry.failure:
            return not (self.config.retry_failed or entry.may_pass)
        if entry.image != job.image or (self.config.keep_originals and entry.kept is None):
            return False
        there = all((self.folder / path).is_file() for path in entry.files)
        return there and (
            not self.config.verify or file_sha256(self.folder / entry.image) == entry.sha256
        )
