"""The words that prompts are understood by. Phrases are lower-case words joined by one space."""

from __future__ import annotations

from .attributes import (
    Accessory,
    Age,
    ArmPose,
    Bangs,
    EyeShape,
    FaceShape,
    Figure,
    HairStyle,
    Outfit,
)

#: Words that carry no trait and need not be reported.
FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "with",
        "in",
        "of",
        "on",
        "his",
        "her",
        "their",
        "is",
        "are",
        "has",
        "have",
        "having",
        "who",
        "that",
        "wearing",
        "wears",
        "dressed",
        "anime",
        "character",
        "picture",
        "drawing",
        "portrait",
        "1",
        "one",
        "style",
        "styled",
        "hairstyle",
    ]
)

NEGATIONS = frozenset({"no", "without", "not"})

#: Phrase -> colour name that the tables below translate.
COLOURS: dict[str, str] = {
    name: canonical
    for canonical, names in {
        "black": "black|raven|jet black|charcoal|dark",
        "white": "white|snow white|pure white",
        "silver": "silver|platinum|ash|light grey|light gray",
        "grey": "grey|gray|dark grey|dark gray",
        "brown": "brown|brunette|chestnut|chocolate|light brown|dark brown|auburn|hazel",
        "blonde": "blonde|blond|light blonde|platinum blonde|dirty blonde|honey",
        "gold": "gold|golden|yellow|light yellow|amber",
        "orange": "orange|ginger|copper|strawberry blonde",
        "red": "red|crimson|scarlet|ruby|maroon|dark red|bright red|redhead|burgundy",
        "pink": "pink|rose|magenta|light pink|hot pink|pastel pink|salmon",
        "purple": "purple|violet|lavender|lilac|light purple|dark purple|indigo",
        "blue": "blue|azure|bright blue|deep blue|sapphire|royal blue",
        "navy": "navy|navy blue|dark blue|midnight blue",
        "sky blue": "sky blue|light blue|pale blue|baby blue|pastel blue",
        "aqua": "aqua|cyan|turquoise|teal|blue green",
        "green": "green|emerald|mint|dark green|light green|forest green|olive",
        "cream": "cream|beige|ivory|off white",
    }.items()
    for name in names.split("|")
}

#: Colours that name a person's hair even without the word.
HAIR_COLOUR_WORDS = frozenset(
    {"blonde", "blond", "brunette", "redhead", "ginger", "platinum blonde", "strawberry blonde"}
)

HAIR_TONES: dict[str, str] = {
    "black": "black",
    "white": "white",
    "silver": "silver",
    "grey": "silver",
    "brown": "brown",
    "blonde": "blonde",
    "gold": "blonde",
    "cream": "blonde",
    "orange": "orange",
    "red": "red",
    "pink": "pink",
    "purple": "purple",
    "blue": "blue",
    "navy": "blue",
    "sky blue": "aqua",
    "aqua": "aqua",
    "green": "green",
}
EYE_TONES: dict[str, str] = {
    "black": "brown",
    "brown": "brown",
    "silver": "grey",
    "grey": "grey",
    "gold": "amber",
    "blonde": "amber",
    "orange": "amber",
    "red": "red",
    "pink": "pink",
    "purple": "purple",
    "blue": "blue",
    "navy": "blue",
    "sky blue": "aqua",
    "aqua": "aqua",
    "green": "green",
}
CLOTH_TONES: dict[str, str] = {
    "black": "black",
    "white": "white",
    "silver": "grey",
    "grey": "grey",
    "brown": "brown",
    "blonde": "yellow",
    "gold": "yellow",
    "orange": "yellow",
    "red": "red",
    "pink": "pink",
    "purple": "lavender",
    "blue": "navy",
    "navy": "navy",
    "sky blue": "sky blue",
    "aqua": "teal",
    "green": "green",
    "cream": "cream",
}
SKIN_TONES: dict[str, str] = {
    "fair": "fair",
    "pale": "fair",
    "white": "fair",
    "light": "light",
    "peach": "peach",
    "medium": "peach",
    "tan": "tan",
    "tanned": "tan",
    "dark": "dark",
    "black": "dark",
    "brown": "dark",
}


def _phrases(table: dict[str, str]) -> dict[str, str]:
    return {name: value for value, names in table.items() for name in names.split("|")}


FIGURES: dict[str, Figure] = {
    name: Figure(value)
    for name, value in _phrases(
        {
            "girl": "girl|1girl|schoolgirl|school girl|young girl|female|catgirl|cat girl|maiden"
            "|little girl|teenage girl",
            "boy": "boy|1boy|schoolboy|school boy|young boy|male|catboy|cat boy|little boy"
            "|teenage boy",
            "woman": "woman|young woman|lady|adult woman|women|old woman|old lady|elderly woman"
            "|elderly lady|grandmother|grandma|granny",
            "man": "man|young man|guy|gentleman|adult man|men|old man|elderly man|grandfather"
            "|grandpa",
        }
    ).items()
}

AGES: dict[str, Age] = {
    name: Age(value)
    for name, value in _phrases(
        {
            "child": "child|kid|little girl|little boy",
            "young": "young|teenager|teen|teenage girl|teenage boy|young girl|young boy"
            "|young woman|young man|adult|adult woman|adult man|schoolgirl|school girl|schoolboy"
            "|school boy",
            "elderly": "elderly|old|old woman|old lady|old man|elderly woman|elderly lady"
            "|elderly man|grandmother|grandma|granny|grandfather|grandpa",
        }
    ).items()
}

FACES: dict[str, FaceShape] = {
    name: FaceShape(value)
    for name, value in _phrases(
        {
            "oval": "oval face|oval faced",
            "round": "round face|round faced|chubby cheeks|chubby face",
            "pointed": "pointed face|pointed chin|slim face|narrow face|heart shaped face",
            "square": "square face|square jaw|strong jaw|square jawed",
        }
    ).items()
}

ARMS: dict[str, ArmPose] = {
    name: ArmPose(value)
    for name, value in _phrases(
        {
            "arms at sides": "arms at sides|arms at her sides|arms at his sides",
            "hand on hip": "hand on hip|hands on hips|hand on her hip|hand on his hip",
            "hands clasped": "hands clasped|clasped hands|hands together|own hands together"
            "|folded hands|hands folded",
            "arms behind back": "arms behind back|hands behind back|hands behind her back"
            "|hands behind his back|arms behind her back|arms behind his back",
            "hand on chest": "hand on chest|hand on her chest|hand on his chest|hand on heart"
            "|hand on own chest",
            "holding a book": "holding a book|holding book|carrying a book|book",
            "crossed arms": "crossed arms|arms crossed|folded arms|arms folded",
            "hands in pockets": "hands in pockets|hands in her pockets|hands in his pockets"
            "|hand in pocket",
        }
    ).items()
}

HAIR_STYLES: dict[str, HairStyle] = {
    name: HairStyle(value)
    for name, value in _phrases(
        {
            "twin tails": "twin tails|twintails|twin tail|twintail|pigtails|twin ponytails"
            "|high twintails",
            "low twin tails": "low twin tails|low twintails|low pigtails|low twin tail",
            "ponytail": "ponytail|pony tail|high ponytail",
            "low ponytail": "low ponytail|low pony tail",
            "bob cut": "bob cut|bob|bobcut|bobbed|short bob|bob haircut",
            "hime cut": "hime cut|hime|princess cut",
            "side braid": "side braid|braid|braids|braided|single braid|plait",
            "hair buns": "hair buns|buns|double bun|double buns|hair bun|space buns|odango",
            "wolf cut": "wolf cut|wolfcut|layered hair|layered cut|shag cut|mullet",
            "drill curls": "drill curls|drills|drill hair|twin drills|ringlets|drill twintails",
            "twin braids": "twin braids|two braids|double braids|braided pigtails",
            "side ponytail": "side ponytail|side pony tail|side tail",
            "top bun": "top bun|bun|topknot|top knot|single bun|high bun",
            "curly hair": "afro|curls",
            "slicked back hair": "slicked back hair|slicked back|swept back hair|combed back hair"
            "|hair slicked back|slicked hair",
            "undercut": "undercut|shaved sides|side shave",
        }
    ).items()
}

#: Words before "hair", the most telling first.
HAIR_WORDS: dict[str, HairStyle] = {
    "spiky": HairStyle.SPIKY,
    "spiked": HairStyle.SPIKY,
    "messy": HairStyle.MESSY,
    "tousled": HairStyle.MESSY,
    "wavy": HairStyle.LONG_WAVY,
    "curly": HairStyle.CURLY,
    "medium": HairStyle.BOB,
    "short": HairStyle.SHORT,
    "straight": HairStyle.LONG_STRAIGHT,
    "very long": HairStyle.LONG_STRAIGHT,
    "long": HairStyle.LONG_STRAIGHT,
}

BANGS: dict[str, Bangs] = {
    name: Bangs(value)
    for name, value in _phrases(
        {
            "blunt bangs": "blunt bangs|straight bangs|blunt fringe|straight fringe",
            "side swept bangs": "side swept bangs|swept bangs|side bangs|side part"
            "|side swept fringe|swept fringe",
            "parted bangs": "parted bangs|curtain bangs|middle part|center part|centre part"
            "|parted fringe|forehead",
            "pointed bangs": "pointed bangs|choppy bangs|jagged bangs|pointed fringe",
            "hair between eyes": "hair between eyes",
        }
    ).items()
}

EYE_SHAPES: dict[str, EyeShape] = {
    "round": EyeShape.ROUND,
    "big": EyeShape.ROUND,
    "large": EyeShape.ROUND,
    "sharp": EyeShape.SHARP,
    "narrow": EyeShape.SHARP,
    "tsurime": EyeShape.SHARP,
    "gentle": EyeShape.GENTLE,
    "soft": EyeShape.GENTLE,
    "droopy": EyeShape.GENTLE,
    "kind": EyeShape.GENTLE,
    "tareme": EyeShape.GENTLE,
    "almond": EyeShape.ALMOND,
    "almond shaped": EyeShape.ALMOND,
    "sleepy": EyeShape.SLEEPY,
    "tired": EyeShape.SLEEPY,
    "half closed": EyeShape.SLEEPY,
    "half lidded": EyeShape.SLEEPY,
    "jitome": EyeShape.SLEEPY,
}

#: A plain school uniform depends on the figure: None.
OUTFITS: dict[str, Outfit | None] = {
    name: Outfit(value)
    for name, value in _phrases(
        {
            "sailor uniform": "sailor uniform|sailor suit|sailor dress|sailor school uniform"
            "|sailor outfit|serafuku|sailor",
            "blazer uniform": "blazer uniform|blazer|school blazer",
            "hoodie": "hoodie|hoody|hooded sweatshirt|sweatshirt",
            "frilled dress": "frilled dress|frilly dress|dress|gown|lolita dress|lolita",
            "maid outfit": "maid outfit|maid|maid dress|maid uniform|maid costume|apron",
            "kimono": "kimono|yukata|furisode",
            "sweater": "sweater|jumper|pullover|turtleneck|turtleneck sweater|knit sweater",
            "t-shirt and cardigan": "t shirt and cardigan|cardigan|t shirt|tshirt|tee",
            "gakuran": "gakuran|stand collar uniform",
            "suit": "suit|business suit|formal suit|formal wear|tuxedo|office clothes",
            "school vest": "school vest|sweater vest|knit vest|vest|waistcoat",
            "lab coat": "lab coat|labcoat|white coat|doctor|scientist|doctors coat",
            "casual jacket": "casual jacket|jacket|bomber jacket|leather jacket|denim jacket"
            "|varsity jacket|zip jacket",
            "summer dress": "summer dress|sundress|sun dress|slip dress|sleeveless dress",
            "tracksuit": "tracksuit|track suit|sportswear|gym clothes|gym uniform|jersey"
            "|sports jacket|track jacket|training suit",
            "armour": "armour|armor|knight|knight armour|knight armor|plate armour|plate armor",
        }
    ).items()
} | {"school uniform": None, "uniform": None, "student uniform": None}

ACCESSORIES: dict[str, Accessory] = {
    name: Accessory(value)
    for name, value in _phrases(
        {
            "hair ribbon": "hair ribbon|ribbon|hair bow|bow|ribbons",
            "cat ears": "cat ears|kitty ears|neko|nekomimi|neko ears|animal ears|cat ear"
            "|catgirl|cat girl|catboy|cat boy",
            "glasses": "glasses|spectacles|eyeglasses|megane",
            "headband": "headband|hairband|hair band|alice band",
            "hair flower": "hair flower|flower in hair|flowers in hair|flower|flowers",
            "headphones": "headphones|headphone|headset|earphones",
            "hair clips": "hair clips|hair clip|hairclip|hairclips|hairpin|hairpins|hair pin"
            "|barrette|barrettes",
            "witch hat": "witch hat|wizard hat|witch|hat|pointed hat",
            "beret": "beret|french hat",
            "horns": "horns|demon horns|devil horns|dragon horns|oni horns|horn",
            "earrings": "earrings|earring|ear rings",
            "choker": "choker|collar necklace|neckband",
            "scarf": "scarf|muffler",
        }
    ).items()
}

#: Nouns whose colour is that of the second garment, of the small things, of the tips of the hair.
SECOND_NOUNS = frozenset({"skirt", "trousers", "pants", "shorts", "obi", "sash"})
ACCENT_NOUNS = frozenset({"tie", "necktie", "bow tie", "bowtie", "neckerchief"})
TIP_NOUNS = frozenset({"tips", "hair tips", "streaks"})
HAIR_NOUNS = frozenset({"hair", "haired", "hairs"})
EYE_NOUNS = frozenset({"eyes", "eye", "eyed"})
SKIN_NOUNS = frozenset({"skin", "skinned", "complexion"})
AHOGE = frozenset({"ahoge", "antenna hair", "cowlick"})
BEAUTY_MARK = frozenset({"beauty mark", "beauty spot", "mole"})
FRECKLES = frozenset({"freckles", "freckled"})
BLUSH = frozenset({"blush", "blushing", "rosy cheeks"})
PLAIN = frozenset({"accessories", "accessory"})
