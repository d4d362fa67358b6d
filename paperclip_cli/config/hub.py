"""Settings of `publish` and `pull`."""

from __future__ import annotations

from dataclasses import dataclass

from paperclip_cli.config.checks import one_of
from paperclip_cli.config.choices import Artefact
from paperclip_cli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PublishConfig:
    """What is published, and where.

    `name` names a model, a dataset or an index of the cache, and `repository` (`org/name`) a
    repository of the Hub, which is made if there is none. `licence` None is the one that the card
    names. `message` None is a message with the name. `private` only counts for a new repository.
    """

    kind: Artefact
    name: str
    repository: str
    licence: str | None = None
    message: str | None = None
    private: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        one_of("KIND", self.kind, Artefact)
        if self.message is not None and not self.message.strip():
            raise UsageError("--message is empty", "say what has changed, or leave it out")


@dataclass(frozen=True, kw_only=True)
class PullConfig:
    """What is fetched from the Hub, and under which name it is kept.

    `repository` is `org/name`, or `org/name@revision` with a branch, a tag or a commit. `name` None
    is the repository's last part. `kind` is only needed where a model and a dataset have the same
    name. With `force` an artefact of the same name and another origin is replaced.
    """

    repository: str
    name: str | None = None
    kind: Artefact | None = None
    force: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        one_of("--kind", self.kind, Artefact)
