"""What the gateway asks the pose service about its models."""

from __future__ import annotations

from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb

from .framing import renamed
from .peers import Context, Peers, translated


async def check_pose_model(name: str, field_path: str, peers: Peers, context: Context) -> None:
    """Raise `NotFoundError`, MODEL_UNKNOWN, for a model that there is not; empty is the default.

    Raises what keeps the pose service from answering, too: what a character stores decides about
    every call that names it, so nothing is stored unseen.
    """
    if not name:
        return
    with renamed({"name": field_path}), translated("pose"):
        request = pose_pb.GetPoseModelRequest(name=name)
        await peers.pose.GetPoseModel(request, **peers.connection.options(context))
