"""What the starter networks are measured on does not change unnoticed."""

from __future__ import annotations

from kuchipaku_training.pose.held_out import DRAWINGS_SHA256, drawings_sha256


def test_the_held_out_drawings_are_those_of_the_model_card() -> None:
    assert drawings_sha256() == DRAWINGS_SHA256
