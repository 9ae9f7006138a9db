from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import animation_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_animation import (
    MouthShape,
)
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_media.picture import encode_png
from tests.pose.poseclient import SHAPES, Client, seconds

UNKNOWN: Any = 99
Refused = tuple[str, str, str | None]


async def refusal(call: Any) -> Refused:
    with pytest.raises(KuchipakuError) as caught:
        await call
    return caught.value.code.value, caught.value.reason, caught.value.field


def animate_messages(client: Client) -> dict[str, list[pb.AnimateRequest]]:
    begin, cues, end = client.line("u")
    canvas = pb.AnimateRequest(canvas=client.canvas)
    config = client.config()
    wrong_shape = cue_pb2.MouthCue(end_offset=seconds(1))
    wrong_time = cue_pb2.MouthCue(
        start_offset=Duration(seconds=-1), end_offset=seconds(1), shape=SHAPES[MouthShape.A]
    )
    return {
        "nothing": [],
        "no config": [canvas],
        "two configs": [config, config],
        "empty message": [config, pb.AnimateRequest()],
        "no canvas": [config, begin, cues, end],
        "cues outside": [config, canvas, cues],
        "end outside": [config, canvas, end],
        "not ended": [config, canvas, begin, client.line("v")[0]],
        "same id": [config, canvas, *client.line("u"), *client.line("u")],
        "no id": [config, canvas, *client.line("")],
        "long id": [config, canvas, *client.line("x" * 129)],
        "overlap": [config, canvas, begin, cues, cues],
        "no shape": [
            config,
            canvas,
            begin,
            pb.AnimateRequest(cues=cue_pb2.CueBatch(cues=[wrong_shape])),
        ],
        "negative time": [
            config,
            canvas,
            begin,
            pb.AnimateRequest(cues=cue_pb2.CueBatch(cues=[wrong_time])),
        ],
        "three hours": [
            config,
            canvas,
            begin,
            pb.AnimateRequest(utterance_end=session_pb2.UtteranceEnd(duration=seconds(10800))),
        ],
        "no such face": [
            config,
            canvas,
            begin,
            pb.AnimateRequest(
                expressions=animation_pb2.ExpressionBatch(
                    keys=[animation_pb2.ExpressionKey(expression="smirky")]
                )
            ),
        ],
        "no credit": [config, canvas, pb.AnimateRequest(credit=session_pb2.FrameCredit())],
    }


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("nothing", ("FAILED_PRECONDITION", "CONFIG_MISSING", "config")),
        ("no config", ("FAILED_PRECONDITION", "CONFIG_MISSING", "config")),
        ("two configs", ("FAILED_PRECONDITION", "CONFIG_TWICE", "config")),
        ("empty message", ("INVALID_ARGUMENT", "PAYLOAD_MISSING", "payload")),
        ("no canvas", ("FAILED_PRECONDITION", "CANVAS_MISSING", "canvas")),
        ("cues outside", ("FAILED_PRECONDITION", "UTTERANCE_MISSING", "cues")),
        ("end outside", ("FAILED_PRECONDITION", "UTTERANCE_MISSING", "utterance_end")),
        ("not ended", ("FAILED_PRECONDITION", "UTTERANCE_NOT_ENDED", "utterance")),
        ("same id", ("INVALID_ARGUMENT", "UTTERANCE_ID_TAKEN", "utterance.utterance_id")),
        ("no id", ("INVALID_ARGUMENT", "UTTERANCE_ID_INVALID", "utterance.utterance_id")),
        ("long id", ("INVALID_ARGUMENT", "UTTERANCE_ID_INVALID", "utterance.utterance_id")),
        ("overlap", ("INVALID_ARGUMENT", "CUES_OVERLAP", "cues.cues[0].start")),
        ("no shape", ("INVALID_ARGUMENT", "ENUM_VALUE_UNKNOWN", "cues.cues[0].shape")),
        ("negative time", ("INVALID_ARGUMENT", "DURATION_INVALID", "cues.cues[0].start_offset")),
        ("three hours", ("INVALID_ARGUMENT", "DURATION_INVALID", "utterance_end.duration")),
        (
            "no such face",
            ("INVALID_ARGUMENT", "EXPRESSION_UNKNOWN", "expressions.keys[0].expression"),
        ),
        ("no credit", ("INVALID_ARGUMENT", "CREDIT_OUT_OF_RANGE", "credit.frame_count")),
    ],
)
async def test_wrong_messages_are_refused_and_the_service_stays_up(
    client: Client, case: str, expected: Refused
) -> None:
    assert await refusal(client.animate(animate_messages(client)[case])) == expected
    await client.lend_canvas()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "tha9"}, ("NOT_FOUND", "MODEL_UNKNOWN", "config.model")),
        (
            {"canvas_sha256": "A" * 64},
            ("INVALID_ARGUMENT", "CANVAS_HASH_INVALID", "config.canvas_sha256"),
        ),
        (
            {"canvas_sha256": ""},
            ("INVALID_ARGUMENT", "CANVAS_HASH_INVALID", "config.canvas_sha256"),
        ),
        (
            {"animation": animation_pb2.AnimationOptions(frames_per_second=61)},
            ("INVALID_ARGUMENT", "FPS_OUT_OF_RANGE", "config.animation.frames_per_second"),
        ),
        (
            {"animation": animation_pb2.AnimationOptions(frames_per_second=float("nan"))},
            ("INVALID_ARGUMENT", "FPS_OUT_OF_RANGE", "config.animation.frames_per_second"),
        ),
        (
            {"animation": animation_pb2.AnimationOptions(quantum=0.5)},
            ("INVALID_ARGUMENT", "QUANTUM_OUT_OF_RANGE", "config.animation.quantum"),
        ),
        (
            {"animation": animation_pb2.AnimationOptions(motion=UNKNOWN)},
            ("INVALID_ARGUMENT", "ENUM_VALUE_UNKNOWN", "config.animation.motion"),
        ),
        (
            {"animation": animation_pb2.AnimationOptions(expression="smirky")},
            ("INVALID_ARGUMENT", "EXPRESSION_UNKNOWN", "config.animation.expression"),
        ),
        ({"pacing": 7}, ("INVALID_ARGUMENT", "ENUM_VALUE_UNKNOWN", "config.pacing")),
        (
            {"max_lead": seconds(11)},
            ("INVALID_ARGUMENT", "MAX_LEAD_OUT_OF_RANGE", "config.max_lead"),
        ),
        (
            {"frame_format": frame_pb2.FrameFormat(encoding=UNKNOWN)},
            ("INVALID_ARGUMENT", "ENUM_VALUE_UNKNOWN", "config.frame_format.encoding"),
        ),
        (
            {"frame_format": frame_pb2.FrameFormat(width_px=2000)},
            ("INVALID_ARGUMENT", "FRAME_SIZE_OUT_OF_RANGE", "config.frame_format.width_px"),
        ),
        (
            {"frame_format": frame_pb2.FrameFormat(keyframe_interval=-1)},
            ("INVALID_ARGUMENT", "VALUE_OUT_OF_RANGE", "config.frame_format.keyframe_interval"),
        ),
        (
            {"frame_format": frame_pb2.FrameFormat(reference_window_bytes=1 << 40)},
            (
                "INVALID_ARGUMENT",
                "VALUE_OUT_OF_RANGE",
                "config.frame_format.reference_window_bytes",
            ),
        ),
    ],
)
async def test_wrong_configs_are_refused(
    client: Client, fields: dict[str, Any], expected: Refused
) -> None:
    assert await refusal(client.animate([client.config(**fields)])) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: {"sha256": "0" * 64}, ("CANVAS_HASH_MISMATCH", "canvas.sha256")),
        (lambda c: {"png": encode_png(c.picture[::-1])}, ("CANVAS_HASH_MISMATCH", "canvas.png")),
        (lambda c: {"png": encode_png(c.picture[:64, :64])}, ("CANVAS_WRONG_SIZE", "canvas.png")),
        (lambda c: {"png": c.canvas.png[:-200]}, ("IMAGE_NOT_DECODABLE", "canvas.png")),
        (lambda c: {"png": b"RIFF is no picture"}, ("IMAGE_FORMAT_UNSUPPORTED", "canvas.png")),
        (lambda c: {"png": b""}, ("IMAGE_EMPTY", "canvas.png")),
    ],
)
async def test_wrong_canvases_are_refused(
    client: Client, change: Callable[[Client], dict[str, Any]], expected: tuple[str, str]
) -> None:
    canvas = frame_pb2.Canvas(png=client.canvas.png, sha256=client.canvas.sha256)
    for name, value in change(client).items():
        setattr(canvas, name, value)
    got = await refusal(
        client.animate([client.config(), pb.AnimateRequest(canvas=canvas), *client.line()])
    )
    assert got == ("INVALID_ARGUMENT", *expected)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.0] * 44, "POSE_WRONG_LENGTH"),
        ([float("nan")] * 45, "POSE_NOT_FINITE"),
        ([], "POSE_WRONG_LENGTH"),
    ],
)
async def test_wrong_poses_are_refused(client: Client, values: list[float], reason: str) -> None:
    await client.lend_canvas()
    got = await refusal(
        client.render(
            [
                pb.RenderPosesRequest(
                    config=pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256)
                ),
                pb.RenderPosesRequest(poses=pb.PoseBatch(poses=[pb.Pose(values=values)])),
            ]
        )
    )
    assert got[:2] == ("INVALID_ARGUMENT", reason)
    assert (got[2] or "").startswith("poses.poses")


@pytest.mark.parametrize(
    ("pose", "reason", "field"),
    [
        (pb.Pose(values=[0.0] * 45, face=pb.Face()), "POSE_TOLD_TWICE", "face"),
        (pb.Pose(face=pb.Face(expression="hungry")), "EXPRESSION_UNKNOWN", "face.expression"),
        (pb.Pose(face=pb.Face(strength=1.5)), "VALUE_OUT_OF_RANGE", "face.strength"),
        (
            pb.Pose(face=pb.Face(mouth_shape=77)),  # type: ignore[arg-type]
            "ENUM_VALUE_UNKNOWN",
            "face.mouth_shape",
        ),
        (pb.Pose(face=pb.Face(eyes_closed=float("nan"))), "VALUE_OUT_OF_RANGE", "face.eyes_closed"),
    ],
)
async def test_wrong_faces_are_refused(
    client: Client, pose: pb.Pose, reason: str, field: str
) -> None:
    await client.lend_canvas()
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256)
    batch = pb.PoseBatch(poses=[pb.Pose(face=pb.Face()), pose])
    requests = [pb.RenderPosesRequest(config=config), pb.RenderPosesRequest(poses=batch)]
    got = await refusal(client.render(requests))
    assert got == ("INVALID_ARGUMENT", reason, f"poses.poses[1].{field}")


async def test_wrong_mouth_overrides_of_poses_are_refused(client: Client) -> None:
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256)
    config.mouth_overrides["D"].weights["head_x"] = 0.5
    got = await refusal(client.render([pb.RenderPosesRequest(config=config)]))
    field = "config.mouth_overrides.D.weights.head_x"
    assert got == ("INVALID_ARGUMENT", "MOUTH_MAP_INVALID", field)


async def test_too_much_input_before_the_canvas_is_refused(client: Client) -> None:
    lines = [message for i in range(40) for message in client.line(f"u{i}")]
    assert await refusal(client.animate([client.config(), *lines])) == (
        "FAILED_PRECONDITION",
        "CANVAS_MISSING",
        "canvas",
    )


async def test_more_lines_than_wait_at_a_time_are_all_played(client: Client) -> None:
    still = animation_pb2.AnimationOptions(motion=animation_pb2.MOTION_NONE, frames_per_second=5)
    lines = [message for i in range(50) for message in client.line(f"u{i}")]
    reply = await client.animate(
        [client.config(animation=still), pb.AnimateRequest(canvas=client.canvas), *lines]
    )
    assert [summary.utterance_id for summary in reply.summaries] == [f"u{i}" for i in range(50)]
