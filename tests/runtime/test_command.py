"""The life of a service's process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.runtime.probe import NAME

PROGRAM = """
import sys
from kuchipaku_runtime import main
from tests.runtime.probe import ProbeSettings, build
if __name__ == "__main__":
    sys.exit(main(ProbeSettings, build))
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    processes = []

    def begin(*arguments: str, program: str = PROGRAM, **environment: str):
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", **environment},
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def ready(process: Any) -> Any:
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def repeat(channel: grpc.Channel, value: str):
    method = channel.unary_stream(
        f"/{NAME}/Repeat",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )
    return method(StringValue(value=value))


def test_it_announces_itself_serves_and_ends_on_sigterm(start):
    process = start("--metrics-address", "127.0.0.1:0")
    said = ready(process)

    with grpc.insecure_channel(said["address"]) as channel:
        assert [message.value for message in repeat(channel, "a")] == ["0:a", "1:a", "2:a"]
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    log = [json.loads(line) for line in errors.splitlines()]

    assert said["event"] == "ready"
    assert said["service"] == "probe"
    assert said["metrics_address"].startswith("127.0.0.1:")
    assert process.returncode == 0
    assert [entry["message"] for entry in log] == [
        "settings", "serving", "call ended", "signal", "draining", "stopped",
    ]  # fmt: skip
    assert all(entry["service"] == "probe" for entry in log)
    assert log[2]["request_id"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_off_what_runs(start, second):
    process = start("--drain-timeout-s", "1000")
    with grpc.insecure_channel(ready(process)["address"]) as channel:
        stream = repeat(channel, "wait")
        assert next(stream).value == "0:wait"
        process.send_signal(signal.SIGTERM)
        wait_for_log(process, "draining")
        process.send_signal(second)
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert process.wait() == 3


def test_the_drain_ends_at_its_time_limit(start):
    process = start("--drain-timeout-s", "0.05")
    with grpc.insecure_channel(ready(process)["address"]) as channel:
        stream = repeat(channel, "wait")
        assert next(stream).value == "0:wait"
        process.send_signal(signal.SIGINT)
        with pytest.raises(grpc.RpcError):
            next(stream)
    assert process.wait() == 3


def wait_for_log(process, message: str) -> None:
    while json.loads(process.stderr.readline())["message"] != message:
        pass


def test_settings_come_from_the_environment_and_the_command_line_wins(start):
    process = start(
        "--log-level",
        "WARNING",
        KUCHIPAKU_PROBE_LOG_LEVEL="ERROR",
        KUCHIPAKU_PROBE_REFLECTION="false",
        KUCHIPAKU_PROBE_DRAIN_TIMEOUT_S="-1",
    )
    _, errors = process.communicate()

    assert process.returncode == 2
    assert "drain_timeout_s" in errors
    assert "Traceback" not in errors


def test_an_exposed_address_is_refused_unless_told(start):
    refused = start("--address", "0.0.0.0:0")
    _, errors = refused.communicate()
    assert refused.returncode == 2
    assert "insecure" in errors

    served = start("--address", "0.0.0.0:0", "--insecure")
    assert ready(served)["address"].startswith("0.0.0.0:")


def test_secrets_never_reach_the_log(start):
    process = start(KUCHIPAKU_PROBE_API_KEYS="this-is-a-secret-key,another-secret-key")
    ready(process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    settings = json.loads(errors.splitlines()[0])["settings"]

    assert "secret-key" not in errors
    assert settings["api_keys"] == ["**********", "**********"]
    assert settings["drain_timeout_s"] == 30.0


def test_a_failing_build_ends_with_its_reason(start):
    program = PROGRAM.replace(
        "if __name__", "async def build(context):\n    raise ValueError('no model')\nif __name__"
    )
    process = start(program=program)
    out, errors = process.communicate()

    assert process.returncode == 1
    assert not out
    assert "cannot start: no model" in errors
    assert "Traceback" not in errors


def test_a_signal_while_building_ends_it(start):
    program = PROGRAM.replace(
        "if __name__",
        "import asyncio\nasync def build(context):\n"
        "    print('building', flush=True)\n    await asyncio.Event().wait()\nif __name__",
    )
    process = start(program=program)
    assert process.stdout.readline() == "building\n"
    process.send_signal(signal.SIGTERM)

    assert process.wait() == 0


def test_help_names_every_setting(start):
    out, _ = start("--help", COLUMNS="200").communicate()

    for name in ("--address", "--insecure", "--tls-client-ca-file", "--drain-timeout-s"):
        assert name in out
