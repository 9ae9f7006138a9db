"""Logs, metrics and the allocator."""

from __future__ import annotations

import io
import json
import logging
import urllib.request
from collections.abc import Iterator

import pytest

from kuchipaku_runtime import LogOptions, Metrics, MetricsServer, configure_logging
from kuchipaku_runtime.allocator import MIB, AllocatorOptions, memory_limit_bytes, tune_allocator
from kuchipaku_runtime.logs import LogFormat
from kuchipaku_runtime.request import caller_var, request_id_var


@pytest.fixture
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def write_log(log_format: LogFormat) -> str:
    stream = io.StringIO()
    configure_logging(LogOptions("pose", "INFO", log_format), stream)
    log = logging.getLogger("test")
    tokens = request_id_var.set("line-42"), caller_var.set("abc")
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("it failed: %d", 3, extra={"method": "a b", "size": 2})
    log.debug("not shown")
    request_id_var.reset(tokens[0])
    caller_var.reset(tokens[1])
    return stream.getvalue()


@pytest.mark.usefixtures("_root_logger")
def test_json_logs_are_one_object_a_line():
    (line,) = write_log("json").splitlines()
    entry = json.loads(line)

    assert entry["time"].endswith("Z")
    assert entry["level"] == "ERROR"
    assert entry["message"] == "it failed: 3"
    assert (entry["service"], entry["request_id"], entry["caller"]) == ("pose", "line-42", "abc")
    assert (entry["method"], entry["size"]) == ("a b", 2)
    assert "ValueError: broken" in entry["exception"]


@pytest.mark.usefixtures("_root_logger")
def test_text_logs_are_for_people():
    first, *rest = write_log("text").splitlines()

    assert 'ERROR   pose: it failed: 3 method="a b" size=2' in first
    assert "request_id=line-42" in first
    assert rest[-1] == "ValueError: broken"


def test_metrics_are_named_by_service_and_served_over_http():
    metrics = Metrics("pose")
    metrics.counter("frames_total", "Frames.", ("cache",)).labels("hit").inc(3)
    metrics.gauge("sessions", "Sessions.").set(2)
    metrics.histogram("stage_seconds", "Time.").observe(0.1)
    metrics.add_process_metrics()
    server = MetricsServer("127.0.0.1:0", metrics)
    try:
        with urllib.request.urlopen(f"http://{server.address}/metrics") as answer:
            body = answer.read().decode()
    finally:
        server.close()

    assert 'kuchipaku_pose_frames_total{cache="hit"} 3.0' in body
    assert "kuchipaku_pose_sessions 2.0" in body
    assert "kuchipaku_pose_stage_seconds_bucket" in body
    assert "process_cpu_seconds_total" in body


def test_a_port_of_metrics_in_use_is_an_error():
    server = MetricsServer("127.0.0.1:0", Metrics("a"))
    try:
        with pytest.raises(OSError, match="use"):
            MetricsServer(server.address, Metrics("b"))
    finally:
        server.close()


def test_groups_of_metrics_are_made_once():
    metrics = Metrics("a")

    def make(of: Metrics):
        return of.gauge("x", "X.")

    assert metrics.group(make) is metrics.group(make)


def test_the_allocator_keeps_little_where_memory_is_little():
    wanted = AllocatorOptions(32, 128, 16, 4)

    assert wanted.bounded(None) == wanted
    assert wanted.bounded(4096 * MIB) == wanted
    assert wanted.bounded(256 * MIB) == AllocatorOptions(32, 32, 16, 4)
    assert wanted.bounded(64 * MIB) == AllocatorOptions(8, 8, 8, 4)


def test_the_allocator_takes_the_options():
    limit = memory_limit_bytes()

    assert limit is None or limit > 0
    assert tune_allocator(AllocatorOptions(0, 0, 0, 0)) in {True, False}
