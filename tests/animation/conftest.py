from __future__ import annotations

from hypothesis import settings

# A machine that is busy is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
