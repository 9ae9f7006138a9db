from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from kuchipaku_pose.settings import PoseSettings
from tests.pose.tinypack import write_pack


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kuchipaku_pose",
        *arguments,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    write_pack(tmp_path / "one", name="one")
    write_pack(tmp_path / "two", name="two")
    paths = os.pathsep.join([str(tmp_path / "two"), str(tmp_path)])
    process = await start("--address", f"unix:{tmp_path}/s", KUCHIPAKU_POSE_MODELS=paths)
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert (ready["event"], ready["service"]) == ("ready", "pose")
    process.send_signal(signal.SIGTERM)
    _, log = await process.communicate()
    assert process.returncode == 0, log.decode()


@pytest.mark.parametrize(
    ("folder", "message"),
    [("nothing", "No model pack in"), ("broken", "manifest.json is wrong")],
)
async def test_without_a_good_pack_the_command_says_why_and_fails(
    tmp_path: Path, folder: str, message: str
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}")
    process = await start("--address", f"unix:{tmp_path}/s", "--models", str(tmp_path / folder))
    _, log = await process.communicate()
    assert process.returncode == 1
    assert message in log.decode()


def test_every_setting_is_described() -> None:
    rows = {row.variable: row for row in PoseSettings.rows()}
    assert "KUCHIPAKU_POSE_MODELS" in rows
    assert all(row.description for row in rows.values())
