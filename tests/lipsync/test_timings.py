"""Timings that the caller knows, in place of audio."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation.cues import MouthCue, MouthShape, validate_cues
from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.phones import Phone
from kuchipaku_lipsync.rhubarb import BASIC_SHAPES, animate_phones
from kuchipaku_lipsync.timings import TimedMouth, TimedPhone, TimedViseme, VisemeSet
from tests.lipsync.rhubarblog import read_runs

SYMBOLS = [phone.value.upper() if phone is not Phone.SCHWA else "AX" for phone in Phone]

HELLO = [
    TimedPhone(0.20, 0.28, "HH"),
    TimedPhone(0.28, 0.33, "AX"),
    TimedPhone(0.33, 0.42, "L"),
    TimedPhone(0.42, 0.65, "OW"),
    TimedPhone(0.65, 1.50, "SIL"),
    TimedPhone(1.50, 1.60, "M"),
    TimedPhone(1.60, 1.85, "AA1"),
]


def shapes_of(cues: list[MouthCue]) -> str:
    return "".join(cue.shape for cue in cues)


def shape_at(cues: list[MouthCue], time: float) -> str:
    return next(cue.shape for cue in cues if cue.start <= time < cue.end)


@st.composite
def timed_phones(draw: st.DrawFn) -> list[TimedPhone]:
    phones, cursor = [], 0
    steps = st.tuples(
        st.one_of(st.just(0), st.integers(0, 90)), st.integers(1, 40), st.sampled_from(SYMBOLS)
    )
    for pause, length, symbol in draw(st.lists(steps, max_size=30)):
        start = cursor + pause
        cursor = start + length
        phones.append(TimedPhone(start / 100, cursor / 100, symbol))
    return phones


def test_phones_move_the_mouth_by_rhubarbs_rules() -> None:
    mouth = TimedMouth()
    cues = mouth.add_phones(HELLO) + mouth.finish(2.0)
    assert shape_at(cues, 0.05) == shape_at(cues, 1.2) == shape_at(cues, 1.95) == "X"
    assert shape_at(cues, 1.55) == "A"
    assert shape_at(cues, 1.75) == "D"
    assert cues[-1].end == 2.0


def test_cues_come_when_a_pause_has_decided_them() -> None:
    mouth = TimedMouth()
    assert mouth.add_phones(HELLO[:4]) == []
    first = mouth.add_phones(HELLO[4:6])
    assert first
    assert first[-1].end <= 0.65
    rest = mouth.add_phones(HELLO[6:]) + mouth.finish()
    whole = TimedMouth()
    assert first + rest == whole.add_phones(HELLO) + whole.finish()


@given(timed_phones(), st.integers(0, 30), st.booleans())
def test_pieces_give_the_cues_of_the_whole(phones: list[TimedPhone], cut: int, basic: bool) -> None:
    options = {"shapes": BASIC_SHAPES} if basic else {}
    whole, pieces = TimedMouth(**options), TimedMouth(**options)
    expected = whole.add_phones(phones) + whole.finish()
    got = pieces.add_phones(phones[:cut])
    got += pieces.add_phones(phones[cut:]) + pieces.finish()
    assert got == expected
    validate_cues(got)
    assert all(one.end == other.start for one, other in pairwise(got))


def test_phones_that_rhubarb_heard_give_rhubarbs_cues(speech_data: Path) -> None:
    same = total = 0
    for run in read_runs(speech_data / "rhubarb_ptm"):
        mouth = TimedMouth()
        phones = [
            TimedPhone(phone.start, phone.end, "AX" if phone.phone is Phone.SCHWA else phone.phone)
            for phone in run.phones
        ]
        cues = mouth.add_phones(phones) + mouth.finish(run.duration_cs / 100)
        ours = "".join(cue.shape * round(cue.end * 100 - cue.start * 100) for cue in cues)
        # A short AH is taken for a schwa, whatever its caller calls it.
        again = animate_phones(run.phones, run.duration_cs)
        assert again
        same += sum(one == other for one, other in zip(ours, run.frames, strict=True))
        total += len(run.frames)
    assert same / total > 0.995


@pytest.mark.parametrize(
    ("viseme_set", "ids", "expected"),
    [
        # sil PP aa, E, ou, FF, sil
        (VisemeSet.OVR_15, [0, 1, 10, 11, 14, 2, 0], "XADCFG"),
        # silence, m b p, "a" of father, "eh", "oo", f v, silence
        (VisemeSet.AZURE_22, [0, 21, 2, 4, 7, 18, 0], "XADCFG"),
    ],
)
def test_visemes_of_other_systems(viseme_set: VisemeSet, ids: list[int], expected: str) -> None:
    visemes = [TimedViseme(0.25 * index, viseme_id) for index, viseme_id in enumerate(ids)]
    mouth = TimedMouth()
    cues = mouth.add_visemes(viseme_set, visemes) + mouth.finish(2.0)
    middles = [0.25 * index + 0.12 for index in range(len(expected))]
    assert "".join(shape_at(cues, time) for time in middles) == expected
    assert cues[-1].shape is MouthShape.X


def test_every_viseme_has_a_mouth() -> None:
    for viseme_set, count in ((VisemeSet.OVR_15, 15), (VisemeSet.AZURE_22, 22)):
        for viseme_id in range(count):
            mouth = TimedMouth()
            cues = mouth.add_visemes(viseme_set, [TimedViseme(0.3, viseme_id), TimedViseme(0.6, 0)])
            cues += mouth.finish(1.0)
            moved = set(shapes_of(cues)) - {"X"}
            assert bool(moved) == (viseme_id != 0 and not _is_breath(viseme_set, viseme_id))


def _is_breath(viseme_set: VisemeSet, viseme_id: int) -> bool:
    # "h" takes any shape, so alone it stays at rest.
    return viseme_set is VisemeSet.AZURE_22 and viseme_id == 12


def test_a_last_viseme_that_sounds_ends() -> None:
    mouth = TimedMouth()
    cues = mouth.add_visemes(VisemeSet.OVR_15, [TimedViseme(0.5, 10)]) + mouth.finish()
    assert cues[-1].end == pytest.approx(0.65)
    assert shape_at(cues, 0.55) == "D"


def test_known_spellings_of_symbols() -> None:
    for symbol in ("aa1", "AX", "axr", "DX", "em", "pau", "h#", "sil", "NOISE", "breath"):
        TimedMouth().add_phones([TimedPhone(0.0, 0.1, symbol)])


@pytest.mark.parametrize(
    ("phones", "reason", "field"),
    [
        ([TimedPhone(0.0, 0.1, "QQ")], "PHONE_UNKNOWN", "phones.phones[0].symbol"),
        ([TimedPhone(0.0, 0.1, "")], "PHONE_UNKNOWN", "phones.phones[0].symbol"),
        ([TimedPhone(math.nan, 0.1, "M")], "TIMING_INVALID", "phones.phones[0].start_offset"),
        ([TimedPhone(-0.1, 0.1, "M")], "TIMING_INVALID", "phones.phones[0].start_offset"),
        ([TimedPhone(0.0, math.inf, "M")], "TIMING_INVALID", "phones.phones[0].end_offset"),
        ([TimedPhone(0.1, 0.1, "M")], "TIMING_INVALID", "phones.phones[0].end_offset"),
        (
            [TimedPhone(0.0, LIMITS.max_audio_duration_s + 1, "M")],
            "TIMING_INVALID",
            "phones.phones[0].end_offset",
        ),
        (
            [TimedPhone(0.0, 0.2, "M"), TimedPhone(0.1, 0.3, "AA")],
            "TIMING_OVERLAP",
            "phones.phones[1].start_offset",
        ),
        (
            [TimedPhone(0.5, 0.6, "M"), TimedPhone(0.1, 0.3, "AA")],
            "TIMING_OVERLAP",
            "phones.phones[1].start_offset",
        ),
    ],
)
def test_bad_phones_are_refused(phones: list[TimedPhone], reason: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        TimedMouth().add_phones(phones)
    assert (caught.value.reason, caught.value.field) == (reason, field)


@pytest.mark.parametrize(
    ("visemes", "reason", "field"),
    [
        ([TimedViseme(0.0, 15)], "VISEME_UNKNOWN", "visemes.visemes[0].viseme_id"),
        ([TimedViseme(0.0, -1)], "VISEME_UNKNOWN", "visemes.visemes[0].viseme_id"),
        ([TimedViseme(math.nan, 1)], "TIMING_INVALID", "visemes.visemes[0].start_offset"),
        (
            [TimedViseme(0.5, 1), TimedViseme(0.1, 2)],
            "TIMING_OVERLAP",
            "visemes.visemes[1].start_offset",
        ),
    ],
)
def test_bad_visemes_are_refused(visemes: list[TimedViseme], reason: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        TimedMouth().add_visemes(VisemeSet.OVR_15, visemes)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_visemes_of_two_sets_do_not_mix() -> None:
    mouth = TimedMouth()
    mouth.add_visemes(VisemeSet.OVR_15, [TimedViseme(0.0, 1)])
    with pytest.raises(FailedPreconditionError) as caught:
        mouth.add_visemes(VisemeSet.AZURE_22, [TimedViseme(0.1, 1)])
    assert caught.value.reason == "VISEME_SET_CHANGED"


def test_too_many_timings_are_refused() -> None:
    visemes = [TimedViseme(0.0, 0)] * (LIMITS.max_cues + 1)
    with pytest.raises(InvalidArgumentError) as caught:
        TimedMouth().add_visemes(VisemeSet.OVR_15, visemes)
    assert caught.value.reason == "TOO_MANY_TIMINGS"
