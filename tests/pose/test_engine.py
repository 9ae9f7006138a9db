from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from kuchipaku_contract.errors import FailedPreconditionError, InternalError, InvalidArgumentError
from kuchipaku_pose.engine import (
    PIXELS_STAGE,
    Character,
    Engine,
    EngineMemory,
    FrameRequest,
    Memo,
    RenderedFrame,
    build_plan,
)
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.view import make_view
from tests.pose.tinypack import (
    CANVAS_SHAPE,
    SIDE,
    assert_frame,
    constant,
    graph_bytes,
    scale_graph,
    tiny_stages,
    value,
    write_pack,
)

EngineMaker = Callable[..., Engine]
Picture = NDArray[np.uint8]
VIEW = make_view(SIDE)


def request(
    engine: Engine, picture: Picture, pose: Sequence[float], sha: str = "a"
) -> FrameRequest:
    return FrameRequest(engine.prepare(sha, picture), np.array(pose, np.float32), VIEW)


def render_one(engine: Engine, picture: Picture, pose: Sequence[float]) -> RenderedFrame:
    return engine.render([request(engine, picture, pose)])[0]


def stages_run(frame: RenderedFrame) -> set[str]:
    return {use.stage for use in frame.uses if not use.hit}


def runs(engine: Engine) -> dict[str, int]:
    return {name: totals.runs for name, totals in engine.statistics().stages.items()}


def test_the_frame_is_what_the_stages_compute(
    make_engine: EngineMaker, opaque_picture: Picture
) -> None:
    pose = [0.25, -0.125, 0.5, 0.0625, 1.0]
    frame = render_one(make_engine(), opaque_picture, pose)

    assert_frame(frame.pixels, opaque_picture, pose)
    assert not frame.pixels.flags.writeable


def test_only_stages_whose_slice_changed_run_again(
    make_engine: EngineMaker, opaque_picture: Picture
) -> None:
    engine = make_engine()
    render_one(engine, opaque_picture, [0, 0, 0, 0, 0])
    mouth = render_one(engine, opaque_picture, [0.5, 0, 0, 0, 0])
    head = render_one(engine, opaque_picture, [0.5, 0, 0.5, 0, 0])

    assert stages_run(mouth) == {"face", "compose", PIXELS_STAGE}
    assert stages_run(head) == {"head", "compose", PIXELS_STAGE}
    assert {use.stage for use in head.uses if use.hit} == {"face"}


def test_image_only_stages_run_once_per_character(
    make_engine: EngineMaker, opaque_picture: Picture
) -> None:
    engine = make_engine()
    assert engine.character("a") is None
    character = engine.prepare("a", opaque_picture)
    assert engine.prepare("a", opaque_picture) is character
    assert engine.character("a") is character
    assert set(character.tensors) == {"canvas", "half"}
    render_one(engine, opaque_picture, [0.5, 0, 0, 0, 0])
    assert "encode" not in runs(engine)


def test_a_frame_seen_before_costs_nothing_whatever_the_idle_parameter(
    make_engine: EngineMaker, opaque_picture: Picture
) -> None:
    engine = make_engine()
    first = render_one(engine, opaque_picture, [0.5, 0, 0, 0, 0])
    again = render_one(engine, opaque_picture, [0.5, 0, 0, 0, 0.75])

    assert not first.cached
    assert again.cached
    assert again.uses == ()
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert not again.pixels.flags.writeable
    assert engine.statistics().cached_frames == 1


def test_frames_are_remembered_in_less_than_their_size(make_engine: EngineMaker) -> None:
    engine = make_engine()
    plain = np.full((SIDE, SIDE, 4), 255, np.uint8)
    plain[:, : SIDE // 2] = 0
    frame = render_one(engine, plain, [0.5, 0, 0, 0, 0])
    assert engine.statistics().frame_memory.nbytes < frame.pixels.nbytes / 50


def test_characters_do_not_share_what_depends_on_the_canvas(
    make_engine: EngineMaker, opaque_picture: Picture
) -> None:
    engine = make_engine()
    pose = [0.5, 0, 0, 0, 0]
    other = opaque_picture[::-1].copy()
    ours = engine.render([request(engine, opaque_picture, pose, "a")])[0]
    theirs = engine.render([request(engine, other, pose, "b")])[0]
    np.testing.assert_array_equal(ours.pixels, theirs.pixels[::-1])
    assert not theirs.cached


@pytest.mark.parametrize("max_batch", [1, 3, 8])
def test_batches_give_the_frames_of_single_requests(
    make_engine: EngineMaker, opaque_picture: Picture, max_batch: int
) -> None:
    engine = make_engine(max_batch=max_batch)
    poses = [[i / 8, 0, (i % 2) / 4, 0, 0] for i in range(5)]
    poses.append(poses[0])
    requests = [request(engine, opaque_picture, pose) for pose in poses]

    frames = engine.render(requests)

    for frame, pose in zip(frames, poses, strict=True):
        assert_frame(frame.pixels, opaque_picture, pose)
    assert [frame.cached for frame in frames] == [False] * 5 + [True]
    # Two different head poses among six requests: two runs' worth of work.
    assert runs(engine) == {"face": 5, "head": 2, "compose": 5, PIXELS_STAGE: 5}


def test_memories_stay_within_their_bounds(make_pack: Any, opaque_picture: Picture) -> None:
    frame_bytes = SIDE * SIDE * 4
    memory = EngineMemory(
        characters=Memo(2 * 2 * 4 * frame_bytes),
        stages=Memo(3 * 4 * frame_bytes),
        frames=Memo(2 * frame_bytes + 1000),
    )
    engine = Engine(load_pack(make_pack()), memory=memory)
    for i in range(6):
        engine.render([request(engine, opaque_picture, [i / 8, 0, 0, 0, 0], sha=str(i))])

    statistics = engine.statistics()
    assert statistics.frame_memory.entries == 2
    assert statistics.frame_memory.evictions == 4
    assert statistics.frame_memory.nbytes <= 2 * frame_bytes + 1000
    assert statistics.stage_memory.nbytes <= 3 * 4 * frame_bytes
    assert statistics.character_memory.entries == 2
    assert engine.character("0") is None
    assert engine.character("5") is not None


def test_no_memory_at_all_still_renders(make_pack: Any, opaque_picture: Picture) -> None:
    memory = EngineMemory(characters=Memo(0), stages=Memo(0), frames=Memo(0))
    engine = Engine(load_pack(make_pack()), memory=memory)
    first = render_one(engine, opaque_picture, [0.5, 0, 0, 0, 0])
    again = render_one(engine, opaque_picture, [0.5, 0, 0, 0, 0])
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert not again.cached


def test_two_engines_share_memory_and_nothing_else(make_pack: Any, opaque_picture: Picture) -> None:
    memory = EngineMemory()
    half = Engine(load_pack(make_pack("one")), memory=memory)
    stages = tiny_stages()
    stages["encode"] = (
        graph_bytes(
            [helper.make_node("Identity", ["image"], ["half"])],
            [value("image", CANVAS_SHAPE)],
            [value("half", CANVAS_SHAPE)],
            [],
        ),
        *stages["encode"][1:],
    )
    full = Engine(load_pack(make_pack("two", stages=stages)), memory=memory)
    pose = [0.0] * 5
    render_one(half, opaque_picture, pose)
    np.testing.assert_array_equal(render_one(full, opaque_picture, pose).pixels, opaque_picture)


def test_threads_at_once_compute_nothing_twice(
    make_engine: EngineMaker, opaque_picture: Picture
) -> None:
    engine = make_engine()
    poses = [[i % 4 / 8, 0, i % 3 / 8, 0, 0] for i in range(48)]
    requests = [request(engine, opaque_picture, pose) for pose in poses]
    barrier = threading.Barrier(4)

    def work(mine: list[FrameRequest]) -> list[RenderedFrame]:
        barrier.wait()
        return [engine.render([one])[0] for one in mine]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, [requests] * 4))

    for frames in results:
        for frame, pose in zip(frames, poses, strict=True):
            assert_frame(frame.pixels, opaque_picture, pose)
    assert runs(engine) == {"face": 4, "head": 3, "compose": 12, PIXELS_STAGE: 12}


def test_a_canvas_of_another_size_is_refused(make_engine: EngineMaker) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make_engine().prepare("a", np.zeros((64, 64, 4), np.uint8))
    assert caught.value.reason == "CANVAS_WRONG_SIZE"


def test_a_provider_that_is_not_there_is_an_error(make_engine: EngineMaker) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        make_engine(provider="cuda")
    assert caught.value.reason == "PROVIDER_UNAVAILABLE"


def shape_of(scale: Any) -> dict[str, Any]:
    data = graph_bytes(
        [helper.make_node("Mul", ["image", "w"], ["half"])],
        [value("image", CANVAS_SHAPE)],
        [value("half", CANVAS_SHAPE)],
        [constant("w", np.asarray(scale, np.float32))],
    )
    return tiny_stages() | {"encode": (data, *tiny_stages()["encode"][1:])}


def test_a_model_that_computes_nonsense_fails_its_self_test(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p", shape_of(np.nan))
    with pytest.raises(InternalError) as caught:
        Engine(load_pack(folder))
    assert caught.value.reason == "SELF_TEST_FAILED"


def test_a_graph_that_onnxruntime_refuses_is_an_error(tmp_path: Path) -> None:
    data = graph_bytes(
        [helper.make_node("NoSuchOperator", ["image"], ["half"])],
        [value("image", CANVAS_SHAPE)],
        [value("half", CANVAS_SHAPE)],
        [],
    )
    stages = tiny_stages() | {"encode": (data, *tiny_stages()["encode"][1:])}
    with pytest.raises(FailedPreconditionError) as caught:
        Engine(load_pack(write_pack(tmp_path / "p", stages)))
    assert caught.value.reason == "STAGE_NOT_RUNNABLE"


def test_a_failing_batch_leaves_nothing_claimed(
    make_engine: EngineMaker, opaque_picture: Picture
) -> None:
    engine = make_engine()
    wanted = request(engine, opaque_picture, [0.5, 0, 0, 0, 0])
    too_short = FrameRequest(wanted.character, np.zeros(3, np.float32), VIEW)
    no_canvas = FrameRequest(Character("b", {}), wanted.pose, VIEW)
    for broken in (too_short, no_canvas):
        for batch in ([wanted, broken], [broken, wanted]):
            with pytest.raises((InternalError, IndexError, KeyError)):
                engine.render(batch)
    assert engine.render([wanted])[0].pixels.any()
    assert engine.render([wanted])[0].cached


def test_the_plan_knows_dependencies_and_leaves_out_idle_stages(tmp_path: Path) -> None:
    stages = tiny_stages()
    stages["idle"] = (
        scale_graph(),
        {"image": {"tensor": "face_rgba"}},
        {"half": "not_wanted"},
    )
    plan = build_plan(load_pack(write_pack(tmp_path / "p", stages)).manifest)

    facts = {
        stage.name: (stage.depends.indices.tolist(), stage.image_only, stage.memoised)
        for stage in plan.stages
    }
    assert facts == {
        "encode": ([], True, True),
        "face": ([0, 1], False, True),
        "head": ([2, 3], False, True),
        "compose": ([0, 1, 2, 3], False, False),
    }
    assert plan.depends.indices.tolist() == [0, 1, 2, 3]
