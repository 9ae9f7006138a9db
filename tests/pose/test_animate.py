from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import animation_pb2, cue_pb2, frame_pb2, session_pb2
from kuchipaku_animation import (
    THA_MOUTH_MAP,
    AnimationOptions,
    ExpressionKey,
    MouthShape,
    Still,
    animate,
    seed_from,
    still_poses,
)
from tests.pose.poseclient import (
    CUES,
    SHAPES,
    Client,
    Rgba,
    assert_frames,
    cue_batch,
    expected_poses,
    seconds,
    service,
)
from tests.pose.tinypack import (
    SIDE,
)


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


async def test_a_line_taken_up_again_behind_its_end_is_over_at_once(client: Client) -> None:
    await client.lend_canvas()
    line = client.line("u", resume_offset=seconds(30.0))
    reply = await client.animate([client.config(), *line])
    (summary,) = reply.summaries
    assert summary.frame_count == 0
    assert summary.duration.ToTimedelta().total_seconds() == 1.0


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


async def test_faces_are_poses_in_the_terms_of_animation(client: Client) -> None:
    await client.lend_canvas()
    config = pb.RenderPosesConfig(canvas_sha256=client.canvas.sha256)
    config.mouth_overrides["D"].weights["mouth_iii"] = 0.9
    own = {"D": {"weights": {"mouth_iii": float(np.float32(0.9))}}}
    mouth_map = THA_MOUTH_MAP.overridden(own)
    stills = [
        Still(),
        Still("happy", 0.5, MouthShape.B),
        Still("sad", 1.0, MouthShape.D, eyes_closed=0.5),
    ]
    faces = [
        pb.Face(),
        pb.Face(expression="happy", strength=0.5, mouth_shape=cue_pb2.MOUTH_SHAPE_B),
        pb.Face(expression="sad", mouth_shape=cue_pb2.MOUTH_SHAPE_D, eyes_closed=0.5),
    ]
    told = [
        [pb.Pose(face=face) for face in faces],
        [pb.Pose(values=row) for row in still_poses(stills, mouth_map)],
    ]
    told.append([told[0][0], told[1][1], told[0][2]])
    batches = [pb.RenderPosesRequest(poses=pb.PoseBatch(poses=poses)) for poses in told]
    reply = await client.render([pb.RenderPosesRequest(config=config), *batches])
    frames = reply.frames[""]
    assert len(frames) == 9
    for face, values, mixed in zip(frames[:3], frames[3:6], frames[6:], strict=True):
        np.testing.assert_array_equal(face, values)
        np.testing.assert_array_equal(face, mixed)
    assert len({frame.tobytes() for frame in frames}) == 3
