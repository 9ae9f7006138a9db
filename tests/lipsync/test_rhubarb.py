from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.rhubarb import ALL_SHAPES, BASIC_SHAPES, ShapeCue, animate_phones
from tests.lipsync.rhubarblog import read_runs
from tests.lipsync.strategies import phone_lists, shape_sets


def frames(cues: list[ShapeCue]) -> str:
    return "".join(cue.shape * (cue.end_cs - cue.start_cs) for cue in cues)


def spoken(*phones: tuple[str, int], start: int = 50, end: int = 50) -> list[ShapeCue]:
    """The cues of phones with these lengths between rests."""
    segments = []
    cursor = start
    for name, length in phones:
        segments.append(PhoneSegment(cursor, cursor + length, Phone(name)))
        cursor += length
    return animate_phones(segments, cursor + end)


@pytest.mark.parametrize("model", ["rhubarb", "rhubarb_ptm"])
def test_phones_that_rhubarb_heard_give_its_own_cues(speech_data: Path, model: str) -> None:
    total = wrong = 0
    for run in read_runs(speech_data / model):
        ours = frames(animate_phones(run.phones, run.duration_cs))
        assert len(ours) == len(run.frames), run.name
        total += len(ours)
        wrong += sum(mine != theirs for mine, theirs in zip(ours, run.frames, strict=True))
    assert total > 50_000
    assert wrong == 0


@given(phone_lists(), shape_sets)
def test_cues_cover_the_clip_with_allowed_shapes(
    phones: tuple[list[PhoneSegment], int], shapes: frozenset[MouthShape]
) -> None:
    segments, duration = phones
    cues = animate_phones(segments, duration, shapes)
    if duration == 0:
        assert cues == []
        return
    assert cues[0].start_cs == 0
    assert cues[-1].end_cs == duration
    for first, second in pairwise(cues):
        assert first.end_cs == second.start_cs
        assert first.shape is not second.shape
    assert all(cue.start_cs < cue.end_cs and cue.shape in shapes for cue in cues)


@given(phone_lists())
def test_the_mouth_moves_while_someone_speaks_only(phones: tuple[list[PhoneSegment], int]) -> None:
    segments, duration = phones
    # Shapes reach out to the left of their phones: plosives by 12, short shapes by another 6.
    heard = [(phone.start_cs - 18, phone.end_cs) for phone in segments]
    for cue in animate_phones(segments, duration):
        long_rest = cue.end_cs - cue.start_cs > 35
        if cue.shape is not MouthShape.X and long_rest:
            assert any(start < cue.end_cs and cue.start_cs < end for start, end in heard)


@pytest.mark.parametrize("consonant", ["M", "B", "P"])
def test_lips_close_for_bilabials(consonant: str) -> None:
    cues = spoken(("AA", 15), (consonant, 8), ("IY", 15))
    closed = [cue for cue in cues if cue.shape is MouthShape.A]
    assert len(closed) == 1
    # A plosive closes before its burst, a nasal during its sound.
    assert 55 <= closed[0].start_cs <= 66
    assert closed[0].end_cs - closed[0].start_cs >= 7


def test_plosive_that_opens_speech_closes_the_lips_in_the_pause() -> None:
    assert [cue.shape for cue in spoken(("B", 6), ("AA", 20))][:3] == ["X", "A", "D"]


def test_vowels_have_their_shapes() -> None:
    shapes = {"AA": "D", "AO": "E", "IY": "B", "UW": "F", "EH": "C", "F": "G", "W": "F"}
    for name, shape in shapes.items():
        assert [cue.shape for cue in spoken((name, 30))] == ["X", shape, "X"]


def test_diphthong_moves_from_its_first_shape_to_its_second() -> None:
    assert [cue.shape for cue in spoken(("OW", 30))] == ["X", "E", "F", "X"]


def test_short_pause_holds_a_longer_one_relaxes_and_a_long_one_rests() -> None:
    def pause_shape(length: int) -> str:
        phones = [
            PhoneSegment(50, 70, Phone.AA),
            PhoneSegment(80, 100, Phone.AA),
            PhoneSegment(100 + length, 130 + length, Phone.UW),
            PhoneSegment(230 + length, 240 + length, Phone.UW),
        ]
        return frames(animate_phones(phones, 300 + length))[100 + length // 2]

    assert [pause_shape(length) for length in (8, 30, 60)] == ["D", "C", "X"]


def test_long_stretch_of_one_shape_is_broken_up() -> None:
    cues = spoken(*[("IY", 12), ("S", 8)] * 6)
    assert MouthShape.C in {cue.shape for cue in cues}


def test_hum_of_half_a_minute_is_animated_in_bounded_work() -> None:
    cues = spoken(*[("IY", 5), ("NG", 5)] * 300)
    assert cues[-1].end_cs == 3100


def test_left_out_shapes_are_replaced_by_basic_ones() -> None:
    cues = animate_phones([PhoneSegment(50, 80, Phone.F)], 130, BASIC_SHAPES)
    assert {cue.shape for cue in cues} == {"A"}


def test_basic_shapes_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="A to F"):
        animate_phones([], 100, ALL_SHAPES - {MouthShape.D})


def test_no_phones_are_one_rest() -> None:
    assert animate_phones([], 100) == [ShapeCue(0, 100, MouthShape.X)]
    assert animate_phones([], 0) == []
