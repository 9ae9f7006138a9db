"""Pronunciations for words that no dictionary has: names, inventions, Japanese in Latin letters.

English spelling is read by rules, see `LetterRules`; words made of Japanese syllables alone are
read as such.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from kuchipaku_lipsync.recognizers.japanese import hepburn_morae, mora_pronunciations
from kuchipaku_lipsync.recognizers.letters import LetterRules

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

_MIN_JAPANESE_SYLLABLES: Final = 2


@lru_cache(maxsize=1)
def _rules() -> LetterRules:
    return LetterRules(_RULES_TEXT, vowels="aeiouy", consonants="bcdfghjklmnpqrstvwxz")


def pronunciation(word: str) -> tuple[str, ...]:
    """ARPAbet phones of a word in lower-case a to z; other characters are passed over.

    A word without any letter gives no phones.
    """
    letters = re.sub(r"[^a-z]", "", word)
    return _japanese(letters) or _rules().phones(letters)


def _japanese(word: str) -> tuple[str, ...]:
    """Phones of a word written in Hepburn's romanisation; none when it is not one."""
    morae = hepburn_morae(word)
    if sum(bool(vowel) for _, vowel in morae) < _MIN_JAPANESE_SYLLABLES:
        return ()
    return tuple(phone for ways in mora_pronunciations(morae) for phone in ways[0])
