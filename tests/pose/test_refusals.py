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
from kuchipaku_contract.limits import LIMITS
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
        ("overlap", ("INVALID_ARGUMENT", "CUES_OVERLAP", "cues.cues[0].start_offset")),
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


def cue(start: float, end: float, **fields: Any) -> cue_pb2.MouthCue:
    shape = SHAPES[MouthShape.A]
    return cue_pb2.MouthCue(
        start_offset=seconds(start), end_offset=seconds(end), shape=shape, **fields
    )


def key(start: float, **fields: Any) -> animation_pb2.ExpressionKey:
    return animation_pb2.ExpressionKey(expression="happy", start_offset=seconds(start), **fields)


def cues(*parts: cue_pb2.MouthCue) -> pb.AnimateRequest:
    return pb.AnimateRequest(cues=cue_pb2.CueBatch(cues=parts))


def keys(*parts: animation_pb2.ExpressionKey) -> pb.AnimateRequest:
    return pb.AnimateRequest(expressions=animation_pb2.ExpressionBatch(keys=parts))


SHORT_CUES = [cue(i / 64, (i + 1) / 64) for i in range(6000)]


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [
        (cues(cue(0, 1), cue(0.5, 2)), "CUES_OVERLAP", "cues.cues[1].start_offset"),
        (cues(cue(1, 1)), "CUE_TIME_INVALID", "cues.cues[0].end_offset"),
        (cues(cue(0, 601)), "CUE_TIME_INVALID", "cues.cues[0].end_offset"),
        (cues(cue(0, 1, loudness=2)), "CUE_LOUDNESS_INVALID", "cues.cues[0].loudness"),
        (
            cues(*SHORT_CUES[:5000], SHORT_CUES[0], *SHORT_CUES[5000:]),
            "CUES_OVERLAP",
            "cues.cues[5000].start_offset",
        ),
        (
            keys(key(1), key(0)),
            "EXPRESSIONS_NOT_SORTED",
            "expressions.keys[1].start_offset",
        ),
        (
            keys(key(0, fade_duration=seconds(61))),
            "EXPRESSION_KEY_INVALID",
            "expressions.keys[0].fade_duration",
        ),
        (
            keys(key(0, strength=2)),
            "EXPRESSION_KEY_INVALID",
            "expressions.keys[0].strength",
        ),
    ],
)
async def test_what_is_refused_is_named_as_in_the_api(
    client: Client, message: pb.AnimateRequest, reason: str, field: str
) -> None:
    config, begin = client.config(), client.line("u")[0]
    got = await refusal(client.animate([config, begin, message]))
    assert got == ("INVALID_ARGUMENT", reason, field)


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [
        # Each entry is wrong as well, so that looking at one would give another reason.
        (
            cues(*[cue_pb2.MouthCue()] * (LIMITS.max_cues + 1)),
            "TOO_MANY_CUES",
            "cues.cues",
        ),
        (
            keys(*[animation_pb2.ExpressionKey(expression="?")] * (LIMITS.max_expressions + 1)),
            "TOO_MANY_EXPRESSIONS",
            "expressions.keys",
        ),
    ],
)
async def test_a_message_of_too_many_entries_is_refused_unread(
    client: Client, message: pb.AnimateRequest, reason: str, field: str
) -> None:
    config, begin = client.config(), client.line("u")[0]
    got = await refusal(client.animate([config, begin, message]))
    assert got == ("INVALID_ARGUMENT", reason, field)


@pytest.mark.parametrize("initial_credit", [None, 1])
async def test_too_many_poses_in_a_message_are_refused_unread(
    client: Client, initial_credit: int | None
) -> None:
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256, initial_credit=initial_credit)
    unknown = pb.Pose(face=pb.Face(expression="?"))
    batch = pb.PoseBatch(poses=[unknown] * (LIMITS.max_poses + 1))
    requests = [pb.RenderPosesRequest(config=config), pb.RenderPosesRequest(poses=batch)]
    got = await refusal(client.render(requests))
    assert got == ("INVALID_ARGUMENT", "TOO_MANY_POSES", "poses.poses")


@pytest.mark.parametrize("quantum", [1e-310, 1e-50, 1e-39, 9e-7])
async def test_a_quantum_finer_than_poses_are_is_refused(client: Client, quantum: float) -> None:
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256, quantum=quantum)
    got = await refusal(client.render([pb.RenderPosesRequest(config=config)]))
    assert got == ("INVALID_ARGUMENT", "QUANTUM_OUT_OF_RANGE", "config.quantum")
    options = animation_pb2.AnimationOptions(quantum=quantum)
    got = await refusal(client.animate([client.config(animation=options)]))
    assert got == ("INVALID_ARGUMENT", "QUANTUM_OUT_OF_RANGE", "config.animation.quantum")


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


async def test_a_pose_that_is_not_finite_is_named(client: Client) -> None:
    await client.lend_canvas()
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256)
    batch = pb.PoseBatch(poses=[pb.Pose(values=[v] * 45) for v in (0.0, 0.5, float("inf"))])
    requests = [pb.RenderPosesRequest(config=config), pb.RenderPosesRequest(poses=batch)]
    got = await refusal(client.render(requests))
    assert got == ("INVALID_ARGUMENT", "POSE_NOT_FINITE", "poses.poses[2].values")


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
