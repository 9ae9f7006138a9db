"""The services behind the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from kuchipaku.compositor.v1 import compositor_service_pb2_grpc as compositor_grpc
from kuchipaku.imagegen.v1 import imagegen_service_pb2_grpc as imagegen_grpc
from kuchipaku.lipsync.v1 import lipsync_service_pb2_grpc as lipsync_grpc
from kuchipaku.pose.v1 import pose_service_pb2_grpc as pose_grpc
from kuchipaku_runtime import Peer, ServiceContext, connect, translate_rpc_error

from .settings import GatewaySettings

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Peers:
    """Connections and stubs. Errors of calls are to be raised within `translated`."""

    imagegen: imagegen_grpc.ImagegenServiceAsyncStub
    pose: pose_grpc.PoseServiceAsyncStub
    lipsync: lipsync_grpc.LipsyncServiceAsyncStub
    compositor: compositor_grpc.CompositorServiceAsyncStub
    connection: Peer
    """Any of the connections, for what every call needs: request id, API key, deadline."""


async def connect_peers(context: ServiceContext[GatewaySettings]) -> Peers:
    """Connect to the services that the settings name; closed when the gateway stops."""
    settings = context.settings

    async def open_(address: str, name: str) -> Peer:
        return await context.enter(connect(address, settings.peers, name=name))

    imagegen = await open_(settings.imagegen_address, "imagegen")
    pose = await open_(settings.pose_address, "pose")
    lipsync = await open_(settings.lipsync_address, "lipsync")
    compositor = await open_(settings.compositor_address, "compositor")
    return Peers(
        imagegen_grpc.ImagegenServiceStub(imagegen.channel),
        pose_grpc.PoseServiceStub(pose.channel),
        lipsync_grpc.LipsyncServiceStub(lipsync.channel),
        compositor_grpc.CompositorServiceStub(compositor.channel),
        connection=pose,
    )


@contextmanager
def translated(peer: str) -> Iterator[None]:
    """Raise what a failed call of `peer` means for our caller."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translate_rpc_error(error, peer=peer) from error
