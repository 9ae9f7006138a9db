"""Bounded decoding of outside bytes: audio to mono samples, pictures to RGBA pixels.

Everything that callers send is checked for size before it is decoded, and refused with a typed
error of `kuchipaku_contract` when it is not what it claims to be. No gRPC, no network: the
demuxer is chosen by the file's own signature, so that a playlist cannot make the decoder open
other files.
"""

from __future__ import annotations
