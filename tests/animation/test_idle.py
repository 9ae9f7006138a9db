from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation import (
    PARAMETER_INDEX,
    ROTATION_SLICE,
    VOWEL_SLICE,
    AnimationOptions,
    ExpressionKey,
    MouthCue,
    MouthShape,
    animate,
    seed_from,
)
from kuchipaku_animation.poses import PoseArray
from tests.animation.strategies import FRAME_RATES

SEEDS = st.integers(0, 2**63 - 1)
WINK = PARAMETER_INDEX["eye_wink_left"]
GAZE = [PARAMETER_INDEX["iris_rotation_x"], PARAMETER_INDEX["iris_rotation_y"]]
BODY = [PARAMETER_INDEX["body_y"], PARAMETER_INDEX["body_z"]]
BREATHING = PARAMETER_INDEX["breathing"]
HEAD = [PARAMETER_INDEX[name] for name in ("head_x", "head_y", "neck_z")]


def idle(
    duration_s: float = 10.0, expressions: Sequence[ExpressionKey] = (), **options: Any
) -> PoseArray:
    return animate([], expressions, duration_s, AnimationOptions(**options)).poses


def blink_peaks(poses: PoseArray) -> npt.NDArray[np.intp]:
    shut = poses[:, WINK] >= 1.0
    return np.flatnonzero(shut & ~np.roll(shut, 1))


def test_the_same_seeds_give_the_same_life_and_others_another():
    assert idle(seed=1, utterance_seed=2).tolist() == idle(seed=1, utterance_seed=2).tolist()
    for seed, utterance_seed in ((2, 2), (1, 3)):
        other = idle(seed=seed, utterance_seed=utterance_seed)
        assert idle(seed=1, utterance_seed=2).tolist() != other.tolist()


@given(SEEDS, FRAME_RATES)
def test_life_recurs_after_a_period_and_starts_neutral(seed, fps):
    poses = idle(25.0, seed=seed, fps=fps, loop_s=8.0)
    assert not poses[0].any()
    candidates = range(round(7.7 * fps), round(8.3 * fps) + 1)
    assert any((poses[n : 3 * n] == poses[: 2 * n]).all() for n in candidates)


@given(SEEDS, st.sampled_from([12.0, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0]))
def test_head_and_body_change_eight_to_twelve_times_a_second(seed, fps):
    poses = idle(10.0, seed=seed, fps=fps)[:, ROTATION_SLICE]
    changes = np.flatnonzero((np.diff(poses, axis=0) != 0).any(axis=1)) + 1
    hold = int(np.gcd.reduce(changes))
    assert 8.0 <= fps / hold <= 12.0


@given(SEEDS)
def test_head_and_body_move_slowly_and_a_little(seed):
    poses = idle(20.0, seed=seed, fps=30.0)
    assert 0.05 < np.abs(poses[:, HEAD]).max() <= 0.4
    assert np.abs(poses[:, BODY]).max() <= 0.15
    assert np.abs(np.diff(poses[:, HEAD + BODY], axis=0)).max() < 0.12


@given(SEEDS)
def test_one_breath_takes_three_to_four_seconds(seed):
    breathing = idle(10.0, seed=seed)[:, BREATHING]
    inhalations = np.count_nonzero((breathing[1:] > 0.5) & (breathing[:-1] <= 0.5))
    assert inhalations == 3
    assert breathing.max() > 0.95


@given(SEEDS, FRAME_RATES)
def test_blinks_are_short_natural_and_shut_on_a_frame(seed, fps):
    poses = idle(60.0, seed=seed, fps=fps)
    peaks = blink_peaks(poses)
    assert 8 <= len(peaks) <= 40
    blinking = poses[:, WINK] > 0
    assert blinking.mean() < 0.15
    longest = max(len(run) for run in "".join("01"[int(b)] for b in blinking).split("0"))
    assert longest / fps < 0.25
    np.testing.assert_array_equal(poses[:, WINK], poses[:, WINK + 1])


def test_expressions_that_shut_the_eyes_suppress_blinks():
    poses = idle(20.0, [ExpressionKey(0.0, "joyful", fade=0.0)])
    assert not poses[:, WINK].any()


@pytest.mark.parametrize("name", ["relaxed", "sleepy", "wink", "surprised", "happy"])
def test_blinks_never_close_an_eye_by_more_than_one(name):
    poses = idle(20.0, [ExpressionKey(0.0, name, fade=0.0)])
    for side in ("left", "right"):
        columns = [
            PARAMETER_INDEX[f"eye_{group}_{side}"] for group in ("wink", "happy_wink", "relaxed")
        ]
        closed = poses[:, columns].sum(axis=1)
        assert closed.max() == pytest.approx(1.0)
        wide = poses[:, PARAMETER_INDEX[f"eye_surprised_{side}"]]
        lid = poses[:, PARAMETER_INDEX[f"eye_raised_lower_eyelid_{side}"]]
        shut = poses[:, columns[0]] >= 1.0
        assert not wide[shut].any()
        assert not lid[shut].any()


@pytest.mark.parametrize(
    ("switch", "columns"),
    [
        ("blink", [WINK, WINK + 1]),
        ("breathing", [BREATHING]),
        ("sway", HEAD + BODY),
        ("gaze", GAZE),
    ],
)
def test_every_kind_of_life_can_be_switched_off(switch, columns):
    switched: dict[str, Any] = {switch: False}
    on, off = idle(20.0), idle(20.0, **switched)
    assert on[:, columns].any()
    assert not off[:, columns].any()
    others = np.setdiff1d(np.arange(45), columns)
    assert on[:, others].tolist() == off[:, others].tolist()


def test_motion_modes_still_body_or_everything_but_the_mouth():
    full, head, none = (idle(20.0, motion=motion) for motion in ("full", "head", "none"))
    still = [*BODY, BREATHING]
    assert full[:, still].any()
    assert not head[:, still].any()
    moving = np.setdiff1d(np.arange(45), still)
    assert head[:, moving].tolist() == full[:, moving].tolist()
    assert not none.any()


def test_without_motion_speech_moves_the_mouth_alone():
    cues = [MouthCue(0.2, 5.0, MouthShape.D)]
    poses = animate(cues, options=AnimationOptions(motion="none")).poses
    assert poses[:, VOWEL_SLICE].any()
    assert not np.delete(poses, np.arange(26, 32), axis=1).any()


def test_seeds_from_identifiers_are_stable_and_distinct():
    assert seed_from("character", "line-1") == seed_from("character", "line-1")
    assert len({seed_from("a", "bc"), seed_from("ab", "c"), seed_from("abc"), seed_from(7)}) == 4
    assert 0 <= seed_from("x") < 2**63
