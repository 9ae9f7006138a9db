"""The mean cepstrum of a speaker, learnt while the speaker speaks.

The acoustic model wants cepstra without their mean over the utterance, which is not known before
the utterance has ended. pocketsphinx's own estimate for live audio begins far from any voice
and takes many seconds to get there, so here it is told a better one again and again.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# What the decoder counts its own estimate as, in frames (CMN_WIN of pocketsphinx's cmn.h).
_OWN_WEIGHT: Final = 500
# The mean over speakers and recordings of several kinds, and its weight in frames.
_PRIOR: Final = np.array([52.0, 4, 2, 15, -6, 1, -3, -3, 1, 0, 2, 0, 1])
_PRIOR_WEIGHT: Final = 30
# Frames beyond these are forgotten: voices and rooms change.
_MEMORY: Final = 600


class CepstralMean:
    """Keeps one decoder's estimate fresh. Call `tell` before its first audio."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._sum = np.zeros(len(_PRIOR))
        self._told = _PRIOR
        self._seen = 0
        self._frames = 0

    def tell(self) -> None:
        """Give the decoder the present estimate."""
        weight = _PRIOR_WEIGHT + self._frames
        self._told = (_PRIOR * _PRIOR_WEIGHT + self._sum) / weight
        self._decoder.set_cmn(",".join(f"{value:.4f}" for value in self._told))
        self._told = self._own(update=False)

    def begin(self) -> None:
        """An utterance of the decoder begins: it counts its frames anew."""
        self._seen = 0

    def learn(self) -> None:
        """Take in the frames that the decoder has heard since."""
        heard = int(self._decoder.n_frames())
        fresh = heard - self._seen
        if fresh <= 0:
            return
        own = self._own(update=True)
        self._sum += own * (_OWN_WEIGHT + fresh) - self._told * _OWN_WEIGHT
        self._seen = heard
        self._frames += fresh
        if self._frames > _MEMORY:
            self._sum *= _MEMORY / self._frames
            self._frames = _MEMORY
        self.tell()

    def _own(self, *, update: bool) -> NDArray[np.float64]:
        return np.array([float(value) for value in self._decoder.get_cmn(update).split(",")])
