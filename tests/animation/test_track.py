from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation import (
    VOWEL_SLICE,
    AnimationOptions,
    ExpressionKey,
    MouthCue,
    MouthShape,
    PoseTrack,
    PoseTrackBuilder,
    animate,
    frame_count,
)
from kuchipaku_animation.poses import FloatArray, PoseArray
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from tests.animation.strategies import FRAME_RATES, animation_options, expression_keys, timelines

D = MouthShape.D


def joined(pieces: Iterable[PoseTrack]) -> tuple[FloatArray, PoseArray]:
    tracks = list(pieces)
    for before, after in pairwise(tracks):
        assert after.first_frame == before.first_frame + len(before)
    return np.concatenate([t.times for t in tracks]), np.concatenate([t.poses for t in tracks])


def stream(
    data: st.DataObject,
    cues: list[MouthCue],
    keys: list[ExpressionKey],
    options: AnimationOptions,
    duration: float,
) -> Iterator[PoseTrack]:
    """Push everything in random pieces, pulling at random, and yield the tracks."""
    limits = st.none() | st.integers(1, 9)
    builder = PoseTrackBuilder(options)
    cues, keys = list(cues), list(keys)
    while cues:
        known = cues[0].start
        # A key must come before the frames that it changes are pulled.
        while keys and keys[0].time <= known + 2.0:
            builder.push_expressions([keys.pop(0)])
        if data.draw(st.booleans()):
            builder.advance(known)
        if data.draw(st.booleans()):
            yield builder.pull(data.draw(limits))
        size = data.draw(st.integers(1, 4))
        builder.push_cues(cues[:size])
        cues = cues[size:]
        if data.draw(st.booleans()) and not keys:
            yield builder.pull(data.draw(limits))
    builder.push_expressions(keys)
    builder.end(duration)
    yield builder.pull(0)
    while not builder.exhausted:
        yield builder.pull(data.draw(limits))


@given(timelines(max_size=15), expression_keys(), animation_options(), st.data())
def test_however_the_input_is_cut_the_poses_are_the_same(cues, keys, options, data):
    duration = cues[-1].end + data.draw(st.sampled_from([0.0, 0.03, 1.0]))
    whole = animate(cues, keys, duration, options)
    times, poses = joined(stream(data, cues, keys, options, duration))
    assert times.tolist() == whole.times.tolist()
    assert poses.tobytes() == whole.poses.tobytes()


@given(timelines(max_size=15), animation_options())
def test_frames_pulled_one_by_one_are_the_same(cues, options):
    whole = animate(cues, options=options)
    builder = PoseTrackBuilder(options)
    builder.push_cues(cues)
    builder.end()
    times, poses = joined([builder.pull(0), *[builder.pull(1) for _ in range(len(whole))]])
    assert builder.exhausted
    assert times.tolist() == whole.times.tolist()
    assert poses.tobytes() == whole.poses.tobytes()


def test_an_expression_may_come_after_the_cues_of_its_time():
    keys = [ExpressionKey(1.0, "happy")]
    cues = [MouthCue(0.0, 2.0, D), MouthCue(2.0, 5.0, MouthShape.B)]
    builder = PoseTrackBuilder(AnimationOptions())
    builder.push_cues(cues)
    first = builder.pull(10)
    builder.push_expressions(keys)
    builder.end()
    rest = builder.pull()
    assert len(first) == 10
    whole = animate(cues, keys)
    assert np.concatenate([first.poses, rest.poses]).tobytes() == whole.poses.tobytes()


@pytest.mark.parametrize(("pulled", "expected"), [(0, 25), (10, 25), (40, 40)])
def test_a_duration_cuts_what_has_not_been_pulled(pulled, expected):
    builder = PoseTrackBuilder(AnimationOptions())
    builder.push_cues([MouthCue(0.0, 5.0, D)])
    builder.pull(pulled)
    builder.end(1.0)
    builder.pull()
    assert builder.exhausted
    assert builder.next_frame == expected


@given(timelines(), FRAME_RATES, st.sampled_from([0.0, 0.025, 0.03]))
def test_what_has_been_pulled_never_changes(cues, fps, lead):
    options = AnimationOptions(fps=fps, motion="none", mouth_lead_s=lead)
    builder = PoseTrackBuilder(options)
    whole = animate(cues, options=options)
    for cue in cues:
        builder.advance(cue.start)
        before = builder.pull()
        builder.push_cues([cue])
        for track in (before, builder.pull()):
            same = whole.poses[track.first_frame : track.first_frame + len(track)]
            assert track.poses.tobytes() == same.tobytes()


@given(timelines(), FRAME_RATES)
def test_frames_come_as_soon_as_the_look_ahead_is_known(cues, fps):
    builder = PoseTrackBuilder(AnimationOptions(fps=fps))
    assert 0.06 <= builder.look_ahead_s <= 0.12
    builder.push_cues(cues)
    track = builder.pull()
    due = frame_count(cues[-1].end - builder.look_ahead_s - 1e-6, fps)
    assert len(track) in (due, due + 1)
    assert len(builder.pull()) == 0


def test_the_classic_mouth_waits_for_the_next_cue():
    builder = PoseTrackBuilder(AnimationOptions(fps=10.0, mouth="classic"))
    assert math.isinf(builder.look_ahead_s)
    builder.push_cues([MouthCue(0.0, 0.5, D), MouthCue(0.5, 1.0, MouthShape.F)])
    assert len(builder.pull()) == 5
    builder.advance(1.5)
    assert len(builder.pull()) == 5


def test_advancing_through_silence_releases_frames():
    builder = PoseTrackBuilder(AnimationOptions())
    builder.advance(2.0)
    silence = builder.pull()
    assert len(silence) > 45
    assert not silence.poses[:, VOWEL_SLICE].any()
    builder.push_cues([MouthCue(2.0, 2.3, D)])
    builder.finish()


def test_a_cue_within_played_silence_is_refused():
    builder = PoseTrackBuilder(AnimationOptions())
    builder.advance(2.0)
    with pytest.raises(InvalidArgumentError) as refusal:
        builder.push_cues([MouthCue(1.9, 2.3, D)])
    assert (refusal.value.reason, refusal.value.field) == ("CUE_IN_THE_PAST", "cues[0].start")


def test_an_expression_within_pulled_frames_is_refused_and_the_next_frame_takes_it():
    builder = PoseTrackBuilder(AnimationOptions())
    builder.advance(2.0)
    builder.pull()
    with pytest.raises(InvalidArgumentError) as refusal:
        builder.push_expressions([ExpressionKey(0.5, "sad")])
    assert refusal.value.field == "expressions[0].time"
    builder.push_expressions([ExpressionKey(builder.next_time_s, "sad", fade=0.0)])
    assert builder.finish(3.0).poses[0, 0] == 1.0


@given(timelines(), expression_keys(), animation_options(), st.integers(0, 80))
def test_an_utterance_resumes_at_any_frame(cues, keys, options, first):
    whole = animate(cues, keys, 4.0, options)
    builder = PoseTrackBuilder(options, first_frame=first)
    builder.push_cues(cues)
    builder.push_expressions(keys)
    rest = builder.finish(4.0)
    assert rest.first_frame == first
    assert rest.poses.tobytes() == whole.poses[first:].tobytes()


@given(st.floats(0.0, 20.0), FRAME_RATES)
def test_a_track_has_the_frames_due_before_its_end(duration, fps):
    track = animate([], duration_s=duration, options=AnimationOptions(fps=fps))
    assert len(track) == frame_count(duration, fps) == len(track.poses)
    assert abs(len(track) - duration * fps) < 1.0
    assert track.poses.dtype == np.float32
    assert track.times.dtype == np.float64
    np.testing.assert_array_equal(track.times, np.arange(len(track)) / fps)


def test_whole_durations_have_whole_frames():
    assert [frame_count(d, 30.0) for d in (0.0, 0.1, 1.0, 1.1)] == [0, 3, 30, 33]


def test_the_duration_defaults_to_the_end_of_the_last_cue():
    assert len(animate([MouthCue(0.5, 2.0, D)])) == 50
    assert len(animate([])) == 0


@pytest.mark.parametrize("duration", [-1.0, math.nan, math.inf, LIMITS.max_audio_duration_s + 1])
def test_a_bad_duration_is_refused(duration):
    with pytest.raises(InvalidArgumentError) as refusal:
        animate([], duration_s=duration)
    assert refusal.value.field == "duration_s"


@given(timelines(), expression_keys(), st.sampled_from([1 / 64, 1 / 32, 0.05, 0.25]))
def test_quantised_poses_are_multiples_within_the_stated_error(cues, keys, quantum):
    exact = animate(cues, keys, 3.0).poses
    coarse = animate(cues, keys, 3.0, AnimationOptions(quantum=quantum)).poses
    steps = coarse.astype(np.float64) / quantum
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    error = np.abs(coarse - exact)
    assert error.max() <= quantum + 1e-6
    error[:, VOWEL_SLICE] = 0.0
    assert error.max() <= quantum / 2 + 1e-6


def test_a_quantum_makes_poses_recur():
    cues = [
        MouthCue(i * 0.1, i * 0.1 + 0.1, shape)
        for i, shape in enumerate([*MouthShape, *reversed(MouthShape)] * 3)
    ]
    exact, coarse = (
        animate(cues, options=AnimationOptions(motion="none", quantum=quantum)).poses
        for quantum in (0.0, 1 / 8)
    )
    assert len(np.unique(coarse, axis=0)) < len(np.unique(exact, axis=0))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("fps", 0.5),
        ("fps", 61.0),
        ("fps", math.nan),
        ("mouth", "fast"),
        ("motion", ""),
        ("loop_s", 1.0),
        ("quantum", -0.1),
        ("quantum", 0.5),
        ("quantum", 1e-310),
        ("quantum", 9e-7),
        ("quantum", math.nan),
        ("mouth_lead_s", 0.2),
    ],
)
def test_a_bad_option_is_refused_by_name(option, value):
    with pytest.raises(InvalidArgumentError) as refusal:
        AnimationOptions(**{option: value})
    assert (refusal.value.field, refusal.value.reason) == (option, "ANIMATION_OPTION_INVALID")


def test_the_limits_on_cues_and_expressions_hold_across_pushes():
    builder = PoseTrackBuilder(AnimationOptions())
    keys = [ExpressionKey(1.0, "sad")] * (LIMITS.max_expressions // 2 + 1)
    builder.push_expressions(keys)
    with pytest.raises(InvalidArgumentError) as refusal:
        builder.push_expressions(keys)
    assert refusal.value.reason == "TOO_MANY_EXPRESSIONS"
    half = LIMITS.max_cues // 2 + 1
    times = np.arange(2 * half + 1) / half
    cues = [MouthCue(a, b, D) for a, b in zip(times[:-1].tolist(), times[1:].tolist(), strict=True)]
    builder.push_cues(cues[:half])
    with pytest.raises(InvalidArgumentError) as refusal:
        builder.push_cues(cues[half:])
    assert refusal.value.reason == "TOO_MANY_CUES"
