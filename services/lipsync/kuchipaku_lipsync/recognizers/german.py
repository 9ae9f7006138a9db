"""German spelling as phones of the English acoustic model.

German is spelt nearly as it is spoken, so rules do. Sounds that English lacks are given by those
with the same mouth: "ö" by ER (rounded), "ü" by UW (pursed), "ch" by HH or SH.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from kuchipaku_lipsync.recognizers.letters import LetterRules

_RULES_TEXT: Final = r"""
aa AA
ah AA > C|$
ai AY
ay AY
au AW
a AA
äu OY
äh EH > C|$
ä EH
bb B
b P > $|[st]
b B
chs K S
ch K > r|l|or
ch HH < [aou]
ch SH
ck K
c T S > [eiäy]
c K
dd D
dt T
d T > $
d D
eau OW
ee EY
eh EY > C|$
ei AY
eu OY
ey AY
el AH L < C > $
em AH M < C > $
en AH N < C > $
er EH R < ^ > $
er AH < C > C|$
es AH S < C > $
et AH T < C > $
e AH < ^[gb] > $
e EY < ^C > $
e AH < C > $
e EH
ff F
f F
gg G
g SH < i > $
g K > $|[st]
g G
h HH < ^
h HH > [aouäöü]
h - < V
h HH
ieh IY > C|$
ie IY
ih IY > C|$
i IH
j Y
kk K
kn K N < ^
k K
ll L
l L
mm M
m M
ng NG
nk NG K
nn N
n N
oh OW > C|$
oo OW
o OW > CV|$
o AO
öh ER > C|$
ö ER
pf P F
ph F
pp P
p P
qu K V
q K
rr R
rh R
r - < V > C|$
r R
schst SH T
sch SH
sp SH P < ^
st SH T < ^
ss S
s Z > V
s S
ß S
tsch CH
tion T S Y OW N > e?n?$
th T
tt T
tz T S
t T
uh UW > C|$
u UW > CV|$
u UH
üh UW > C|$
ü UW
v F
w V
x K S
y UW
zz T S
z T S
"""
# Beginnings behind which a new word seems to start: "s" and "st" are read as there.
_PREFIX: Final = re.compile(
    r"(?:ge|be|ver|er|ent|zer|auf|aus|an|ab|ein|mit|vor|über|unter)(?=s[pt])"
)
_ONES_TEXT: Final = """
null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn
sechzehn siebzehn achtzehn neunzehn
"""
_TENS_TEXT: Final = "- - zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
_ONES: Final = _ONES_TEXT.split()
_TENS: Final = _TENS_TEXT.split()
# Frequent words that are not English as well.
_FREQUENT_TEXT: Final = """
aber als auch auf aus bei bin bist bitte da danke das dass dein dem den der dich dir doch durch ein
eine einen einer es etwas für ganz gibt gut habe haben hast heute hier ich ihn ihnen ihr im ist ja
jetzt kann kein keine komm kommt mein meine mich mir mit nach nicht noch nur oder schon sehr sein
sich sie sind und uns von warum weiß wenn wer wie wir wird wo zu zum zur über
"""
_FREQUENT: Final = frozenset(_FREQUENT_TEXT.split())


@lru_cache(maxsize=1)
def _rules() -> LetterRules:
    return LetterRules(_RULES_TEXT, vowels="aeiouyäöü", consonants="bcdfghjklmnpqrstvwxzß")


def german_phones(word: str) -> tuple[str, ...]:
    """ARPAbet phones of a lower-case German word; none without any German letter."""
    letters = re.sub(r"[^a-zäöüß]", "", _plain(word))
    found = _PREFIX.match(letters)
    if found is None:
        return _rules().phones(letters)
    return _rules().phones(found[0]) + _rules().phones(letters[found.end() :])


def german_number(value: int) -> str:
    """A number from 0 to 999 999 999 999 as it is spoken, its words apart by spaces."""
    for scale, one, many in (
        (10**9, "eine Milliarde", "Milliarden"),
        (10**6, "eine Million", "Millionen"),
    ):
        if value >= scale:
            count, rest = divmod(value, scale)
            head = one if count == 1 else f"{german_number(count)} {many}"
            return f"{head} {german_number(rest)}".lower() if rest else head.lower()
    if value >= 1000:
        count, rest = divmod(value, 1000)
        head = "ein" if count == 1 else german_number(count)
        return f"{head} tausend {german_number(rest)}" if rest else f"{head} tausend"
    if value >= 100:
        count, rest = divmod(value, 100)
        head = "ein" if count == 1 else _ONES[count]
        return f"{head} hundert {german_number(rest)}" if rest else f"{head} hundert"
    if value < len(_ONES):
        return _ONES[value]
    tens, ones = divmod(value, 10)
    if ones == 0:
        return _TENS[tens]
    return f"{'ein' if ones == 1 else _ONES[ones]} und {_TENS[tens]}"


def looks_german(text: str) -> bool:
    """Whether a text in Latin letters is rather German than English."""
    words = re.findall(r"[a-zäöüß]+", _plain(text.lower()))
    if not words:
        return False
    telling = sum(word in _FREQUENT for word in words)
    marked = sum(bool(set(word) & set("äöüß")) for word in words)
    return telling + marked >= max(1.0, 0.2 * len(words))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text)
