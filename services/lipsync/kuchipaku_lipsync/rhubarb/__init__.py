"""Rhubarb Lip Sync's animation stage: phones become mouth shapes.

An independent implementation of the published behaviour of Rhubarb 1.14
(github.com/DanielSWolf/rhubarb-lip-sync, MIT licence, by Daniel S. Wolf): fed with the phones
that Rhubarb logs, it answers Rhubarb's cues.
"""

from kuchipaku_lipsync.rhubarb.animate import ALL_SHAPES, BASIC_SHAPES, ShapeCue, animate_phones

__all__ = ["ALL_SHAPES", "BASIC_SHAPES", "ShapeCue", "animate_phones"]
