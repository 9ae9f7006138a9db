from __future__ import annotations

from hypothesis import example, given

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.incremental import CueBuilder
from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.recognizers.base import Utterance
from kuchipaku_lipsync.rhubarb import animate_phones
from kuchipaku_lipsync.vad import Segment
from tests.lipsync.strategies import shape_sets, utterance_lists


def _utterance(start: int, *phones: tuple[str, int]) -> Utterance:
    segments = []
    cursor = start
    for name, length in phones:
        segments.append(PhoneSegment(cursor, cursor + length, Phone(name)))
        cursor += length
    return Utterance(Segment(start, cursor), tuple(segments))


_QUIET_BREATHS = (
    [_utterance(80, ("HH", 20)), _utterance(200, ("AA", 30)), _utterance(300, ("HH", 15))],
    400,
)


@given(utterance_lists(), shape_sets)
@example(_QUIET_BREATHS, frozenset(MouthShape))
def test_cues_in_pieces_are_those_of_the_whole(
    speech: tuple[list[Utterance], int], shapes: frozenset[MouthShape]
) -> None:
    utterances, duration = speech
    builder = CueBuilder(duration, [utterance.segment for utterance in utterances], shapes)
    pieces = [cue for utterance in utterances for cue in builder.add(utterance)]
    pieces += builder.finish()
    phones = [phone for utterance in utterances for phone in utterance.phones]
    assert pieces == animate_phones(phones, duration, shapes)


def test_cues_before_a_long_pause_come_before_the_rest_is_heard() -> None:
    utterances = [_utterance(20, ("AA", 30)), _utterance(150, ("UW", 30))]
    builder = CueBuilder(250, [utterance.segment for utterance in utterances])
    assert [cue.shape for cue in builder.add(utterances[0])] == ["X", "D"]
    assert builder.add(utterances[1]) == []
    assert [cue.shape for cue in builder.finish()] == ["C", "X", "F", "X"]
