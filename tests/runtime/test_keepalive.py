"""Pings of clients that keep a quiet connection alive."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kuchipaku_runtime import serving
from tests.runtime.probe import Probe, ProbeSettings, build_with

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ACK = 1
PINGS = 12


class Http2:
    """Frames of one connection, without a library that is polite on its own (RFC 9113)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, kind: int, flags: int = 0, payload: bytes = b"") -> None:
        length = struct.pack(">I", len(payload))[1:]
        self._writer.write(length + bytes((kind, flags)) + bytes(4) + payload)

    async def next_of(self, *kinds: int) -> tuple[int, int, bytes]:
        """Type, flags and payload of the next frame of these types."""
        while True:
            head = await self._reader.readexactly(9)
            payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] in kinds:
                return head[3], head[4], payload

    async def ping(self, number: int) -> bool:
        """Ping once. Returns whether the server goes on."""
        self.send(PING, payload=number.to_bytes(8, "big"))
        kind, flags, payload = await self.next_of(PING, GOAWAY)
        if kind == GOAWAY:
            assert b"too_many_pings" in payload
            return False
        assert flags == ACK
        assert payload == number.to_bytes(8, "big")
        return True


@asynccontextmanager
async def connection(address: str) -> AsyncIterator[Http2]:
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(PREFACE)
        http2 = Http2(reader, writer)
        http2.send(SETTINGS)
        await http2.next_of(SETTINGS)
        http2.send(SETTINGS, ACK)
        yield http2
    finally:
        writer.close()


@pytest.mark.parametrize(("interval_s", "kept"), [(0.002, True), (600.0, False)])
async def test_a_quiet_connection_lives_by_pings_as_often_as_is_allowed(
    probe: Probe, interval_s: float, kept: bool
) -> None:
    settings = ProbeSettings(ping_interval_min_s=interval_s)
    async with (
        serving(settings, build_with(probe)) as address,
        connection(address) as http2,
    ):
        answered = []
        for number in range(PINGS):
            answered.append(await http2.ping(number))
            if not answered[-1]:
                break
            # The least that keeps the rule; longer does no harm.
            await asyncio.sleep(0.01)
        assert all(answered) is kept
