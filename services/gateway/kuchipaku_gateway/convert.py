"""Characters in the protocol's form and back."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.type.v1 import frame_pb2

from .characters import Character
from .mouth import mouth_messages


def to_message(character: Character, canvas_png: bytes = b"") -> pb.Character:
    """The character as a message, with the canvas's PNG if given."""
    message = pb.Character(
        name=character.name,
        display_name=character.display_name,
        owner=character.owner,
        labels=character.labels,
        defaults=pb.CharacterDefaults(
            pose_model=character.pose_model,
            expression=character.expression,
            mouth_overrides=mouth_messages(character.mouth),
        ),
        canvas=frame_pb2.Canvas(sha256=character.canvas_sha256, png=canvas_png),
        create_time=_timestamp(character.create_time),
        update_time=_timestamp(character.update_time),
        etag=character.etag,
    )
    if character.origin is not None:
        message.origin.prompt = character.origin.prompt
        message.origin.seed = character.origin.seed
        message.origin.image_model = character.origin.image_model
    return message


def _timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message
