"""Singing: which vowel is sung, from its formants, and how loud."""

from kuchipaku_lipsync.song.detection import is_singing
from kuchipaku_lipsync.song.recognizer import SongRecognizer

__all__ = ["SongRecognizer", "is_singing"]
