"""The main job in containers, and what happens when a pod goes."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.type.v1 import audio_pb2, session_pb2
from kuchipaku_contract.errors import StatusCode, UnavailableError
from tests.deploy.manifests import K8S, ROOT, SERVICES
from tests.deploy.pods import (
    API_KEY,
    GATEWAY,
    Pods,
    build_images,
    command,
    container_tool,
    image_of,
    write_manifests,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
FPS = 8
RETRIES = 20
LINE_FRAMES = 52  # of 6.38 s
LARGEST_MB = {"gateway": 250, "lipsync": 350, "pose": 450}


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    tool = container_tool()
    folder = tmp_path_factory.mktemp("pods")
    build_images(tool, folder / "build.log")
    write_manifests(folder)
    pods = Pods(tool, folder)
    pods.stop()
    try:
        pods.start()
        yield pods
    finally:
        pods.stop()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(GATEWAY, api_key=API_KEY) as client:
        yield client


@pytest.fixture
async def character(client: Client, pods: Pods) -> str:
    prompt = gateway.PromptSource(prompt="girl, silver hair, red eyes", seed=7)
    request = gateway.CreateCharacterRequest(prompt=prompt)
    return (await client.create_character(request)).character.name


async def test_the_main_job_runs_in_containers(client: Client, character: str) -> None:
    config = gateway.RenderVideoConfig(character=character, text=_text())
    film = b""
    async with aclosing(client.render_video(config, _audio())) as answers:
        async for answer in answers:
            film += answer.chunk.data
    assert film[4:8] == b"ftyp"
    assert len(film) > 20_000


async def test_a_picture_with_a_background_becomes_a_character(
    client: Client, character: str
) -> None:
    drawn = (await client.get_character(character, full=True)).canvas.png
    photo = _before_a_wall(Image.open(io.BytesIO(drawn)))
    request = gateway.CreateCharacterRequest(image=gateway.ImageSource(image=photo))
    result = await client.create_character(request)
    full = await client.get_character(result.character.name, full=True)
    canvas = np.asarray(Image.open(io.BytesIO(full.canvas.png)).convert("RGBA"))
    assert canvas.shape == (512, 512, 4)
    alpha = canvas[..., 3]
    # The wall is gone, above and on both sides of the head; the face is there.
    assert np.percentile(alpha[:60, :60], 95) < 20
    assert np.percentile(alpha[:60, -60:], 95) < 20
    assert alpha[200:260, 230:280].mean() > 230
    # What was cut out and framed again lies where the character was drawn.
    wanted = np.asarray(Image.open(io.BytesIO(drawn)))[..., 3] > 127
    found = alpha > 127
    assert (wanted & found).sum() / (wanted | found).sum() > 0.8


async def test_an_utterance_is_one_trace_through_the_pods(
    client: Client, character: str, pods: Pods
) -> None:
    await _speak(client, character, utterance="traced")
    through = {"kuchipaku-gateway", "kuchipaku-lipsync", "kuchipaku-pose"}
    services: set[str] = set()
    for _ in range(RETRIES):
        spans = await asyncio.to_thread(pods.spans)
        traces = {s["trace"] for s in spans if s.get("kuchipaku.utterance_id") == "traced"}
        assert len(traces) <= 1
        services = {span["service"] for span in spans if span["trace"] in traces}
        if services >= through:
            break
        await asyncio.sleep(1.0)  # spans are sent every five seconds
    assert services == through


@pytest.mark.parametrize("service", SERVICES)
def test_containers_are_nobody_and_write_nowhere(pods: Pods, service: str) -> None:
    assert pods.execute(service, "id", "-u").stdout.strip() == "10001"
    refused = pods.execute(service, "touch", "/opt/kuchipaku/x")
    assert "Read-only file system" in refused.stderr
    licences = pods.execute(service, "cat", "/opt/kuchipaku/share/doc/kuchipaku/NOTICE")
    assert "Third parties" in licences.stdout


@pytest.mark.parametrize("service", LARGEST_MB)
def test_images_stay_small(pods: Pods, service: str) -> None:
    inspect = ["podman", "image", "inspect", "-f", "{{.Size}}", image_of(service)]
    size = int(command(inspect).stdout)
    assert size <= LARGEST_MB[service] * 1_000_000


def test_a_model_pack_that_is_not_the_reviewed_one_does_not_start(
    pods: Pods, tmp_path: Path
) -> None:
    sums = (K8S / "base/config/SHA256SUMS").read_text(encoding="utf-8")
    assert _check_models(tmp_path, sums) == 0
    wrong = hashlib.sha256(b"something else").hexdigest()
    assert _check_models(tmp_path, wrong + sums[64:]) == 1


async def test_a_pose_pod_that_is_told_to_go_finishes_its_utterance(
    client: Client, character: str, pods: Pods
) -> None:
    seen = 0
    summary = session_pb2.UtteranceSummary()
    async with aclosing(client.speak(_line(character))) as answers:
        async for answer in answers:
            if answer.HasField("frames"):
                if not seen:
                    await asyncio.to_thread(pods.kill, "pose", "TERM")
                seen += len(answer.frames.frames)
            elif answer.HasField("utterance_summary"):
                summary = answer.utterance_summary.summary
    assert not summary.interrupted
    assert summary.duration.ToTimedelta().total_seconds() > 5
    assert seen == summary.frame_count
    # A busy machine may drop late frames; none is forgotten.
    assert summary.frame_count + summary.dropped_frame_count == LINE_FRAMES
    assert await asyncio.to_thread(pods.wait_ended, "pose") == 0
    # Nobody is there for the next line: it is refused, with a status that is worth a retry.
    with pytest.raises(UnavailableError):
        await _speak(client, character)
    await asyncio.to_thread(pods.replace, "pose")
    assert await _speak_again(client, character) > 0


async def test_a_pose_pod_that_is_killed_gives_a_status_to_retry_on(
    client: Client, character: str, pods: Pods
) -> None:
    last_s = -1.0

    async def kill_after_the_first_frames() -> None:
        nonlocal last_s
        async with aclosing(client.speak(_line(character))) as answers:
            async for answer in answers:
                if answer.HasField("frames"):
                    if last_s < 0:
                        await asyncio.to_thread(pods.kill, "pose", "KILL")
                    last_s = answer.frames.frames[-1].offset.ToTimedelta().total_seconds()

    with pytest.raises(UnavailableError) as caught:
        await kill_after_the_first_frames()
    assert caught.value.code is StatusCode.UNAVAILABLE
    assert caught.value.reason
    await asyncio.to_thread(pods.wait_ended, "pose")
    await asyncio.to_thread(pods.replace, "pose")
    # The rest of the line, from where it broke off.
    assert await _speak_again(client, character, resume_s=last_s) > last_s


async def _speak_again(client: Client, character: str, resume_s: float = 0.0) -> float:
    """Speak the line, trying again as UNAVAILABLE asks for: names are looked up anew meanwhile."""
    for _ in range(RETRIES):
        try:
            return await _speak(client, character, resume_s)
        except UnavailableError:
            await asyncio.sleep(1.0)
    return await _speak(client, character, resume_s)


async def _speak(
    client: Client, character: str, resume_s: float = 0.0, utterance: str = "line"
) -> float:
    """Speak the line as fast as it goes; the offset of the last frame."""
    last_s = 0.0
    line = _line(character, resume_s, session_pb2.PACING_FASTEST, utterance)
    async with aclosing(client.speak(line)) as answers:
        async for answer in answers:
            for frame in answer.frames.frames:
                last_s = frame.offset.ToTimedelta().total_seconds()
                assert last_s >= resume_s
    return last_s


async def _line(
    character: str,
    resume_s: float = 0.0,
    pacing: session_pb2.Pacing.ValueType = session_pb2.PACING_REAL_TIME,
    name: str = "line",
) -> AsyncIterator[gateway.SpeakRequest]:
    config = gateway.SpeakConfig(character=character, pacing=pacing)
    config.frame_format.width_px = config.frame_format.height_px = 256
    config.animation.frames_per_second = FPS
    yield gateway.SpeakRequest(config=config)
    utterance = gateway.SpeakUtterance(utterance_id=name, text=_text())
    utterance.resume_offset.FromNanoseconds(round(resume_s * 1e9))
    yield gateway.SpeakRequest(utterance=utterance)
    yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=_audio()))


def _before_a_wall(character: Image.Image) -> bytes:
    """A picture of the character, larger and off the middle, before a wall in uneven light."""
    rows, columns = np.mgrid[0:900, 0:760]
    light = 0.75 + 0.25 * np.cos(rows / 400.0) * np.cos(columns / 500.0)
    wall = Image.fromarray((light[..., None] * (120, 160, 190)).astype(np.uint8))
    large = character.resize((700, 700), Image.Resampling.LANCZOS)
    wall.paste(large, (30, 200), large)
    out = io.BytesIO()
    wall.save(out, "PNG")
    return out.getvalue()


def _check_models(folder: Path, sums: str) -> int:
    # The container is somebody else, and may only see what everybody may.
    folder.chmod(0o755)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return command(
        [
            *("podman", "run", "--rm", "--read-only", "--network", "none"),
            *("-v", f"{folder}:/etc/kuchipaku/models:ro"),
            *("-w", "/opt/kuchipaku/share/kuchipaku/models", "--entrypoint", "sha256sum"),
            *(image_of("pose"), "--check", "--strict", "--quiet"),
            "/etc/kuchipaku/models/SHA256SUMS",
        ],
        check=False,
    ).returncode


def _audio() -> bytes:
    return (ROOT / "examples/hello.wav").read_bytes()


def _text() -> str:
    return (ROOT / "examples/hello.txt").read_text(encoding="utf-8").strip()
