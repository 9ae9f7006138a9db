"""Collecting a recording, within the room that the server has for all of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from kuchipaku_lipsync.intake import Audio, ByteBudget, Intake
from kuchipaku_lipsync.live.arrivals import Arrivals, Late, PatientReader
from kuchipaku_lipsync.live.pace import Pace


class Reserved:
    """The part of the budget that one call holds."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._held = 0

    def take(self, count: int) -> None:
        """Hold more. Raises like `ByteBudget.take`."""
        self._budget.take(count)
        self._held += count

    def give_back(self, count: int) -> None:
        """Hold less."""
        self._budget.give_back(count)
        self._held -= count

    def release(self) -> None:
        """Hold nothing."""
        self.give_back(self._held)


async def collect(intake: Intake, reserved: Reserved, data: bytes) -> None:
    """One piece of a recording."""
    reserved.take(len(data))
    kept = await asyncio.to_thread(intake.push, data)
    # Resampling up keeps more than has come.
    if kept > len(data):
        reserved.take(kept - len(data))
    else:
        reserved.give_back(len(data) - kept)


async def collected_unless_live(
    reader: PatientReader, intake: Intake, reserved: Reserved, arrivals: Arrivals
) -> Audio | None:
    """The whole recording; None as soon as it is found to come as fast as it plays."""
    async with AsyncExitStack() as stack:
        stack.callback(arrivals.close)
        while (piece := await reader.next(arrivals.patience_s)) is not None:
            if isinstance(piece, Late):
                arrivals.wait_is_over()
                return None
            before = arrivals.kept
            reserved.take(len(piece.data))
            pace = await arrivals.take(piece)
            # Kept besides the recording itself, until it is known to be one.
            reserved.give_back(before + len(piece.data) - arrivals.kept)
            await collect(intake, reserved, piece.data)
            if pace is Pace.REAL_TIME:
                return None
        return await asyncio.to_thread(intake.finish)


async def collected(reader: PatientReader, intake: Intake, reserved: Reserved) -> Audio:
    """The whole recording, however it comes."""
    async for data in reader.rest():
        await collect(intake, reserved, data)
    return await asyncio.to_thread(intake.finish)
