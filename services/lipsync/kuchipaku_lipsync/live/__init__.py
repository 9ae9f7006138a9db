"""Lip sync while the audio still comes."""

from kuchipaku_lipsync.live.listener import LiveListener, LiveOptions, LiveStep

__all__ = ["LiveListener", "LiveOptions", "LiveStep"]
