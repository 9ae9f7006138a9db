"""Run the pose service: ``python -m kuchipaku_pose``."""

from __future__ import annotations

import sys

from kuchipaku_pose.service import build
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_runtime import main

if __name__ == "__main__":
    sys.exit(main(PoseSettings, build))
