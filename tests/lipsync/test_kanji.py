"""Japanese texts with kanji, and servers that have no dictionary for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kuchipaku_lipsync.recognizers.kanji import kanji_read
from kuchipaku_lipsync.recognizers.reading import read_text

HELLO = Path(__file__).parents[2] / "examples" / "hello.wav"

_WITHOUT_DICTIONARY = """
import sys
from pathlib import Path

sys.modules[{missing!r}] = None
from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_lipsync.recognise import RecognitionOptions, Recognizers, align_text, recognise
from kuchipaku_media.audio import decode_audio

clip = decode_audio(Path({hello!r}).read_bytes())
recognizers = Recognizers()
try:
    align_text(clip, "東京タワー", recognizers)
except FailedPreconditionError as error:
    print(error.reason, error.field, "kuchipaku-lipsync[japanese]" in error.message)
result = recognise(clip, RecognitionOptions(text="東京タワー"), recognizers)
print(result.recognizer, [note.reason for note in result.warnings])
text = Path({hello!r}).with_suffix(".txt").read_text()
print(align_text(clip, text, recognizers).recognizer)
"""


def _sounds(text: str) -> list[str]:
    reading = read_text(text, "", lambda word: False)
    return [word.removeprefix("ja_") for token in reading.tokens for word in token.words]


@pytest.mark.parametrize(
    ("written", "kana"),
    [
        ("一人で橋の下へ行った。", "ひとりではしのしたへいった。"),
        ("今日は三月三日、日曜日です。", "きょうはさんがつみっか、にちようびです。"),
        ("私は勇者だ。明日も来て下さい。", "わたしはゆうしゃだ。あしたもきてください。"),
        ("何を見た？何だと？", "なにをみた？なんだと？"),
        ("三匹の犬とボス", "さんひきのいぬとぼす"),
        ("12人の村人達", "12にんのむらびとたち"),
        ("回復薬（ポーション）を飲む", "ぽーしょんをのむ"),
        ("人々は時々泣く", "ひとびとはときどきなく"),
    ],
)
def test_kanji_sound_as_their_kana(written: str, kana: str) -> None:
    assert _sounds(written) == _sounds(kana)


def test_texts_of_any_length_are_read() -> None:
    text = "東京へ行く。" * 3_300
    assert kanji_read(text) == "トウキョウへイク。" * 3_300
    unbroken = "東" * 19_000
    assert "東" not in kanji_read(unbroken)


def test_kanji_nobody_knows_stay() -> None:
    assert "𠮷" in kanji_read("𠮷へようこそ")


@pytest.mark.parametrize("missing", ["sudachipy", "sudachidict_core"])
def test_without_a_dictionary_kanji_are_refused_and_the_rest_works(missing: str) -> None:
    code = _WITHOUT_DICTIONARY.format(missing=missing, hello=str(HELLO))
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        "JAPANESE_NOT_INSTALLED text True",
        "phonetic ['JAPANESE_NOT_INSTALLED']",
        "aligned",
    ]


def test_the_dictionary_is_not_loaded_for_other_texts() -> None:
    code = (
        "import sys\n"
        "from kuchipaku_lipsync.recognizers.reading import read_text\n"
        "read_text('さくら', '', bool), read_text('Hallo', 'de', bool)\n"
        "print('sudachipy' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
