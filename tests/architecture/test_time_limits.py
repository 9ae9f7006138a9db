"""Time limits of services that wait for each other."""

from __future__ import annotations

from kuchipaku_compositor.settings import CompositorSettings
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_pose.settings import PoseSettings


def test_who_waits_for_recognition_waits_longer_than_it_may_take() -> None:
    longest_s = LipsyncSettings().time_limit_s
    assert CompositorSettings().input_timeout_s > longest_s
    assert PoseSettings().input_timeout_s > longest_s
