from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from kuchipaku.frames.messages import decode_batch, decoder_for
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.pose.v1.pose_service_pb2_grpc import PoseServiceStub
from kuchipaku.type.v1 import animation_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_animation import (
    AnimationOptions,
    ExpressionKey,
    MouthCue,
    MouthShape,
    animate,
    seed_from,
)
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_media.picture import canvas_hash, encode_png
from kuchipaku_pose.service import build
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_runtime import connect, serving, translate_rpc_error
from tests.pose.tinypack import (
    SIDE,
    assert_frame,
    talker_parameters,
    talker_pose,
    talker_stages,
    write_pack,
)

Rgba = NDArray[np.uint8]
SHAPES = {shape: cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{shape}") for shape in MouthShape}


def seconds(value: float) -> Duration:
    nanos = round(value * 1e9)
    return Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)


CUES = [
    MouthCue(0.0, 0.2, MouthShape.X),
    MouthCue(0.2, 0.44, MouthShape.D),
    MouthCue(0.44, 0.6, MouthShape.A),
    MouthCue(0.6, 0.8, MouthShape.B),
    MouthCue(0.8, 1.0, MouthShape.X),
]


def cue_batch(cues: Iterable[MouthCue]) -> pb.AnimateRequest:
    return pb.AnimateRequest(
        cues=cue_pb2.CueBatch(
            cues=[
                cue_pb2.MouthCue(
                    start_offset=seconds(cue.start),
                    end_offset=seconds(cue.end),
                    shape=SHAPES[cue.shape],
                    loudness=cue.loudness,
                )
                for cue in cues
            ]
        )
    )


@dataclass
class Reply:
    """What came back from a call, frames decoded."""

    started: Any = None
    frames: dict[str, list[Rgba]] = field(default_factory=dict)
    offsets: dict[str, list[float]] = field(default_factory=dict)
    begun: list[Any] = field(default_factory=list)
    summaries: list[Any] = field(default_factory=list)
    statistics: Any = None
    batches: list[list[int]] = field(default_factory=list)
    """Data bytes of each frame, by batch."""
    messages: list[frame_pb2.Frame] = field(default_factory=list)
    decoder: Any = None

    def add(self, response: Any) -> str:
        kind: str = response.WhichOneof("payload")
        if kind == "started":
            self.started = response.started
            self.decoder = decoder_for(response.started.config.frame_format)
        elif kind == "frames":
            batch = response.frames
            self.batches.append([len(frame.data) for frame in batch.frames])
            self.messages.extend(batch.frames)
            for frame in decode_batch(self.decoder, batch):
                self.frames.setdefault(batch.utterance_id, []).append(frame.pixels)
                self.offsets.setdefault(batch.utterance_id, []).append(frame.offset_s or 0.0)
        elif kind == "utterance_started":
            self.begun.append(response.utterance_started)
        elif kind == "utterance_summary":
            self.summaries.append(response.utterance_summary)
        else:
            self.statistics = response.statistics
        return kind


@dataclass
class Client:
    """A real client of a real server on a unix socket."""

    stub: Any
    canvas: frame_pb2.Canvas
    picture: Rgba

    def config(self, **fields: Any) -> pb.AnimateRequest:
        merged = {"canvas_sha256": self.canvas.sha256} | fields
        return pb.AnimateRequest(config=pb.AnimateConfig(**merged))

    def line(self, name: str = "u", **fields: Any) -> list[pb.AnimateRequest]:
        return [
            pb.AnimateRequest(utterance=pb.AnimateUtterance(utterance_id=name, **fields)),
            cue_batch(CUES),
            pb.AnimateRequest(utterance_end=session_pb2.UtteranceEnd()),
        ]

    async def animate(self, requests: Iterable[pb.AnimateRequest]) -> Reply:
        return await collect(self.stub.Animate(iter(list(requests))))

    async def render(self, requests: Iterable[pb.RenderPosesRequest]) -> Reply:
        return await collect(self.stub.RenderPoses(iter(list(requests))))

    async def lend_canvas(self) -> None:
        """Make the server know the canvas."""
        reply = await self.animate(
            [self.config(), pb.AnimateRequest(canvas=self.canvas), *self.line("warm")]
        )
        assert reply.statistics.frame_count == 25


async def collect(call: Any) -> Reply:
    reply = Reply()
    try:
        async for response in call:
            reply.add(response)
    except grpc.aio.AioRpcError as error:
        raise translate_rpc_error(error) from error
    return reply


@asynccontextmanager
async def service(tmp_path: Path, picture: Rgba, **changes: Any) -> AsyncIterator[Client]:
    pack = tmp_path / "talker"
    if not pack.exists():
        write_pack(pack, talker_stages(), parameters=talker_parameters(), name="talker")
    values = {
        "address": f"unix:{tmp_path}/s",
        "models": (pack,),
        "workers": 2,
        "default_quantum": 0.0,
    }
    settings = PoseSettings(**(values | changes))
    canvas = frame_pb2.Canvas(sha256=canvas_hash(picture), png=encode_png(picture))
    async with serving(settings, build) as address, connect(address) as peer:
        yield Client(PoseServiceStub(peer.channel), canvas, picture)


@pytest.fixture
async def client(tmp_path: Path, opaque_picture: Rgba) -> AsyncIterator[Client]:
    async with service(tmp_path, opaque_picture) as ready:
        yield ready


def expected_poses(name: str, client: Client, **options: Any) -> NDArray[np.float32]:
    seed = options.pop("seed", seed_from(client.canvas.sha256, name))
    return animate(CUES, options=AnimationOptions(seed=seed, **options)).poses


def assert_frames(frames: Sequence[Rgba], poses: NDArray[np.float32], picture: Rgba) -> None:
    assert len(frames) == len(poses)
    for frame, pose in zip(frames, poses, strict=True):
        assert_frame(frame, picture, talker_pose(pose))


async def test_models_are_listed_and_described(client: Client) -> None:
    listed = await client.stub.ListPoseModels(pb.ListPoseModelsRequest())
    (model,) = listed.models
    assert (model.name, model.family, model.is_default) == ("talker", "test", True)
    assert len(model.parameters) == 45
    assert "happy" in model.expressions
    assert {target.shape for target in model.mouth_map} == set(SHAPES.values())
    one = await client.stub.GetPoseModel(pb.GetPoseModelRequest(name="talker"))
    assert one.model == model


async def test_a_line_is_animated_frame_by_frame(client: Client) -> None:
    reply = await client.animate(
        [client.config(), pb.AnimateRequest(canvas=client.canvas), *client.line()]
    )

    assert reply.started.canvas_needed
    assert reply.started.model_version == "1"
    assert 0 < reply.started.look_ahead.ToTimedelta().total_seconds() <= 0.12
    config = reply.started.config
    assert (config.model, config.animation.frames_per_second) == ("talker", 25)
    assert config.frame_format.encoding == frame_pb2.FRAME_ENCODING_DELTA_ZSTD
    assert (config.frame_format.width_px, config.frame_format.height_px) == (SIDE, SIDE)
    assert config.pacing == session_pb2.PACING_FASTEST
    assert [begun.utterance_id for begun in reply.begun] == ["u"]
    assert_frames(reply.frames["u"], expected_poses("u", client), client.picture)
    assert reply.offsets["u"] == pytest.approx(np.arange(25) / 25, abs=1e-9)
    (summary,) = reply.summaries
    assert (summary.frame_count, summary.interrupted) == (25, False)
    assert summary.duration.ToTimedelta().total_seconds() == 1.0
    assert reply.statistics.frame_count == 25
    assert {stage.stage for stage in reply.statistics.stages} == {
        "face",
        "head",
        "compose",
        "pixels",
    }


async def test_the_seed_in_use_repeats_the_line(client: Client) -> None:
    await client.lend_canvas()
    first = await client.animate([client.config(), *client.line("a")])
    assert not first.started.canvas_needed
    options = animation_pb2.AnimationOptions(seed=first.begun[0].seed)
    again = await client.animate([client.config(animation=options), *client.line("b")])

    np.testing.assert_array_equal(first.frames["a"], again.frames["b"])
    assert again.statistics.cached_frame_count == 25


async def test_lines_follow_each_other_with_options_of_their_own(client: Client) -> None:
    still = animation_pb2.AnimationOptions(
        frames_per_second=10,
        motion=animation_pb2.MOTION_NONE,
        mouth_animation=animation_pb2.MOUTH_ANIMATION_CLASSIC,
    )
    await client.lend_canvas()
    reply = await client.animate(
        [client.config(), *client.line("one"), *client.line("two", animation=still)]
    )
    assert [summary.utterance_id for summary in reply.summaries] == ["one", "two"]
    assert_frames(reply.frames["one"], expected_poses("one", client), client.picture)
    poses = expected_poses("two", client, fps=10, motion="none", mouth="classic")
    assert_frames(reply.frames["two"], poses, client.picture)
    assert reply.statistics.frame_count == 35


async def test_how_input_is_cut_changes_nothing(client: Client) -> None:
    await client.lend_canvas()
    pieces = [cue_batch([cue]) for cue in CUES]
    begin, _, end = client.line("u")
    whole = await client.animate([client.config(), *client.line("u")])
    cut = await client.animate([client.config(), begin, *pieces, end])
    open_ended = await client.animate([client.config(), begin, *pieces])

    np.testing.assert_array_equal(whole.frames["u"], cut.frames["u"])
    np.testing.assert_array_equal(whole.frames["u"], open_ended.frames["u"])


async def test_expressions_and_duration_are_kept(client: Client) -> None:
    await client.lend_canvas()
    begin, cues, _ = client.line("u")
    key = animation_pb2.ExpressionKey(start_offset=seconds(0.5), expression="happy")
    reply = await client.animate(
        [
            client.config(animation=animation_pb2.AnimationOptions(expression="surprised")),
            begin,
            pb.AnimateRequest(expressions=animation_pb2.ExpressionBatch(keys=[key])),
            cues,
            pb.AnimateRequest(utterance_end=session_pb2.UtteranceEnd(duration=seconds(1.4))),
        ]
    )
    keys = [ExpressionKey(0.0, "surprised", fade=0.0), ExpressionKey(0.5, "happy")]
    options = AnimationOptions(seed=seed_from(client.canvas.sha256, "u"))
    assert_frames(reply.frames["u"], animate(CUES, keys, 1.4, options).poses, client.picture)
    assert reply.summaries[0].duration.ToTimedelta().total_seconds() == 1.4


async def test_a_line_is_taken_up_again_at_an_offset(client: Client) -> None:
    await client.lend_canvas()
    whole = await client.animate([client.config(), *client.line("u")])
    rest = await client.animate([client.config(), *client.line("u", resume_offset=seconds(0.41))])
    np.testing.assert_array_equal(rest.frames["u"], whole.frames["u"][11:])
    assert rest.offsets["u"][0] == pytest.approx(0.44)
    assert rest.messages[0].frame_id == 0


@pytest.mark.parametrize(
    "encoding",
    [frame_pb2.FRAME_ENCODING_RAW, frame_pb2.FRAME_ENCODING_PNG],
)
async def test_size_crop_and_encoding_are_the_clients_choice(client: Client, encoding: Any) -> None:
    await client.lend_canvas()
    frame_format = frame_pb2.FrameFormat(
        encoding=encoding,
        crop=frame_pb2.Crop(left_px=32, top_px=0, width_px=64, height_px=96),
        width_px=128,
        reference_window_bytes=1 << 20,
    )
    reply = await client.animate([client.config(frame_format=frame_format), *client.line()])
    assert reply.frames["u"][0].shape == (192, 128, 4)
    assert reply.started.config.frame_format.height_px == 192


async def test_recurring_pictures_are_sent_once_within_the_window(client: Client) -> None:
    await client.lend_canvas()
    still = animation_pb2.AnimationOptions(motion=animation_pb2.MOTION_NONE)
    frame_format = frame_pb2.FrameFormat(reference_window_bytes=64 << 20)
    reply = await client.animate(
        [
            client.config(frame_format=frame_format, animation=still),
            *client.line("a"),
            *client.line("b"),
        ]
    )
    np.testing.assert_array_equal(reply.frames["a"], reply.frames["b"])
    assert reply.statistics.reference_frame_count >= 25
    assert reply.statistics.frame_bytes == sum(map(sum, reply.batches))


async def test_batches_keep_within_a_mebibyte(tmp_path: Path, opaque_picture: Rgba) -> None:
    async with service(tmp_path, opaque_picture) as client:
        await client.lend_canvas()
        frame_format = frame_pb2.FrameFormat(encoding=frame_pb2.FRAME_ENCODING_RAW, width_px=1024)
        large = await client.animate([client.config(frame_format=frame_format), *client.line()])
        small = await client.animate([client.config(), *client.line()])
    assert {size for batch in large.batches for size in batch if size} == {4 << 20}
    assert all(sum(map(bool, batch)) <= 1 for batch in large.batches)
    assert all(sum(batch) <= 1 << 20 for batch in small.batches)


async def test_poses_are_rendered_one_by_one_in_order(client: Client) -> None:
    await client.lend_canvas()
    poses = np.zeros((40, 45), np.float32)
    poses[:, 26] = np.linspace(0, 0.4, 40)
    poses[7, 39] = 5.0
    requests = [
        pb.RenderPosesRequest(
            config=pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256, frames_per_second=50)
        )
    ]
    requests += [
        pb.RenderPosesRequest(poses=pb.PoseBatch(poses=[pb.Pose(values=row) for row in part]))
        for part in np.split(poses, 4)
    ]
    reply = await client.render(requests)

    assert_frames(reply.frames[""], np.clip(poses, -1, 1), client.picture)
    assert reply.offsets[""] == pytest.approx(np.arange(40) / 50, abs=1e-9)
    assert reply.statistics.frame_count == 40
    assert reply.statistics.clamped_value_count == 1
    assert not reply.started.config.quantum


async def test_many_more_poses_than_are_held_pass_through(client: Client) -> None:
    await client.lend_canvas()
    pose = pb.Pose(values=[0.0] * 45)
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256)
    batch = pb.RenderPosesRequest(poses=pb.PoseBatch(poses=[pose] * 400))
    reply = await client.render([pb.RenderPosesRequest(config=config), *[batch] * 8])
    assert reply.statistics.frame_count == 3200
    assert reply.statistics.cached_frame_count >= 3199


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
        ("two configs", ("FAILED_PRECONDITION", "CONFIG_REPEATED", "config")),
        ("empty message", ("INVALID_ARGUMENT", "PAYLOAD_MISSING", "payload")),
        ("no canvas", ("FAILED_PRECONDITION", "CANVAS_MISSING", "canvas")),
        ("cues outside", ("FAILED_PRECONDITION", "UTTERANCE_MISSING", "cues")),
        ("end outside", ("FAILED_PRECONDITION", "UTTERANCE_MISSING", "utterance_end")),
        ("not ended", ("FAILED_PRECONDITION", "UTTERANCE_NOT_ENDED", "utterance")),
        ("same id", ("INVALID_ARGUMENT", "UTTERANCE_ID_REPEATED", "utterance.utterance_id")),
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
            {"animation": animation_pb2.AnimationOptions(motion=9)},
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
            {"frame_format": frame_pb2.FrameFormat(encoding=8)},
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
