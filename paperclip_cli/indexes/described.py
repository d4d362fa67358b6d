"""What an open index says of itself, wherever its vectors are."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from paperclip_cli import __version__
from paperclip_cli.images.reading import Reading
from paperclip_cli.images.view import View
from paperclip_cli.indexes.database import Entry
from paperclip_cli.records import Provenance
from paperclip_cli.workspace import Manifest, Workspace

THUMBNAILS = "thumbnails"


class Described:
    """An open index with a `name`, a `manifest`, and a `folder` on this machine."""

    if TYPE_CHECKING:

        @property
        def name(self) -> str: ...
        @property
        def manifest(self) -> Manifest: ...
        @property
        def folder(self) -> Path: ...

    def file_of(self, entry: Entry, workspace: Workspace) -> Path:
        """The file of an image, where it was indexed; in an imported index, its thumbnail."""
        is_thumbnail = entry.path.startswith(f"{THUMBNAILS}/")
        return (self.folder if is_thumbnail else workspace.root) / entry.path

    @cached_property
    def view(self) -> View:
        """The part of an image that its model sees."""
        return View(**self.manifest.config["view"])

    @cached_property
    def reading(self) -> Reading:
        """The way its files became views."""
        return Reading(**self.manifest.config.get("reading", {}))

    @cached_property
    def provenance(self) -> Provenance:
        """The software, the index and the model behind its answers."""
        manifest = self.manifest
        return Provenance(
            software=f"paperclip {__version__}",
            index=f"{self.name} of {manifest.created}",
            model=manifest.config["model"],
            fingerprint=manifest.inputs["model"],
        )
