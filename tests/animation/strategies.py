"""Random timelines for the animation's tests."""

from __future__ import annotations

from hypothesis import strategies as st

from kuchipaku_animation import EXPRESSIONS, AnimationOptions, ExpressionKey, MouthCue, MouthShape

FRAME_RATES = st.sampled_from([12.0, 12.5, 15.0, 16.6, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0])


@st.composite
def timelines(draw: st.DrawFn, shapes: str = "ABCDEFGHX", max_size: int = 25) -> list[MouthCue]:
    """Sorted cues in whole milliseconds, with gaps now and then."""
    cues, clock = [], 0
    pieces = st.tuples(
        st.sampled_from([0, 0, 0, 0, 1, 30, 250]),
        st.integers(10, 400),
        st.sampled_from(shapes),
        st.floats(0.0, 1.0),
    )
    for gap, length, shape, loudness in draw(st.lists(pieces, min_size=1, max_size=max_size)):
        start, clock = clock + gap, clock + gap + length
        cues.append(MouthCue(start / 1000, clock / 1000, MouthShape(shape), loudness))
    return cues


@st.composite
def expression_keys(draw: st.DrawFn, max_size: int = 6) -> list[ExpressionKey]:
    """Sorted expression keys whose fades may overlap."""
    times = sorted(draw(st.lists(st.floats(0.0, 6.0), max_size=max_size)))
    return [
        ExpressionKey(
            time,
            draw(st.sampled_from(sorted(EXPRESSIONS))),
            draw(st.floats(0.0, 1.0)),
            draw(st.sampled_from([0.0, 0.1, 0.3, 2.0])),
        )
        for time in times
    ]


@st.composite
def animation_options(draw: st.DrawFn) -> AnimationOptions:
    """Any mixture of options."""
    return AnimationOptions(
        fps=draw(FRAME_RATES),
        mouth=draw(st.sampled_from(["coarticulated", "classic"])),
        motion=draw(st.sampled_from(["full", "head", "none"])),
        seed=draw(st.integers(0, 3)),
        utterance_seed=draw(st.integers(0, 3)),
        quantum=draw(st.sampled_from([0.0, 1 / 32, 0.05])),
        mouth_lead_s=draw(st.sampled_from([0.0, 0.025, 0.03])),
    )
