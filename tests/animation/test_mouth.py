from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation import (
    PARAMETER_INDEX,
    VOWEL_NAMES,
    VOWEL_SLICE,
    AnimationOptions,
    MouthCue,
    MouthShape,
    animate,
    mouth_opening,
)
from kuchipaku_animation.poses import FloatArray, PoseArray
from tests.animation.strategies import FRAME_RATES, timelines

A, B, C, D, E, F, X = (MouthShape(letter) for letter in "ABCDEFX")


def mouth_of(
    cues: Sequence[MouthCue], duration_s: float | None = None, **options: Any
) -> tuple[FloatArray, PoseArray]:
    """Times and vowel weights by name."""
    track = animate(cues, duration_s=duration_s, options=AnimationOptions(motion="none", **options))
    return track.times, track.poses[:, VOWEL_SLICE]


def column(name: str) -> int:
    return VOWEL_NAMES.index(name)


def assert_closures_shown(cues: Sequence[MouthCue], fps: float, **options: Any) -> None:
    times, vowels = mouth_of(cues, fps=fps, **options)
    opening = vowels.sum(axis=1)
    for cue in cues:
        if cue.shape is A:
            # The frame that shows a closure begins at most a frame before it, and before its end.
            near = (times >= cue.start - 1.0 / fps) & (times < cue.end)
            assert opening[near].min() < 0.1, cue


@given(timelines(), FRAME_RATES, st.sampled_from([0.0, 1 / 32, 0.2]))
def test_every_closure_is_shown_on_a_frame(cues, fps, quantum):
    assert_closures_shown(cues, fps, quantum=quantum)


@given(timelines(shapes="AADDE"), FRAME_RATES)
def test_closures_are_shown_amid_wide_vowels(cues, fps):
    assert_closures_shown(cues, fps)


@given(timelines(), FRAME_RATES)
def test_long_rests_are_shut(cues, fps):
    times, vowels = mouth_of(cues, fps=fps)
    for cue in cues:
        if cue.shape is X:
            inside = (times > cue.start + 0.1) & (times < cue.end - 0.12)
            assert not vowels[inside].any()


@given(timelines(), FRAME_RATES, st.sampled_from([0.0, 1 / 32, 0.07]))
def test_weights_stay_in_range_and_sum_to_at_most_one(cues, fps, quantum):
    _, vowels = mouth_of(cues, fps=fps, quantum=quantum)
    assert np.isfinite(vowels).all()
    assert vowels.min(initial=0.0) >= 0.0
    assert vowels.sum(axis=1).max(initial=0.0) <= 1.0 + 1e-6


@given(timelines(), st.integers(0, 24))
def test_a_cue_cut_in_two_moves_the_mouth_alike(cues, position):
    cue = cues[position % len(cues)]
    if cue.shape is A:
        return
    middle = (cue.start + cue.end) / 2
    halves = [
        MouthCue(cue.start, middle, cue.shape, cue.loudness),
        MouthCue(middle, cue.end, cue.shape, cue.loudness),
    ]
    index = cues.index(cue)
    cut = [*cues[:index], *halves, *cues[index + 1 :]]
    np.testing.assert_allclose(mouth_of(cues)[1], mouth_of(cut)[1], atol=1e-6)


def test_no_cues_leave_the_mouth_shut():
    times, vowels = mouth_of([], duration_s=1.0)
    assert len(times) == 25
    assert not vowels.any()


@pytest.mark.parametrize(
    ("shape", "vowel"),
    [("B", "iii"), ("C", "eee"), ("D", "aaa"), ("E", "ooo"), ("F", "uuu"), ("H", "eee")],
)
def test_a_long_shape_shows_its_own_mouth(shape, vowel):
    times, vowels = mouth_of([MouthCue(0.5, 1.0, MouthShape(shape))], duration_s=1.5)
    middle = vowels[np.argmin(np.abs(times - 0.75))]
    assert middle.argmax() == column(f"mouth_{vowel}")
    assert middle.sum() > 0.4


def test_the_mouth_leads_the_sound():
    cues = [MouthCue(0.5, 1.0, D)]
    times, late = mouth_of(cues, 1.5, fps=60.0, mouth_lead_s=0.0)
    _, early = mouth_of(cues, 1.5, fps=60.0, mouth_lead_s=0.025)
    half_open = [times[np.argmax(v.sum(axis=1) > 0.5)] for v in (early, late)]
    assert 0.01 < half_open[1] - half_open[0] < 0.04


def test_loud_vowels_open_wider_than_quiet_ones():
    openings = [
        mouth_of([MouthCue(0.2, 0.6, D, loudness)], 1.0)[1].sum(axis=1).max()
        for loudness in (0.0, 0.5, 1.0)
    ]
    assert openings == sorted(openings)
    assert openings[0] > 0.5
    assert openings[2] - openings[0] > 0.2


def test_neighbours_colour_a_short_vowel():
    alone = mouth_of([MouthCue(0.0, 0.6, C)])[1]
    rounded = mouth_of([MouthCue(0.0, 0.25, F), MouthCue(0.25, 0.33, C), MouthCue(0.33, 0.6, F)])
    at_vowel = rounded[1][np.argmin(np.abs(rounded[0] - 0.28))]
    assert at_vowel[column("mouth_eee")] < alone[:, column("mouth_eee")].max()
    assert at_vowel[column("mouth_uuu")] > 0.1


@given(timelines(), st.sampled_from([50.0, 60.0]))
def test_the_mouth_moves_smoothly(cues, fps):
    _, vowels = mouth_of(cues, fps=fps)
    assert np.abs(np.diff(vowels, axis=0)).sum(axis=1).max(initial=0.0) < 0.75


def test_the_classic_rule_gives_the_worked_example():
    cues = [MouthCue(0.0, 0.5, X), MouthCue(0.5, 1.5, D), MouthCue(1.5, 2.0, F)]
    cues.append(MouthCue(2.0, 2.25, X))
    times, vowels = mouth_of(cues, fps=4.0, mouth="classic")
    a, u = column("mouth_aaa"), column("mouth_uuu")
    expected = np.zeros((9, 6), dtype=np.float32)
    expected[1:5, a] = [0.5, 1.0, 0.75, 0.5]
    expected[5:8, u] = [0.75, 1.0, 0.5]
    assert times.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    assert vowels.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "pair", ["Aeee", "X", "Biii", "Ceee", "Daaa", "Eooo", "Fuuu", "Giii", "Heee"]
)
def test_the_classic_rule_knows_six_mouths(pair):
    shape, vowel = MouthShape(pair[0]), pair[1:]
    cues = [MouthCue(0.5, 1.0, shape), MouthCue(1.0, 1.5, X)]
    times, vowels = mouth_of(cues, fps=10.0, mouth="classic")
    expected = np.zeros(6)
    if shape not in (A, X):
        expected[column(f"mouth_{vowel}")] = 1.0
    assert vowels[times.tolist().index(0.5)].tolist() == expected.tolist()


def test_the_classic_rule_fades_over_gaps_and_to_the_end():
    cues = [MouthCue(0.0, 0.5, D), MouthCue(1.0, 1.5, F)]
    _, vowels = mouth_of(cues, 2.0, fps=4.0, mouth="classic")
    assert vowels[:, column("mouth_aaa")].tolist() == [1.0, 0.5, 0, 0, 0, 0, 0, 0]
    assert vowels[:, column("mouth_uuu")].tolist() == [0, 0, 0, 0.5, 1.0, 0.5, 0, 0]


def test_the_classic_rule_ignores_loudness():
    loud, quiet = (
        mouth_of([MouthCue(0.0, 0.5, D, loudness)], 1.0, mouth="classic")[1]
        for loudness in (1.0, 0.1)
    )
    assert loud.tolist() == quiet.tolist()


def real_cues() -> Iterator[list[MouthCue]]:
    root = os.environ.get("KUCHIPAKU_TEST_DATA")
    if not root:
        pytest.skip("KUCHIPAKU_TEST_DATA names no folder with Rhubarb's cues")
    files = sorted(Path(root).glob("data/speech/rhubarb_ptm/ps_nodialog/[hs]*.json"))
    assert files
    for file in files:
        cues = json.loads(file.read_text())["mouthCues"]
        yield [MouthCue(c["start"], c["end"], MouthShape(c["value"])) for c in cues]


@pytest.mark.parametrize(("fps", "limit"), [(12.0, 1.25), (25.0, 0.72), (30.0, 0.60), (60.0, 0.32)])
def test_real_speech_closes_rests_and_moves_smoothly(fps, limit):
    jumps = []
    for cues in real_cues():
        assert_closures_shown(cues, fps)
        times, vowels = mouth_of(cues, fps=fps)
        jumps.append(np.abs(np.diff(vowels, axis=0)).sum(axis=1))
        for cue in cues:
            if cue.shape is X:
                inside = (times > cue.start + 0.1) & (times < cue.end - 0.12)
                assert not vowels[inside].any()
    assert np.quantile(np.concatenate(jumps), 0.99) < limit


def test_the_opening_is_the_sum_of_the_vowels():
    track = animate([MouthCue(0.0, 1.0, E)], options=AnimationOptions(motion="none"))
    np.testing.assert_allclose(
        mouth_opening(track.poses), track.poses[:, PARAMETER_INDEX["mouth_ooo"]]
    )
