from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from kuchipaku.type.v1 import animation_pb2
from kuchipaku_animation import THA_MOUTH_MAP, ExpressionKey, MouthCue, MouthMap, MouthShape
from kuchipaku_pose.utterance import Opening, Utterance, complete_animation

D, B = MouthShape.D, MouthShape.B
CUES = [MouthCue(0.0, 2.0, D), MouthCue(2.0, 5.0, B)]


@dataclass
class Model:
    mouth_map: MouthMap = THA_MOUTH_MAP


class Clock:
    now = 7.0

    def __call__(self) -> float:
        return self.now


def utterance(clock: Clock | None = None, resume_s: float = 0.0, **options: Any) -> Utterance:
    animation = complete_animation(animation_pb2.AnimationOptions(**options), 1 / 128, "animation")
    model: Any = Model()
    return Utterance(Opening("u", animation, 1, resume_s), model, clock or Clock())


def all_poses(line: Utterance) -> Any:
    parts = []
    while not line.exhausted:
        parts.append(line.pull(8).track.poses)
    return np.concatenate(parts)


@pytest.mark.parametrize("pulled", [0, 5])
def test_expressions_may_come_before_or_after_the_cues_of_their_time(pulled: int) -> None:
    keys = [ExpressionKey(1.0, "happy")]
    early, late = utterance(), utterance()
    early.push_expressions(keys)
    early.push_cues(CUES)
    late.push_cues(CUES)
    first = late.pull(pulled).track.poses
    late.push_expressions(keys)
    early.end(None)
    late.end(None)
    np.testing.assert_array_equal(all_poses(early), [*first, *all_poses(late)])


def test_a_late_expression_moves_to_the_next_frame_that_has_not_been_made() -> None:
    line = utterance(motion=animation_pb2.MOTION_NONE)
    line.push_cues(CUES)
    plain = line.pull(50).track.poses[-1]
    line.push_expressions([ExpressionKey(1.0, "angry", fade=0.0)])
    assert (line.pull(1).track.poses[0] != plain).sum() > 2


def test_the_duration_cuts_the_cues() -> None:
    line = utterance()
    line.push_cues(CUES)
    line.end(1.0)
    assert len(all_poses(line)) == 25
    assert line.duration_s == 1.0


def test_an_utterance_lasts_as_long_as_its_frames() -> None:
    line = utterance()
    line.push_cues(CUES)
    line.pull(50)
    line.end(1.0)
    assert line.exhausted
    assert line.duration_s == 2.0


@pytest.mark.parametrize(("resume_s", "length_s"), [(0.5, 1.0), (1.0, 1.0), (30.0, 1.0)])
def test_an_utterance_resumed_behind_its_end_is_no_longer_than_its_input(
    resume_s: float, length_s: float
) -> None:
    line = utterance(resume_s=resume_s)
    line.push_cues(CUES)
    line.end(length_s)
    while not line.exhausted:
        line.pull(8)
    assert line.duration_s == length_s


def test_frames_are_known_since_the_input_that_decides_them() -> None:
    clock = Clock()
    line = utterance(clock)
    line.push_cues([MouthCue(0.0, 1.0, D)])
    clock.now = 8.0
    early = line.pull(5).known_at
    line.push_cues([MouthCue(1.0, 2.0, B)])
    clock.now = 9.0
    line.end(None)
    rest = line.pull(1000).known_at
    assert early == [7.0] * 5
    assert sorted(rest) == rest
    assert rest[0] == 7.0
    assert rest[-1] == 9.0
    assert rest[30] == 8.0
    assert len(rest) == 45


def test_an_interrupted_utterance_holds_nothing() -> None:
    line = utterance()
    line.push_cues(CUES)
    line.push_expressions([ExpressionKey(1.0, "happy")])
    assert line.size == 3
    line.interrupt()
    assert line.interrupted
    assert line.size == 0
    assert len(line.pull(1000).track) == 0
