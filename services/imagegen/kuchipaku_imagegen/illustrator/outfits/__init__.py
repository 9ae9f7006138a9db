"""What the characters wear."""

from __future__ import annotations

from collections.abc import Callable

from kuchipaku_imagegen.illustrator.attributes import Outfit
from kuchipaku_imagegen.illustrator.ink import Ink
from kuchipaku_imagegen.illustrator.look import Look

from .casual import draw_cardigan, draw_hoodie, draw_sweater
from .fantasy import draw_armour
from .festive import draw_dress, draw_kimono, draw_maid
from .modern import draw_jacket, draw_lab_coat, draw_sundress, draw_tracksuit, draw_vest
from .school import draw_blazer, draw_gakuran, draw_sailor, draw_suit

_OUTFITS: dict[Outfit, Callable[[Ink, Look], None]] = {
    Outfit.SAILOR: draw_sailor,
    Outfit.BLAZER: draw_blazer,
    Outfit.HOODIE: draw_hoodie,
    Outfit.DRESS: draw_dress,
    Outfit.MAID: draw_maid,
    Outfit.KIMONO: draw_kimono,
    Outfit.SWEATER: draw_sweater,
    Outfit.CARDIGAN: draw_cardigan,
    Outfit.GAKURAN: draw_gakuran,
    Outfit.SUIT: draw_suit,
    Outfit.VEST: draw_vest,
    Outfit.LAB_COAT: draw_lab_coat,
    Outfit.JACKET: draw_jacket,
    Outfit.SUNDRESS: draw_sundress,
    Outfit.TRACKSUIT: draw_tracksuit,
    Outfit.ARMOUR: draw_armour,
}


def draw_outfit(ink: Ink, look: Look) -> None:
    _OUTFITS[look.attributes.outfit](ink, look)
