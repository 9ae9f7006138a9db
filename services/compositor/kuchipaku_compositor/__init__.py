"""The compositor: frames and speech become video files and sprite sheets.

Domain modules know nothing of gRPC; `kuchipaku_compositor.servicer` is the thin layer on top.
"""

from __future__ import annotations
