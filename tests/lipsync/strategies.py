"""Random phones and utterances."""

from __future__ import annotations

from hypothesis import strategies as st

from kuchipaku_animation.cues import MouthShape
from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.recognizers.base import Utterance, with_noise
from kuchipaku_lipsync.rhubarb import BASIC_SHAPES
from kuchipaku_lipsync.vad import Segment

shape_sets = st.frozensets(st.sampled_from([MouthShape.G, MouthShape.H, MouthShape.X])).map(
    lambda extended: BASIC_SHAPES | extended
)

# Gap before the phone, its length and which one it is.
_steps = st.tuples(
    st.one_of(st.just(0), st.integers(1, 60)), st.integers(1, 40), st.sampled_from(Phone)
)


@st.composite
def phone_lists(draw: st.DrawFn) -> tuple[list[PhoneSegment], int]:
    """Phones without overlaps, and the length of the clip around them."""
    phones = []
    cursor = 0
    for gap, length, phone in draw(st.lists(_steps, max_size=40)):
        cursor += gap
        phones.append(PhoneSegment(cursor, cursor + length, phone))
        cursor += length
    return phones, cursor + draw(st.integers(0, 80))


@st.composite
def utterance_lists(draw: st.DrawFn) -> tuple[list[Utterance], int]:
    """Utterances with pauses between them, and the length of the clip around them."""
    utterances = []
    cursor = 0
    for pause, length, seed in draw(
        st.lists(st.tuples(st.integers(11, 150), st.integers(12, 120), st.integers(0)), max_size=6)
    ):
        segment = Segment(cursor + pause, cursor + pause + length)
        cursor = segment.end_cs
        phones = []
        position, rest = segment.start_cs, seed
        while position < segment.end_cs:
            rest, pick = divmod(rest, 977)
            end = min(position + 3 + pick % 20, segment.end_cs)
            if pick % 7:
                phones.append(PhoneSegment(position, end, list(Phone)[pick % len(Phone)]))
            position = end
        utterances.append(Utterance(segment, with_noise(phones, segment)))
    return utterances, cursor + draw(st.integers(0, 80))
