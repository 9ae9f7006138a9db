"""The command line, as a user types it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import click
import fsspec
import pytest
from click.testing import CliRunner

from kuchipaku.cli import demo
from kuchipaku.cli.main import main
from kuchipaku.cli.options import target_from
from kuchipaku.cli.speak import Outcome, report
from kuchipaku.supervisor import (
    Plan,
    ServiceDiedError,
    ServiceFailedError,
    ServiceNotReadyError,
    check_health,
    running_services,
)
from kuchipaku_contract import LIMITS

ROOT = Path(__file__).resolve().parents[2]
HELLO = str(ROOT / "examples/hello.wav")


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """The address of a gateway that is not there."""
    return f"unix:{tmp_path}/nobody.sock"


@pytest.mark.parametrize(
    "command", [[], ["speak"], ["lipsync"], ["characters"], ["up"], ["status"], ["demo"]]
)
def test_help_is_there(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--prompt", "girl", "--character", "abcd"],
        ["--prompt", "girl", "--image", HELLO],
    ],
)
def test_speak_wants_exactly_one_character(arguments: list[str], nobody: str) -> None:
    command = ["speak", *arguments, "--audio", HELLO, "-o", "x.mp4", "--gateway", nobody]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "exactly one of" in result.output


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("-o", "film.avi"),
        ("-o", HELLO.removesuffix("hello.wav") + "hello.txt"),
        ("--background", "#12345"),
        ("--background", "nothing-there.png"),
        ("--seed", str(2**63)),
        ("-o", "film"),
        ("--expression", "hapy"),
        ("--background", "transparent"),  # MP4 has none
        ("--audio", str(ROOT / "README.md")),
        ("--audio", str(ROOT / "docs/images/hello.png")),
        ("--audio", "/dev/null"),
    ],
)
def test_what_cannot_be_is_refused_before_a_character_is_made(
    nobody: str, tmp_path: Path, option: str, value: str
) -> None:
    options = {"--prompt": "girl", "--audio": HELLO, "-o": str(tmp_path / "x.mp4"), option: value}
    command = ["speak", "--gateway", nobody, *(part for pair in options.items() for part in pair)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2, result.output


@pytest.mark.parametrize("option", ["--image", "--background"])
def test_a_picture_too_large_to_be_sent(nobody: str, tmp_path: Path, option: str) -> None:
    picture = tmp_path / "large.png"
    with picture.open("wb") as file:
        file.truncate(LIMITS.max_image_bytes + 1)
    source = [] if option == "--image" else ["--prompt", "girl"]
    command = ["speak", *source, option, str(picture), "--audio", HELLO, "-o", "x.mp4"]
    result = CliRunner().invoke(main, [*command, "--gateway", nobody])
    assert result.exit_code == 2
    assert "7 MiB" in result.output


@pytest.mark.parametrize(
    ("text", "is_film"),
    [("film.mp4", True), ("FILM.WebP", True), ("frames/", False), ("frames.v2/", False)],
)
def test_a_film_or_a_folder(text: str, is_film: bool) -> None:
    assert (target_from(text).container is not None) == is_film


def test_a_name_without_an_ending_might_be_either() -> None:
    with pytest.raises(click.BadParameter) as caught:
        target_from("film")
    assert "film.mp4" in caught.value.message
    assert "film/" in caught.value.message


def test_a_folder_that_exists_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "frames.v2").mkdir()
    assert target_from(str(tmp_path / "frames.v2")).container is None


@pytest.mark.parametrize("phrase", ["[red eyes]", "[/red]", "a\\", "[bold]"])
def test_what_users_write_is_shown_as_written(
    capsys: pytest.CaptureFixture[str], phrase: str
) -> None:
    report(Outcome(Path("x.mp4"), "characters/abcd", (phrase,), {}, 0, (phrase,)))
    assert capsys.readouterr().err.count(phrase) == 2


def test_a_gateway_that_is_away_is_told_with_the_way_out(nobody: str, tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    command = ["speak", "--prompt", "girl", "--audio", HELLO, "-o", str(out), "--gateway", nobody]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert result.output.count("UNAVAILABLE") == 1
    assert "kuchipaku up" in result.output
    assert not list(tmp_path.iterdir())


def test_a_demo_without_its_recording_asks_for_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "a/b/demo.py"))
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 2
    assert "--audio YOUR.wav" in result.output
    result = CliRunner().invoke(main, ["demo", "--text-string", "Hello!"])
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_status_fails_when_services_are_away(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["status", "--sockets", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.count("UNREACHABLE") == 5


@pytest.mark.parametrize("shapes", ["GHX", "AFQ", "ABCDEF"])
def test_lipsync_refuses_unknown_shapes(shapes: str) -> None:
    result = CliRunner().invoke(main, ["lipsync", HELLO, "--shapes", shapes])
    assert result.exit_code == 2


async def test_services_run_and_stop(tmp_path: Path) -> None:
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen", "compositor"))
    ready: list[str] = []
    async with running_services(plan, on_ready=lambda name, _: ready.append(name)):
        assert sorted(ready) == ["compositor", "imagegen"]
        assert await check_health(plan.addresses["imagegen"]) == "SERVING"
    assert await check_health(plan.addresses["imagegen"]) == "UNREACHABLE"


async def test_a_service_that_cannot_start_ends_the_others_with_its_log(tmp_path: Path) -> None:
    plan = Plan.on_sockets(
        tmp_path,
        tmp_path / "data",
        ("imagegen", "compositor"),
        environment={"KUCHIPAKU_COMPOSITOR_LOG_LEVEL": "LOUD"},
    )
    with pytest.raises(ServiceDiedError) as caught:
        async with running_services(plan):
            pytest.fail("the services must not get ready")
    assert caught.value.service == "compositor"
    assert "log_level" in caught.value.log
    assert await check_health(plan.addresses["imagegen"]) == "UNREACHABLE"


async def test_a_service_that_takes_too_long_is_named_with_its_log(tmp_path: Path) -> None:
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen",))
    with pytest.raises(ServiceNotReadyError) as caught:
        async with running_services(plan, startup_limit_s=0.01):
            pytest.fail("nothing starts within that time")
    assert caught.value.service == "imagegen"
    assert "imagegen" in str(caught.value)


async def test_who_does_not_wait_for_the_draining_kills_the_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminated = asyncio.Event()

    def never_mind(_process: asyncio.subprocess.Process) -> None:
        terminated.set()

    monkeypatch.setattr(asyncio.subprocess.Process, "terminate", never_mind)
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen", "compositor"))
    processes: list[asyncio.subprocess.Process] = []

    async def serve() -> None:
        async with running_services(plan) as supervisor:
            processes.extend(supervisor.processes.values())

    serving = asyncio.create_task(serve())
    await terminated.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2


def test_the_places_of_a_plan_count_more_than_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUCHIPAKU_POSE_ADDRESS", "127.0.0.1:6000")
    monkeypatch.setenv("KUCHIPAKU_GATEWAY_POSE_ADDRESS", "127.0.0.1:6000")
    monkeypatch.setenv("KUCHIPAKU_GATEWAY_STORE_URL", "memory://elsewhere")
    monkeypatch.setenv("KUCHIPAKU_GATEWAY_LOG_FORMAT", "json")
    monkeypatch.setenv("KUCHIPAKU_GATEWAY_DRAIN_TIMEOUT_S", "90")
    plan = Plan.on_sockets(tmp_path, tmp_path, environment={"KUCHIPAKU_GATEWAY_SESSIONS": "2"})
    pose, gateway = plan.environment_of("pose"), plan.environment_of("gateway")
    assert pose["KUCHIPAKU_POSE_ADDRESS"] == plan.addresses["pose"]
    assert gateway["KUCHIPAKU_GATEWAY_POSE_ADDRESS"] == plan.addresses["pose"]
    assert gateway["KUCHIPAKU_GATEWAY_STORE_URL"] == f"file://{tmp_path}"
    assert gateway["KUCHIPAKU_GATEWAY_LOG_FORMAT"] == "json"
    assert gateway["KUCHIPAKU_GATEWAY_SESSIONS"] == "2"
    assert plan.stop_limit_s("gateway") > 90


async def test_a_service_that_dies_is_noticed(tmp_path: Path) -> None:
    plan = Plan.on_sockets(tmp_path, tmp_path / "data", ("imagegen",))
    async with running_services(plan) as supervisor:
        watching = asyncio.ensure_future(supervisor.watch())
        supervisor.processes["imagegen"].kill()
        with pytest.raises(ServiceDiedError) as caught:
            await watching
    assert caught.value.service == "imagegen"
    assert caught.value.code != 0


def test_the_module_runs() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "kuchipaku", "--version"], capture_output=True, text=True, check=True
    )
    assert "kuchipaku" in result.stdout


async def test_tls_of_services_that_run_together_is_refused_at_once(tmp_path: Path) -> None:
    setting = "KUCHIPAKU_IMAGEGEN_TLS_CERTIFICATE_FILE"
    plan = Plan.on_sockets(tmp_path, tmp_path, ("imagegen",), environment={setting: "cert.pem"})
    with pytest.raises(ServiceFailedError, match=setting):
        async with running_services(plan):
            pass


def test_characters_are_kept_where_the_plan_says(tmp_path: Path) -> None:
    data = tmp_path / "My characters, José's"
    plan = Plan.on_sockets(tmp_path, data, ("gateway",))
    url = plan.environment_of("gateway")["KUCHIPAKU_GATEWAY_STORE_URL"]
    files, folder = fsspec.url_to_fs(url)
    files.makedirs(folder, exist_ok=True)
    files.pipe(f"{folder}/one", b"1")
    assert (data / "one").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == [data.name]
