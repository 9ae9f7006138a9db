"""Traces follow a call, and one utterance through all services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as gateway
from kuchipaku.supervisor import Plan, running_services
from kuchipaku.type.v1 import audio_pb2
from kuchipaku_runtime.tracing import (
    NoTracer,
    accept_traceparent,
    current_traceparent,
    make_tracer,
)
from tests.runtime.collector import Collector, collecting

ROOT = Path(__file__).resolve().parents[2]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "offered",
    [
        "",
        None,
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        TRACEPARENT + "\n",
    ],
)
def test_only_a_traceparent_is_taken_for_one(offered: object) -> None:
    assert accept_traceparent(TRACEPARENT) == TRACEPARENT
    assert accept_traceparent(offered) == ""


def test_without_tracing_the_callers_trace_goes_on() -> None:
    assert current_traceparent() == ""
    with NoTracer().start("call", parent=TRACEPARENT).active():
        assert current_traceparent() == TRACEPARENT
    assert current_traceparent() == ""


async def test_spans_reach_the_collector_with_parent_and_error() -> None:
    async with collecting() as collector:
        tracer = make_tracer("test", collector.address, 1.0)
        span = tracer.start("call", parent=TRACEPARENT, attributes={"a": "b"}, serves=True)
        with span.active():
            child = tracer.start("inside", parent=current_traceparent())
        child.end("UNAVAILABLE")
        span.end()
        await asyncio.to_thread(tracer.close)

    spans = {span.name: span for span in collector.spans}
    trace, parent = TRACEPARENT.split("-")[1:3]
    assert (spans["call"].trace, spans["call"].parent) == (trace, parent)
    assert (spans["inside"].trace, spans["inside"].parent) == (trace, spans["call"].span)
    assert spans["inside"].failed
    assert not spans["call"].failed
    assert spans["call"].attributes == {"a": "b"}
    assert spans["call"].service == "kuchipaku-test"


async def test_what_callers_do_not_record_is_not_recorded() -> None:
    async with collecting() as collector:
        tracer = make_tracer("test", collector.address, 1.0)
        tracer.start("call", parent=TRACEPARENT[:-2] + "00").end()
        await asyncio.to_thread(tracer.close)
    assert collector.spans == []


async def test_an_utterance_is_one_trace_through_all_services(tmp_path: Path) -> None:
    async with collecting() as collector:
        await _speak_traced(collector, tmp_path)
    utterances = [span for span in collector.spans if span.name == "utterance"]
    assert {span.attributes["kuchipaku.utterance_id"] for span in utterances} == {"one", "two"}
    assert len({span.trace for span in utterances}) == 2
    for utterance in utterances:
        inside = {s.service: s for s in collector.spans if s.trace == utterance.trace}
        assert set(inside) == {"kuchipaku-gateway", "kuchipaku-lipsync", "kuchipaku-pose"}
        assert inside["kuchipaku-lipsync"].parent == utterance.span
        assert inside["kuchipaku-lipsync"].name.endswith("LipsyncService/RecognizeCues")
        assert inside["kuchipaku-pose"].parent == utterance.span
        (session,) = utterance.links
        assert any(s.trace == session and s.name.endswith("/Speak") for s in collector.spans)


async def _speak_traced(collector: Collector, folder: Path) -> None:
    """Two utterances of one session, against all five services."""
    tracing = {
        f"KUCHIPAKU_{name}_TRACING_ENDPOINT": collector.address
        for name in ("GATEWAY", "LIPSYNC", "POSE", "IMAGEGEN", "COMPOSITOR")
    }
    tracing["KUCHIPAKU_LIPSYNC_WORKERS"] = "1"
    plan = Plan.on_sockets(folder, folder / "data", environment=tracing)
    audio = (ROOT / "examples/hello.wav").read_bytes()
    async with running_services(plan), Client(plan.addresses["gateway"]) as client:
        prompt = gateway.PromptSource(prompt="boy", seed=1)
        made = await client.create_character(gateway.CreateCharacterRequest(prompt=prompt))

        async def requests() -> AsyncIterator[gateway.SpeakRequest]:
            config = gateway.SpeakConfig(character=made.character.name)
            config.animation.frames_per_second = 5
            yield gateway.SpeakRequest(config=config)
            for name in ("one", "two"):
                yield gateway.SpeakRequest(utterance=gateway.SpeakUtterance(utterance_id=name))
                yield gateway.SpeakRequest(audio=audio_pb2.AudioChunk(data=audio))

        async with aclosing(client.speak(requests())) as answers:
            async for _ in answers:
                pass
