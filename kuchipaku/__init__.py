"""Kuchipaku: one picture of an anime character and speech in, a talking avatar out.

The public package: protocol stubs (``kuchipaku.gateway.v1`` and its siblings),
`kuchipaku.client.Client`, the frame codec (``kuchipaku.frames``) and the command line.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("kuchipaku")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
