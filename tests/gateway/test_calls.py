"""The status of a call that the service ends while requests are still being written."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kuchipaku.client import Client
from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import audio_pb2
from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_runtime import serving

_TRIES = 20


async def _audio_only() -> AsyncIterator[pb.SpeakRequest]:
    for _ in range(40):
        yield pb.SpeakRequest(audio=audio_pb2.AudioChunk(data=bytes(200_000)))


async def test_a_refusal_arrives_however_much_is_still_being_sent() -> None:
    settings = GatewaySettings(address="127.0.0.1:0", store_url="memory://calls-test")
    async with serving(settings, build) as address, Client(address) as client:
        for _ in range(_TRIES):
            with pytest.raises(FailedPreconditionError) as caught:
                await anext(client.speak(_audio_only()))
            assert caught.value.reason == "CONFIG_MISSING"
