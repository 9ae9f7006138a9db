"""What a character looks like: every trait the illustrator can draw, and a draw from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields
from enum import StrEnum

from .palette import CLOTH_COLOURS, EYE_COLOURS, HAIR_COLOURS, SKIN_COLOURS


class Figure(StrEnum):
    GIRL = "girl"
    BOY = "boy"
    WOMAN = "woman"
    MAN = "man"

    @property
    def feminine(self) -> bool:
        return self in (Figure.GIRL, Figure.WOMAN)

    @property
    def adult(self) -> bool:
        return self in (Figure.WOMAN, Figure.MAN)


class Age(StrEnum):
    """Age within what the figure says: a child among girls and boys, elderly women and men."""

    CHILD = "child"
    YOUNG = "young"
    ELDERLY = "elderly"


class FaceShape(StrEnum):
    OVAL = "oval"
    ROUND = "round"
    POINTED = "pointed"
    SQUARE = "square"


class ArmPose(StrEnum):
    RELAXED = "arms at sides"
    HIP = "hand on hip"
    CLASPED = "hands clasped"
    BEHIND = "arms behind back"
    CHEST = "hand on chest"
    BOOK = "holding a book"
    CROSSED = "crossed arms"
    POCKETS = "hands in pockets"


class HairStyle(StrEnum):
    LONG_STRAIGHT = "long straight hair"
    LONG_WAVY = "long wavy hair"
    TWIN_TAILS = "twin tails"
    LOW_TWIN_TAILS = "low twin tails"
    PONYTAIL = "ponytail"
    LOW_PONYTAIL = "low ponytail"
    BOB = "bob cut"
    HIME = "hime cut"
    SIDE_BRAID = "side braid"
    BUNS = "hair buns"
    SHORT = "short hair"
    MESSY = "messy short hair"
    SPIKY = "spiky hair"
    WOLF = "wolf cut"
    DRILLS = "drill curls"
    TWIN_BRAIDS = "twin braids"
    SIDE_TAIL = "side ponytail"
    TOP_BUN = "top bun"
    CURLY = "curly hair"
    SLICKED = "slicked back hair"
    UNDERCUT = "undercut"


class Bangs(StrEnum):
    BLUNT = "blunt bangs"
    SWEPT = "side swept bangs"
    PARTED = "parted bangs"
    POINTED = "pointed bangs"
    BETWEEN_EYES = "hair between eyes"


class EyeShape(StrEnum):
    ROUND = "round"
    SHARP = "sharp"
    GENTLE = "gentle"
    ALMOND = "almond"
    SLEEPY = "sleepy"


class Outfit(StrEnum):
    SAILOR = "sailor uniform"
    BLAZER = "blazer uniform"
    HOODIE = "hoodie"
    DRESS = "frilled dress"
    MAID = "maid outfit"
    KIMONO = "kimono"
    SWEATER = "sweater"
    CARDIGAN = "t-shirt and cardigan"
    GAKURAN = "gakuran"
    SUIT = "suit"
    VEST = "school vest"
    LAB_COAT = "lab coat"
    JACKET = "casual jacket"
    SUNDRESS = "summer dress"
    TRACKSUIT = "tracksuit"
    ARMOUR = "armour"


class Accessory(StrEnum):
    RIBBON = "hair ribbon"
    CAT_EARS = "cat ears"
    GLASSES = "glasses"
    HEADBAND = "headband"
    FLOWER = "hair flower"
    HEADPHONES = "headphones"
    CLIPS = "hair clips"
    WITCH_HAT = "witch hat"
    BERET = "beret"
    HORNS = "horns"
    EARRINGS = "earrings"
    CHOKER = "choker"
    SCARF = "scarf"


FEMININE_HAIR = (
    HairStyle.LONG_STRAIGHT,
    HairStyle.LONG_WAVY,
    HairStyle.TWIN_TAILS,
    HairStyle.LOW_TWIN_TAILS,
    HairStyle.PONYTAIL,
    HairStyle.BOB,
    HairStyle.HIME,
    HairStyle.SIDE_BRAID,
    HairStyle.BUNS,
    HairStyle.SHORT,
    HairStyle.WOLF,
    HairStyle.DRILLS,
    HairStyle.TWIN_BRAIDS,
    HairStyle.SIDE_TAIL,
    HairStyle.TOP_BUN,
    HairStyle.CURLY,
)
MASCULINE_HAIR = (
    HairStyle.MESSY,
    HairStyle.SHORT,
    HairStyle.SPIKY,
    HairStyle.WOLF,
    HairStyle.CURLY,
    HairStyle.SLICKED,
    HairStyle.UNDERCUT,
    HairStyle.LOW_PONYTAIL,
)
FEMININE_OUTFITS = (
    Outfit.SAILOR,
    Outfit.BLAZER,
    Outfit.HOODIE,
    Outfit.DRESS,
    Outfit.SWEATER,
    Outfit.KIMONO,
    Outfit.MAID,
    Outfit.CARDIGAN,
    Outfit.VEST,
    Outfit.SUNDRESS,
    Outfit.JACKET,
    Outfit.LAB_COAT,
    Outfit.TRACKSUIT,
    Outfit.ARMOUR,
)
MASCULINE_OUTFITS = (
    Outfit.BLAZER,
    Outfit.HOODIE,
    Outfit.SWEATER,
    Outfit.GAKURAN,
    Outfit.CARDIGAN,
    Outfit.KIMONO,
    Outfit.SUIT,
    Outfit.VEST,
    Outfit.JACKET,
    Outfit.LAB_COAT,
    Outfit.TRACKSUIT,
    Outfit.ARMOUR,
)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Individual deviations from the standard drawing; zero everywhere is the standard.

    Every value is a fraction in -1..1 of the largest deviation that still looks right.
    """

    head_size: float = 0.0
    jaw_width: float = 0.0
    chin_length: float = 0.0
    eye_size: float = 0.0
    eye_width: float = 0.0
    eye_spacing: float = 0.0
    eye_level: float = 0.0
    eye_tilt: float = 0.0
    brow_level: float = 0.0
    brow_weight: float = 0.0
    mouth_level: float = 0.0
    mouth_width: float = 0.0
    hair_length: float = 0.0
    hair_volume: float = 0.0
    bangs_length: float = 0.0
    body_height: float = 0.0
    shoulder_width: float = 0.0
    waist_width: float = 0.0
    hip_width: float = 0.0
    iris_size: float = 0.0
    lash_weight: float = 0.0
    nose_length: float = 0.0
    smile: float = 0.0
    hip_sway: float = 0.0
    shoulder_tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Attributes:
    """All traits of a character; equal attributes draw equal pictures.

    Colour names are keys of the tables in `palette`. `side` (-1 or 1) is the side of the picture
    that asymmetric traits lie on; `detail_seed` places small decorations.
    """

    figure: Figure = Figure.GIRL
    age: Age = Age.YOUNG
    face_shape: FaceShape = FaceShape.OVAL
    arms: ArmPose = ArmPose.RELAXED
    hair_style: HairStyle = HairStyle.LONG_STRAIGHT
    hair_colour: str = "brown"
    tip_colour: str | None = None
    bangs: Bangs = Bangs.POINTED
    ahoge: bool = False
    eye_colour: str = "blue"
    eye_shape: EyeShape = EyeShape.ROUND
    skin: str = "fair"
    blush: float = 0.4
    freckles: bool = False
    beauty_mark: bool = False
    outfit: Outfit = Outfit.SAILOR
    outfit_colour: str = "navy"
    second_colour: str = "white"
    accent_colour: str = "red"
    accessories: tuple[Accessory, ...] = ()
    side: int = 1
    detail_seed: int = 0
    geometry: Geometry = field(default_factory=Geometry)


_ACCENTS = ("red", "pink", "sky blue", "yellow", "lavender", "white", "teal")


def random_attributes(seed: int) -> Attributes:
    """Draw a character; the same seed (any integer) gives the same one."""
    rng = random.Random(f"character-{seed}")  # noqa: S311 - reproducible, not secret
    return draw_attributes(rng, draw_figure(rng))


def draw_figure(rng: random.Random) -> Figure:
    return rng.choices(list(Figure), (0.32, 0.22, 0.24, 0.22))[0]


def draw_attributes(rng: random.Random, figure: Figure) -> Attributes:
    """Draw everything but the figure."""
    feminine = figure.feminine
    hair = rng.choice(FEMININE_HAIR if feminine else MASCULINE_HAIR)
    cloth = rng.choice(list(CLOTH_COLOURS))
    second = rng.choice(list(CLOTH_COLOURS))
    accent = rng.choice(_ACCENTS)
    age = draw_age(rng, figure)
    return Attributes(
        figure=figure,
        age=age,
        face_shape=rng.choices(list(FaceShape), (4, 3, 3, 0.3 if feminine else 3))[0],
        arms=rng.choices(list(ArmPose), _FEMININE_ARMS if feminine else _MASCULINE_ARMS)[0],
        hair_style=hair,
        hair_colour=_draw_hair_colour(rng, age),
        tip_colour=rng.choice((None, None, None, accent)),
        bangs=rng.choice(list(Bangs)),
        ahoge=rng.random() < 0.3,
        eye_colour=rng.choice(list(EYE_COLOURS)),
        eye_shape=rng.choice(list(EyeShape)),
        skin=rng.choices(list(SKIN_COLOURS), (5, 5, 2.5, 1.2, 0.8))[0],
        blush=round(rng.uniform(0.25, 0.7), 2),
        freckles=rng.random() < 0.06,
        beauty_mark=rng.random() < 0.10,
        outfit=rng.choice(FEMININE_OUTFITS if feminine else MASCULINE_OUTFITS),
        outfit_colour=cloth,
        second_colour="cream" if second == cloth else second,
        accent_colour=accent,
        accessories=_draw_accessories(rng, feminine),
        side=rng.choice((-1, 1)),
        detail_seed=rng.randrange(10_000),
        geometry=Geometry(*(round(rng.uniform(-1, 1), 3) for _ in range(_GEOMETRY_SIZE))),
    )


_GEOMETRY_SIZE = len(fields(Geometry))
#: How often each arm pose is drawn, in the order of ArmPose.
_FEMININE_ARMS = (3, 2, 2.5, 2, 1.2, 1.2, 0.6, 0.3)
_MASCULINE_ARMS = (3, 1.6, 0.3, 1.2, 0.6, 0.8, 2, 2.5)


def draw_age(rng: random.Random, figure: Figure) -> Age:
    """Mostly young; the rest are children among girls and boys, elderly among women and men."""
    rest = Age.ELDERLY if figure.adult else Age.CHILD
    return rng.choices((Age.YOUNG, rest), (0.84, 0.16))[0]


def _draw_hair_colour(rng: random.Random, age: Age) -> str:
    colour = rng.choice(list(HAIR_COLOURS))
    faded = rng.choice(("white", "silver", "silver", colour))
    return faded if age is Age.ELDERLY else colour


def _draw_accessories(rng: random.Random, feminine: bool) -> tuple[Accessory, ...]:
    on_head = [name for name in Accessory if name not in _OFF_THE_HEAD]
    if not feminine:
        on_head = [
            Accessory.HEADPHONES,
            Accessory.CAT_EARS,
            Accessory.CLIPS,
            Accessory.HORNS,
            Accessory.BERET,
        ]
    chosen = [rng.choice(on_head)] if rng.random() < (0.7 if feminine else 0.3) else []
    for name, share in _OFF_THE_HEAD.items():
        if rng.random() < (share if feminine or name is not Accessory.CHOKER else 0.02):
            chosen.append(name)
    return tuple(sorted(chosen))


_OFF_THE_HEAD = {
    Accessory.GLASSES: 0.16,
    Accessory.EARRINGS: 0.16,
    Accessory.CHOKER: 0.08,
    Accessory.SCARF: 0.07,
}
