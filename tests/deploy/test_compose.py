"""The Compose file: what it refers to is there, and containers are as confined as pods."""

from __future__ import annotations

import asyncio
import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku_contract.errors import UnavailableError
from kuchipaku_contract.limits import LIMITS
from tests.deploy.manifests import ROOT, SERVICES
from tests.deploy.pods import PORTS, build_images, container_tool, image_of

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

FILE = ROOT / "deploy" / "compose.yaml"
GATEWAY = "127.0.0.1:51250"
PROJECT = "kuchipaku-test"
RETRIES = 60


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert set(loaded["services"]) == set(SERVICES)
    return loaded


@pytest.fixture(params=SERVICES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service(compose: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"][name]
    return found


def test_compose_takes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    text = FILE.read_text(encoding="utf-8")
    docker = shutil.which("docker")
    if docker and not _run(docker, "compose", "version").returncode:
        command = [docker, "compose"]
    elif old := shutil.which("docker-compose"):
        command = [old]
        text = re.sub(r"(?m)^name: .*\n", "", text)  # which its first generation does not know
    else:
        pytest.skip("neither docker compose nor docker-compose is installed")
    file.write_text(text, encoding="utf-8")
    done = _run(*command, "-f", str(file), "config", "--quiet")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Iterator[str]:
    """The services under podman-compose; the gateway's address."""
    tool = container_tool()
    if shutil.which("podman-compose") is None:
        pytest.skip("podman-compose is not installed")
    build_images(tool, tmp_path / "build.log")
    text = re.sub(
        r"ghcr\.io/kuchipaku/(\w+):\S+", lambda m: image_of(m[1]), FILE.read_text(encoding="utf-8")
    )
    file = tmp_path / "compose.yaml"
    file.write_text(text.replace("127.0.0.1:50050:", f"{GATEWAY}:"), encoding="utf-8")
    words = ("podman-compose", "-f", str(file), "-p", PROJECT)
    _run(*words, "down", "-v")
    try:
        assert not _run(*words, "up", "-d", "--no-build").returncode
        yield GATEWAY
    finally:
        _run(*words, "down", "-v")
        _run("podman", "network", "rm", f"{PROJECT}_inside", f"{PROJECT}_outside")
        _run("podman", "volume", "rm", f"{PROJECT}_store")


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_the_main_job_runs_under_compose(project: str) -> None:
    audio = (ROOT / "examples/hello.wav").read_bytes()
    async with Client(project) as client:
        prompt = gateway.PromptSource(prompt="boy, green eyes", seed=3)
        request = gateway.CreateCharacterRequest(prompt=prompt)
        for _ in range(RETRIES):
            with suppress(UnavailableError):
                made = await client.create_character(request)
                break
            await asyncio.sleep(1.0)  # the services are starting
        else:
            made = await client.create_character(request)
        config = gateway.RenderVideoConfig(character=made.character.name)
        film = b""
        async with aclosing(client.render_video(config, audio)) as answers:
            async for answer in answers:
                film += answer.chunk.data
    assert film[4:8] == b"ftyp"
    assert len(film) > 20_000


def test_settings_load(service: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"kuchipaku_{name}.settings")
    settings_type = getattr(module, f"{name.capitalize()}Settings")
    assert set(service["environment"]) <= {row.variable for row in settings_type.rows()}
    for variable, value in service["environment"].items():
        assert isinstance(value, str)
        monkeypatch.setenv(variable, value)
    settings = settings_type()
    assert settings.address == f"0.0.0.0:{PORTS[name]}"
    assert _seconds(service["stop_grace_period"]) > settings.drain_timeout_s
    assert settings.drain_timeout_s < LIMITS.max_audio_duration_s


def test_images_are_those_that_are_built(service: dict[str, Any], name: str) -> None:
    build = service["build"]
    assert (FILE.parent / build["context"]).resolve() == ROOT
    recipe = (ROOT / build["dockerfile"]).read_text(encoding="utf-8")
    assert re.search(rf"(?m)^FROM \S+ AS {build['target']}$", recipe)
    version = re.search(r'(?m)^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert version
    assert service["image"] == f"ghcr.io/kuchipaku/{name}:{version[1]}"


def test_containers_are_confined(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert re.fullmatch(r"/tmp:size=\d+[mg]", service["tmpfs"][0])
    assert re.fullmatch(r"\d+g", service["mem_limit"])
    assert "user" not in service  # the image's own, which is nobody in particular
    assert not service.get("privileged")


def test_health_is_asked_where_the_service_listens(service: dict[str, Any], name: str) -> None:
    test = service["healthcheck"]["test"]
    assert test == ["CMD", "kuchipaku-health", f"127.0.0.1:{PORTS[name]}"]


def test_only_the_gateway_is_reached_and_only_from_this_machine(compose: dict[str, Any]) -> None:
    published = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert published == {"gateway": ["127.0.0.1:50050:50050"]}
    assert compose["networks"]["inside"]["internal"] is True
    for name, service in compose["services"].items():
        outside = ["outside"] if name == "gateway" else []
        assert service["networks"] == ["inside", *outside]
        assert set(service["networks"]) <= set(compose["networks"])


def test_the_gateway_finds_the_others_and_its_store(compose: dict[str, Any]) -> None:
    gateway = compose["services"]["gateway"]
    for name in set(SERVICES) - {"gateway"}:
        address = gateway["environment"][f"KUCHIPAKU_GATEWAY_{name.upper()}_ADDRESS"]
        assert address == f"dns:///{name}:{PORTS[name]}"
        assert name in gateway["depends_on"]
    (volume,) = gateway["volumes"]
    source, _, folder = volume.partition(":")
    assert source in compose["volumes"]
    assert gateway["environment"]["KUCHIPAKU_GATEWAY_STORE_URL"] == f"file://{folder}"


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=False, capture_output=True, text=True)
