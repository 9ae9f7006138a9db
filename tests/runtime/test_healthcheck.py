"""The command that asks a service's health."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kuchipaku_runtime import serving
from kuchipaku_runtime.healthcheck import main
from tests.runtime.probe import Probe, ProbeSettings, build_with


async def _ask(*words: str) -> int:
    return await asyncio.to_thread(main, words)


async def test_a_healthy_server_is_told_from_one_that_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with serving(ProbeSettings(), build_with(Probe())) as address:
        assert await _ask(address) == 0
        assert await _ask(address, "--service", "no.such.Service") == 1
    assert await _ask(f"unix:{tmp_path}/nobody") == 2
    assert capsys.readouterr().out.split() == ["SERVING", "SERVICE_UNKNOWN", "UNREACHABLE"]
