"""``python -m kuchipaku_lipsync``."""

from __future__ import annotations

import sys

from kuchipaku_lipsync.service import build
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_runtime import main

if __name__ == "__main__":
    sys.exit(main(LipsyncSettings, build))
