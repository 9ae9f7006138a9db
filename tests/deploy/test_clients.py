"""The clients in other languages do the main job; they are the examples of the documentation."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from kuchipaku.supervisor import Plan, running_services

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
API_KEY = "a-key-for-examples-only"
EX_TEMPFAIL = 75
LINE_FRAMES = 77  # of 6.38 s at 12 a second


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[str]:
    settings = {"KUCHIPAKU_GATEWAY_API_KEYS": API_KEY, "KUCHIPAKU_LIPSYNC_WORKERS": "1"}
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", environment=settings)
    async with running_services(plan):
        yield plan.addresses["gateway"]


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def _run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        check=False,
        capture_output=True,
        text=True,
    )


def _speak(program: Sequence[str], address: str, folder: Path, key: str = API_KEY) -> list[str]:
    text = (EXAMPLES / "hello.txt").read_text(encoding="utf-8").strip()
    words = [*program, address, str(EXAMPLES / "hello.wav"), text, str(folder / "film.mp4")]
    if program[0] == "node":
        words.append(str(folder / "frame.png"))
    done = _run(words, folder, {"KUCHIPAKU_API_KEY": key})
    return [str(done.returncode), done.stdout, done.stderr]


@pytest.fixture
def node_client(tmp_path: Path) -> list[str]:
    _need("node", "npm")
    folder = tmp_path / "examples" / "node"
    shutil.copytree(EXAMPLES / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    done = _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    if done.returncode:
        pytest.skip(f"the client's packages cannot be installed: {done.stderr[-300:]}")
    return ["node", str(folder / "speak.js")]


async def test_the_node_client_does_the_main_job(
    gateway: str, node_client: list[str], tmp_path: Path
) -> None:
    code, out, err = await _in_thread(node_client, gateway, tmp_path)
    assert code == "0", err
    seen = json.loads(out)
    assert seen["frames"] == LINE_FRAMES
    assert seen["cues"] > 10
    assert (tmp_path / "frame.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"
    # What went wrong is told with the service's own reason, and whether to try again.
    code, _, err = await _in_thread(node_client, gateway, tmp_path, "not-the-key-that-is-wanted")
    assert (code, err.strip()) == ("1", "16 API_KEY_INVALID: The API key is not known.")
    code, _, err = await _in_thread(node_client, f"unix:{tmp_path}/nobody.sock", tmp_path)
    assert code == str(EX_TEMPFAIL), err


async def test_the_cpp_client_does_the_main_job(gateway: str, tmp_path: Path) -> None:
    _need("cmake", "g++", "protoc", "grpc_cpp_plugin", "pkg-config")
    if _run(["pkg-config", "--exists", "grpc++"], tmp_path).returncode:
        pytest.skip("not installed: libgrpc++-dev and libprotobuf-dev")
    build = tmp_path / "build"
    for words in (
        ["cmake", "-S", str(EXAMPLES / "cpp"), "-B", str(build)],
        ["cmake", "--build", str(build)],
    ):
        done = _run(words, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    program = [str(build / "speak")]
    code, out, err = await _in_thread(program, gateway, tmp_path)
    assert code == "0", err
    seen = json.loads(out)
    assert seen["frames"] == LINE_FRAMES
    assert seen["bytes"] > 10_000
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"
    code, _, err = await _in_thread(program, f"unix:{tmp_path}/nobody.sock", tmp_path)
    assert code == str(EX_TEMPFAIL), err


async def _in_thread(
    program: Sequence[str], address: str, folder: Path, key: str = API_KEY
) -> list[str]:
    # The services' logs are read by this event loop; it has to run meanwhile.
    return await asyncio.to_thread(_speak, program, address, folder, key)
