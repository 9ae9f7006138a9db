"""Weights per frame for face rigs, and their files."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation import (
    WEIGHT_SETS,
    AnimationOptions,
    MouthCue,
    MouthShape,
    WeightSet,
    WeightTrack,
    animate,
    animate_weights,
    frame_count,
)
from kuchipaku_animation.poses import VOWEL_SLICE
from kuchipaku_animation.weight_files import weights_to_csv, weights_to_json
from kuchipaku_contract.errors import InvalidArgumentError
from tests.animation.strategies import FRAME_RATES, timelines

ARKIT, OVR, THA = (WEIGHT_SETS[name] for name in ("arkit", "ovr", "tha"))
SETS = st.sampled_from(sorted(WEIGHT_SETS))


def held(shape: str, loudness: float = 1.0) -> list[MouthCue]:
    return [MouthCue(0.3, 0.9, MouthShape(shape), loudness)]


def value(track: WeightTrack, name: str, time: float) -> float:
    row = track.weights[int(np.argmin(np.abs(track.times - time)))]
    return float(row[track.names.index(name)])


@given(timelines(), FRAME_RATES, SETS)
def test_weights_stay_in_range(cues: list[MouthCue], fps: float, name: str) -> None:
    duration = cues[-1].end + 0.3
    track = animate_weights(cues, duration, WEIGHT_SETS[name], AnimationOptions(fps=fps))
    assert track.weights.shape == (frame_count(duration, fps), len(WEIGHT_SETS[name].columns))
    assert np.isfinite(track.weights).all()
    assert track.weights.min() >= 0.0
    assert track.weights.max() <= 1.0 + 1e-9


@given(timelines(), FRAME_RATES)
def test_the_visemes_of_a_frame_sum_to_one(cues: list[MouthCue], fps: float) -> None:
    track = animate_weights(cues, cues[-1].end, OVR, AnimationOptions(fps=fps))
    np.testing.assert_allclose(track.weights.sum(axis=1), 1.0, atol=1e-9)


@given(timelines(), FRAME_RATES)
def test_tha_weights_are_those_of_the_pose_track(cues: list[MouthCue], fps: float) -> None:
    options = AnimationOptions(fps=fps, motion="none")
    poses = animate(cues, (), cues[-1].end, options).poses[:, VOWEL_SLICE]
    track = animate_weights(cues, cues[-1].end, THA, options)
    np.testing.assert_allclose(track.weights, poses, atol=1e-6)


@given(timelines(), FRAME_RATES)
def test_jaw_and_lips_close_on_every_closure(cues: list[MouthCue], fps: float) -> None:
    track = animate_weights(cues, cues[-1].end, ARKIT, AnimationOptions(fps=fps))
    jaw = track.weights[:, track.names.index("jawOpen")]
    lips = track.weights[:, track.names.index("mouthPressLeft")]
    for cue in cues:
        if cue.shape is MouthShape.A:
            near = (track.times >= cue.start - 1.0 / fps) & (track.times < cue.end)
            assert jaw[near].min() < 0.02
            assert lips[near].max() > 0.3


@pytest.mark.parametrize(
    ("shape", "name", "rig"),
    [
        ("A", "mouthPressLeft", ARKIT),
        ("D", "jawOpen", ARKIT),
        ("E", "mouthFunnel", ARKIT),
        ("F", "mouthPucker", ARKIT),
        ("G", "mouthRollLower", ARKIT),
        ("A", "PP", OVR),
        ("D", "aa", OVR),
        ("C", "E", OVR),
        ("E", "oh", OVR),
        ("F", "ou", OVR),
        ("G", "FF", OVR),
        ("H", "nn", OVR),
        ("X", "sil", OVR),
        ("D", "mouth_aaa", THA),
    ],
)
def test_a_held_shape_shows_its_own_weight(shape: str, name: str, rig: WeightSet) -> None:
    track = animate_weights(held(shape), 1.2, rig, AnimationOptions(fps=60))
    row = track.weights[int(np.argmin(np.abs(track.times - 0.6)))]
    assert track.names[int(row.argmax())] == name


def test_both_sides_of_the_face_move_alike() -> None:
    track = animate_weights(held("D"), 1.2, ARKIT)
    for name in track.names:
        if name.endswith("Left"):
            other = track.names.index(name.replace("Left", "Right"))
            left = track.weights[:, track.names.index(name)]
            np.testing.assert_array_equal(left, track.weights[:, other])


def test_loudness_drops_the_jaw_and_leaves_the_lips() -> None:
    loud = animate_weights(held("E", 1.0), 1.2, ARKIT)
    quiet = animate_weights(held("E", 0.0), 1.2, ARKIT)
    assert value(quiet, "jawOpen", 0.6) < 0.85 * value(loud, "jawOpen", 0.6)
    assert value(quiet, "mouthFunnel", 0.6) == value(loud, "mouthFunnel", 0.6)


def test_a_rest_is_at_rest() -> None:
    cues = [MouthCue(0.0, 0.3, MouthShape.D), MouthCue(1.0, 1.3, MouthShape.D)]
    track = animate_weights(cues, 1.3, ARKIT)
    inside = (track.times > 0.42) & (track.times < 0.86)
    assert not track.weights[inside].any()


@pytest.mark.parametrize("duration", [-1.0, math.nan, 601.0])
def test_bad_durations_are_refused(duration: float) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        animate_weights(held("D"), duration, ARKIT)
    assert caught.value.reason == "DURATION_INVALID"


@given(timelines(max_size=6), FRAME_RATES, SETS, st.text(max_size=12))
def test_json_reads_back(cues: list[MouthCue], fps: float, name: str, sound_file: str) -> None:
    rig = WEIGHT_SETS[name]
    track = animate_weights(cues, cues[-1].end, rig, AnimationOptions(fps=fps))
    data = json.loads(weights_to_json(track, name=name, sound_file=sound_file))
    assert (data["format"], data["soundFile"]) == (name, sound_file)
    assert data["framesPerSecond"] == fps
    assert data["frameCount"] == len(data["weights"]) == len(track.times)
    assert data["names"] == list(rig.columns)
    np.testing.assert_allclose(data["weights"], track.weights, atol=5.1e-5)


@given(timelines(max_size=6), FRAME_RATES, SETS)
def test_csv_reads_back(cues: list[MouthCue], fps: float, name: str) -> None:
    track = animate_weights(cues, cues[-1].end, WEIGHT_SETS[name], AnimationOptions(fps=fps))
    header, *rows = csv.reader(io.StringIO(weights_to_csv(track)))
    assert header == ["time", *track.names]
    table = np.array(rows, dtype=float)
    np.testing.assert_allclose(table[:, 0], track.times, atol=1e-6)
    np.testing.assert_allclose(table[:, 1:], track.weights, atol=5.1e-5)


def test_no_frames_make_files_without_rows() -> None:
    track = animate_weights([], 0.0, ARKIT)
    assert json.loads(weights_to_json(track, name="arkit"))["weights"] == []
    assert len(weights_to_csv(track).splitlines()) == 1
