"""Pronunciations for words that no dictionary has: names, inventions, Japanese in Latin letters.

English spelling is read by ordered rules: at each position the first rule whose letters and
contexts match says the phones. Words made of Japanese syllables alone are read as such.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple


class _Rule(NamedTuple):
    letters: str
    before: re.Pattern[str]
    after: re.Pattern[str]
    phones: tuple[str, ...]


# One rule a line: letters, phones ("-" for silent), then contexts: `<` what comes before (a
# regular expression that must end there), `>` what follows (one that must start there).
# V is a vowel letter, C a consonant letter, ^ and $ the ends of the word.
_RULES_TEXT: Final = r"""
a EY > $ <^
aigh EY
air EH R
ai EY
aw AO
augh AO
au AO
ay EY
a AA > r(?!V)
a EH > r[ei]
a AO > l[kl]
a AA > $
a EY > Ce$
a EY > (?:bl|st|ng)e$
a EY > C[iy](?:ng|$|e)
a AH > [lnm]$ <VC+
a AA < w > [nst]
a AE
bb B
b - < m > $
b B
cch CH
cc K S > [eiy]
cc K
ch K > [rl]
ch CH
ck K
c SH > i[aoe]
c S > [eiy]
c K
dge JH
dd D
dg JH > [eiy]
ed T < [pkfsx] > $
ed AH D < [td] > $
ed D < [^aeiou] > $
d D
eau OW
eigh EY
ear IY R
ea IY
eer IH R
ee IY
ei EY
eu Y UW
ew UW < [rlcj]
ew Y UW
ey IY > $
er ER > C|$
e IY > $ <^C+
e - > $
e - < [^s] > s$
e IY > Ce$
e IY > C[aiou]
e EH
ff F
f F
gh - > t|$
gh G
gg G
ge JH > $
g N < ^ > n
g JH > [ei](?!t)
g JH > y
g G
h - < V > C|$
h HH
ier IY R > $
ie IY
igh AY
ign AY N > $
ing IH NG > $
ir ER > C|$
ire AY ER > $
i AY > Ce$
i AY > nd$
i AY > ld$
i IY > V
i IY > $
i IH
jj JH
j JH
kk K
k - < ^ > n
k K
ll L
l - < [ao] > [km]
l L
mm M
m M
ng NG G > [aeiouylr]
ng NG
nn N
nk NG K
n NG > [kx]
n N
oar AO R
oa OW
oor AO R
oo UW
ough AO > t
ough OW
ou AW
our AO R > C|$
ow OW > $
ow AW
oy OY
oi OY
or AO R
o OW > $
o OW > Ce$
o OW > l[dtk]
o OW > C[aiou]
o AH < [lmns] > [nv]e?$
o AA
ph F
pp P
p - < ^ > [sn]
p P
qu K W
q K
rrh R
rr R
rh R
r R
sch S K
sh SH
sion ZH AH N < V > $
sion SH AH N > $
ss S
s ZH < V > u
s Z < [bdgvmnlraeiouy] > $
s Z < V > e$
s S
tch CH
th TH
tion SH AH N > s?$
tious SH AH S > $
tt T
ture CH ER > $
t SH > i[ao]
t T
ur ER > C|$
ure Y UH R > $
uy AY
ue UW
ui UW
u W < [gq] > V
u UW < [rlj] > Ce
u Y UW > Ce
u Y UW > C[aiou]
u UW > $
u AH
vv V
v V
wh W
wr R
w - > $
w W
x Z < ^
x K S
y Y > V
y AY < ^C+ > $
y AY > Ce
y IY > $
y IH
zz Z
z Z
"""

_VOWEL = "[aeiouy]"
_CONSONANT = "[bcdfghjklmnpqrstvwxz]"

_KANA_CONSONANTS: Final = {
    "": (),
    "k": ("K",),
    "g": ("G",),
    "s": ("S",),
    "z": ("Z",),
    "t": ("T",),
    "d": ("D",),
    "n": ("N",),
    "h": ("HH",),
    "b": ("B",),
    "p": ("P",),
    "m": ("M",),
    "y": ("Y",),
    "r": ("R",),
    "w": ("W",),
    "f": ("F",),
    "j": ("JH",),
    "sh": ("SH",),
    "ch": ("CH",),
    "ts": ("T", "S"),
    "ky": ("K", "Y"),
    "gy": ("G", "Y"),
    "ny": ("N", "Y"),
    "hy": ("HH", "Y"),
    "by": ("B", "Y"),
    "py": ("P", "Y"),
    "my": ("M", "Y"),
    "ry": ("R", "Y"),
}
_KANA_VOWELS: Final = {"a": "AA", "i": "IY", "u": "UW", "e": "EH", "o": "OW"}
_SYLLABLE = re.compile(
    r"(?P<double>([kstp])(?=\2)|t(?=ch))?"
    r"(?:(?P<onset>[knhbpmrg]y|sh|ch|ts|[kgsztdnhbpmyrwfj]|)(?P<vowel>[aiueo])|(?P<nasal>n))"
)
_MIN_JAPANESE_SYLLABLES: Final = 2


def _compile(line: str) -> _Rule:
    head, _, tail = line.partition(" ")
    contexts = re.split(r"\s*([<>])\s*", tail)
    before = after = ""
    for mark, pattern in zip(contexts[1::2], contexts[2::2], strict=True):
        expanded = pattern.strip().replace("V", _VOWEL).replace("C", _CONSONANT)
        if mark == "<":
            before = expanded
        else:
            after = expanded
    phones = tuple(name for name in contexts[0].split() if name != "-")
    return _Rule(head, re.compile(f"(?:{before})$"), re.compile(f"(?:{after})"), phones)


@lru_cache(maxsize=1)
def _rules() -> dict[str, list[_Rule]]:
    table: dict[str, list[_Rule]] = {}
    for line in _RULES_TEXT.strip().splitlines():
        rule = _compile(line)
        table.setdefault(rule.letters[0], []).append(rule)
    return table


def pronunciation(word: str) -> tuple[str, ...]:
    """ARPAbet phones of a word in lower-case a to z; other characters are passed over.

    A word without any letter gives no phones.
    """
    letters = re.sub(r"[^a-z]", "", word)
    return _japanese(letters) or _english(letters)


def _japanese(word: str) -> tuple[str, ...]:
    """Phones of a word written in Hepburn's romanisation; none when it is not one."""
    phones: list[str] = []
    position = syllables = 0
    while position < len(word):
        match = _SYLLABLE.match(word, position)
        if match is None:
            return ()
        if match["nasal"]:
            phones.append("N")
        else:
            phones.extend(_KANA_CONSONANTS[match["onset"]])
            phones.append(_KANA_VOWELS[match["vowel"]])
            syllables += 1
        position = match.end()
    return tuple(phones) if syllables >= _MIN_JAPANESE_SYLLABLES else ()


def _english(word: str) -> tuple[str, ...]:
    phones: list[str] = []
    position = 0
    while position < len(word):
        rule = next(rule for rule in _rules()[word[position]] if _applies(rule, word, position))
        phones.extend(rule.phones)
        position += len(rule.letters)
    return tuple(phones)


def _applies(rule: _Rule, word: str, position: int) -> bool:
    end = position + len(rule.letters)
    return (
        word.startswith(rule.letters, position)
        and rule.before.search(word[:position]) is not None
        and rule.after.match(word[end:]) is not None
    )
