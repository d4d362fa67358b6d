"""The simulated sky, with the interface of an archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from paperclip_cli.archives.base import Candidate
from paperclip_cli.errors import BadItem, UsageError
from paperclip_cli.records import Key, Observation, Proposal
from paperclip_cli.simulation import frames
from paperclip_cli.simulation.abstracts import write_text
from paperclip_cli.simulation.coordinates import polygon
from paperclip_cli.simulation.plan import SKY_SIZE, Frame, Plan, first_id, plan_proposal, stream

MISSION = "sim"
VERSION = 1  # to be raised when the same seed no longer gives the same pictures


class FrameTruth(NamedTuple):
    """The true content of a frame, for evaluation only: no stage of the pipeline may read it."""

    label: str
    subtype: str
    faint: bool
    off_centre: bool
    failed: bool


@dataclass(frozen=True)
class SimulatedSky:
    """The first `count` proposals of the sky with this seed.

    It stores only these numbers. Proposals and pictures are made on demand, identical each time.
    """

    count: int
    seed: int
    mission: str = MISSION

    @property
    def identity(self) -> str:
        return f"simulated sky, seed {self.seed}"

    @property
    def excluded(self) -> Mapping[str, int]:
        return {}

    @property
    def notes(self) -> Sequence[str]:
        return ()

    def proposals(self) -> Sequence[Proposal]:
        """The catalogue. Proposal i does not depend on the count."""
        return [self._proposal(plan_proposal(self.seed, index)) for index in range(self.count)]

    def previews(self, key: Key) -> Sequence[Candidate]:
        """The frames of a proposal."""
        plan, stamp = self._plan(key), f"simulated sky {VERSION}, seed {self.seed}"
        return [
            Candidate(
                key=key, name=frame.name, stamp=stamp, observation=self._observation(plan, frame)
            )
            for frame in plan.frames
        ]

    def read(self, candidate: Candidate) -> np.ndarray:
        """The picture: uint8 [H, W]."""
        plan, frame = self._find(candidate)
        return frames.paint(self.seed, plan, frame)

    def original(self, candidate: Candidate) -> bytes | None:
        return None

    def blank_interior(self, candidate: Candidate) -> np.ndarray:
        """The picture with an empty footprint: uint8 [H, W].

        A model that still retrieves from it has learnt the frame, not the object.
        """
        return frames.blank(self._find(candidate)[1])

    def truth(self, candidate: Candidate) -> FrameTruth:
        """The true content of the frame."""
        plan, frame = self._find(candidate)
        return FrameTruth(
            plan.kind.label,
            plan.subtype,
            frame.target.faint,
            frame.pointing.off_centre,
            bool(frame.conditions.failure),
        )

    def _plan(self, key: Key) -> Plan:
        index = key.proposal_id - first_id(self.seed)
        if key.mission != self.mission or not 0 <= index < self.count:
            raise BadItem(f"{key} is not a proposal of this simulated sky")
        return plan_proposal(self.seed, index)

    def _find(self, candidate: Candidate) -> tuple[Plan, Frame]:
        plan = self._plan(candidate.key)
        for frame in plan.frames:
            if frame.name == candidate.name:
                return plan, frame
        raise BadItem(f"{candidate.name} is not a preview of {candidate.key}")

    def _proposal(self, plan: Plan) -> Proposal:
        title, abstract, category = write_text(stream(self.seed, "text", plan.proposal_id), plan)
        return Proposal(
            mission=self.mission,
            proposal_id=plan.proposal_id,
            abstract=abstract,
            title=title,
            category=category,
            cycle=str(plan.cycle),
            proposal_type="GO",
        )

    def _observation(self, plan: Plan, frame: Frame) -> Observation:
        target, camera = frame.target, frame.pointing.camera
        return Observation(
            target=target.name,
            moving=plan.kind.where == "solar",
            s_ra=round(target.ra, 6),
            s_dec=round(target.dec, 6),
            s_region=polygon(target.ra, target.dec, frames.footprint(frame)),
            instrument=camera.instrument,
            detector=camera.detector,
            filters=frame.band.names,
            cycle=str(plan.cycle),
            obs_id=frame.name,
            t_min=round(frame.start, 5),
            t_exptime=frame.exposure,
        )


def simulated_sky(n: int, seed: int) -> SimulatedSky:
    """The archive of `n` simulated proposals: the first `n` of every longer sky of this seed."""
    if not 1 <= n <= SKY_SIZE:
        raise UsageError(f"--simulate {n} is out of range", f"give 1 to {SKY_SIZE:,}")
    return SimulatedSky(n, seed)
