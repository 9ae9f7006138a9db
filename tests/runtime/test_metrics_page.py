"""docs/metrics.md tells what services export."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from pathlib import Path

from kuchipaku_runtime import Metrics
from kuchipaku_runtime.usage import Usage, usage_of
from scripts.metrics import PAGE, built_servers, page

_FAMILY = re.compile(r"^# TYPE (kuchipaku_\w+) (counter|gauge|histogram)$", re.MULTILINE)
_ROW = re.compile(r"^\| `(kuchipaku_[\w<>]+)` \| (counter|gauge|histogram) \|", re.MULTILINE)


async def test_the_page_is_what_running_services_export() -> None:
    async with built_servers() as servers:
        text = page({name: server.context.metrics.rows for name, server in servers.items()})
        exported = {
            name: set(_FAMILY.findall(await asyncio.to_thread(_read, server.metrics_address or "")))
            for name, server in servers.items()
        }
    assert text == PAGE.read_text(encoding="utf-8")
    told = set(_ROW.findall(text))
    # A process's children are no secret to it, nor are histograms' and counters' birthdays.
    seen = {
        (name.replace(f"kuchipaku_{service}_", "kuchipaku_<service>_"), kind)
        for service, families in exported.items()
        for name, kind in families
        if not name.endswith("_created")
    }
    own = {
        (name.replace("kuchipaku_<service>_", f"kuchipaku_{service}_"), kind)
        for name, kind in told
        for service in servers
    }
    common = {row for row in told if "<service>" in row[0]}
    for service, families in exported.items():
        missing = {
            (name, kind)
            for name, kind in common
            if (name.replace("<service>", service), kind) not in families
        }
        assert not missing, service
        assert {f for f in families if not f[0].endswith("_created")} <= own, service
    assert {row for row in told if "<service>" not in row[0]} <= set().union(*exported.values())
    assert common <= seen


def test_use_of_workers_is_counted_with_the_service() -> None:
    metrics = Metrics("test")
    metrics.add_process_metrics()

    alone = metrics.registry.get_sample_value("kuchipaku_test_cpu_seconds_total")

    assert alone is not None
    assert alone > 0
    assert (
        metrics.registry.get_sample_value("kuchipaku_test_processes")
        == usage_of(_own_pid()).processes
    )
    assert {row.name for row in metrics.rows} == {
        "kuchipaku_test_cpu_seconds_total",
        "kuchipaku_test_resident_memory_bytes",
        "kuchipaku_test_processes",
    }


async def test_children_are_counted() -> None:
    before = usage_of(_own_pid())
    child = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        during = usage_of(_own_pid())
    finally:
        child.kill()
        await child.wait()

    assert during.processes == before.processes + 1
    assert usage_of(_own_pid()).processes == before.processes


def test_a_process_that_is_gone_uses_nothing() -> None:
    assert usage_of(2**22 + 1) == Usage()


def _own_pid() -> int:
    return int(Path("/proc/self").readlink().name)


def _read(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        text: str = answer.read().decode()
    return text
