"""Images that are built only when somebody asks: lip sync with Rhubarb, pose for GPUs."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc
from kuchipaku.type.v1 import audio_pb2
from tests.deploy.manifests import ROOT
from tests.deploy.pods import build_image, command, container_tool, image_of

CONFINED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all")
LIPSYNC = "127.0.0.1:51153"
NAME = "kuchipaku-lipsync-rhubarb"
READY_S = 90
LARGEST_WITH_RHUBARB_MB = 450
UNPACK = ROOT / "deploy/docker/rhubarb/unpack.py"


@pytest.fixture(scope="module")
def rhubarb_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    image = image_of("lipsync", "rhubarb")
    log = tmp_path_factory.mktemp("build") / "build.log"
    build_image(container_tool(), log, "lipsync", image, "--build-arg", "RHUBARB=npm")
    return image


@pytest.fixture
def rhubarb_service(rhubarb_image: str) -> Iterator[str]:
    remove = ["podman", "rm", "-f", "-t", "2", "--ignore", NAME]
    command(remove)
    settings = {"ADDRESS": "0.0.0.0:50053", "INSECURE": "true", "WORKERS": "1", "PRELOAD": "false"}
    environment = [f"--env=KUCHIPAKU_LIPSYNC_{name}={value}" for name, value in settings.items()]
    publish = ["-p", f"{LIPSYNC}:50053"]
    command(
        ["podman", "run", "-d", "--name", NAME, *CONFINED, *publish, *environment, rhubarb_image]
    )
    try:
        yield LIPSYNC
    finally:
        command(remove)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_rhubarb_listens_in_the_image(rhubarb_service: str) -> None:
    async with grpc.aio.insecure_channel(rhubarb_service) as channel:
        stub = lipsync_service_pb2_grpc.LipsyncServiceStub(channel)
        call = stub.RecognizeCues(_recording(), wait_for_ready=True, timeout=READY_S)
        shapes: set[int] = set()
        summary = lipsync.RecognizeCuesSummary()
        async for answer in call:
            shapes |= {cue.shape for cue in answer.cues.cues}
            if answer.HasField("summary"):
                summary = answer.summary
    assert summary.recognizer == lipsync.RECOGNIZER_RHUBARB
    assert summary.duration.ToTimedelta().total_seconds() > 6
    assert len(shapes) > 4


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_rhubarbs_licences_are_told(rhubarb_image: str) -> None:
    labels = json.loads(
        command(["podman", "image", "inspect", "-f", "{{json .Labels}}", rhubarb_image]).stdout
    )
    assert labels["io.kuchipaku.rhubarb"] == "npm"
    assert "MIT" in labels["org.opencontainers.image.licenses"].split(" AND ")
    folder = "/opt/kuchipaku/share/doc/kuchipaku/rhubarb"
    texts = command(
        [
            *("podman", "run", "--rm", "--network", "none", *CONFINED, "--entrypoint", "cat"),
            *(rhubarb_image, f"{folder}/NOTICE", f"{folder}/LICENSE.md"),
        ]
    ).stdout
    assert "Daniel Wolf" in texts
    assert "CMU Sphinx US English acoustic model" in texts
    inspect = ["podman", "image", "inspect", "-f", "{{.Size}}", rhubarb_image]
    assert int(command(inspect).stdout) <= LARGEST_WITH_RHUBARB_MB * 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fallback", [False, True])
def test_the_gpu_image_says_that_there_is_no_gpu(fallback: bool) -> None:
    container_tool()
    image = image_of("pose-gpu")
    if command(["podman", "image", "exists", image], check=False).returncode:
        pytest.skip(f"{image} is not there; it takes gigabytes: build.sh pose-gpu")
    settings = {
        "ADDRESS": "127.0.0.1:50052",
        "PROVIDER": "cuda",
        "PROVIDER_FALLBACK": str(fallback).lower(),
    }
    environment = [f"--env=KUCHIPAKU_POSE_{name}={value}" for name, value in settings.items()]
    words = ["podman", "run", "--rm", "--network", "none", *CONFINED, *environment, image]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        if fallback:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["event"] == "ready"
            process.terminate()
        _, log = process.communicate()
    if fallback:
        assert process.returncode == 0
        assert "another provider takes over" in log
    else:
        assert process.returncode == 1
        assert "cannot start: The provider CUDAExecutionProvider is not available" in log


def _archive(folder: Path, *, without: str = "") -> str:
    """A release as its authors publish it; its sha256."""
    names = ("rhubarb", "res/sphinx/en-us.lm.bin", "LICENSE.md", "extras/AdobeAfterEffects/x.jsx")
    with zipfile.ZipFile(folder / "Rhubarb-Lip-Sync-1.13.0-Linux.zip", "w") as archive:
        for name in names:
            if name != without:
                archive.writestr(f"Rhubarb-Lip-Sync-1.13.0-Linux/{name}", name)
    (file,) = folder.glob("*.zip")
    return command(["sha256sum", str(file)]).stdout.split()[0]


def _unpack(folder: Path, sha256: str) -> subprocess.CompletedProcess[str]:
    python = shutil.which("python3") or "python3"
    words = [python, str(UNPACK), str(folder), sha256, str(folder / "rhubarb")]
    return command(words, check=False)


def test_a_release_is_taken_when_its_digest_fits(tmp_path: Path) -> None:
    done = _unpack(tmp_path, _archive(tmp_path))
    assert done.returncode == 0, done.stderr
    files = {p.relative_to(tmp_path / "rhubarb").as_posix() for p in tmp_path.rglob("rhubarb/**/*")}
    assert files == {"rhubarb", "res", "res/sphinx", "res/sphinx/en-us.lm.bin", "LICENSE.md"}
    assert (tmp_path / "rhubarb" / "rhubarb").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("sha256", "without", "told"),
    [
        ("0" * 64, "", "has the sha256"),
        ("", "", "RHUBARB_SHA256=(unset)"),
        (None, "rhubarb", "holds no program"),
        (None, "LICENSE.md", "holds no LICENSE.md"),
    ],
)
def test_other_archives_are_refused(
    tmp_path: Path, sha256: str | None, without: str, told: str
) -> None:
    digest = _archive(tmp_path, without=without)
    done = _unpack(tmp_path, digest if sha256 is None else sha256)
    assert done.returncode == 1
    assert told in done.stderr
    assert not (tmp_path / "rhubarb").exists()


def test_without_an_archive_the_build_says_so(tmp_path: Path) -> None:
    done = _unpack(tmp_path, "0" * 64)
    assert done.returncode == 1
    assert "has to hold one archive" in done.stderr


async def _recording() -> AsyncIterator[lipsync.RecognizeCuesRequest]:
    config = lipsync.RecognizeCuesConfig(recognizer=lipsync.RECOGNIZER_RHUBARB)
    config.text = (ROOT / "examples/hello.txt").read_text(encoding="utf-8").strip()
    yield lipsync.RecognizeCuesRequest(config=config)
    audio = (ROOT / "examples/hello.wav").read_bytes()
    yield lipsync.RecognizeCuesRequest(audio=audio_pb2.AudioChunk(data=audio))
