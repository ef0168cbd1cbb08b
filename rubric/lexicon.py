"""What a reader knows about the parts of names: short forms, legal forms, titles, heads, numerals.

Only words that say what *kind* of part stands there; which names belong together takes knowledge of the
world, and that belongs in aliases. A change here changes hits: `TABLES_DIGEST` is in every fingerprint.
"""

from __future__ import annotations

from hashlib import blake2b

# --- short and long -----------------------------------------------------------------------------------------

ABBREVIATIONS = {
    "st": "saint", "mt": "mount", "dr": "doctor", "ft": "fort", "mr": "mister", "prof": "professor",
    "gen": "general", "lt": "lieutenant", "col": "colonel", "capt": "captain", "sgt": "sergeant",
    "sen": "senator", "gov": "governor", "rev": "reverend", "univ": "university", "dept": "department",
    "jr": "junior", "sr": "senior", "vs": "versus", "vol": "volume", "ave": "avenue", "blvd": "boulevard",
    "inc": "incorporated", "corp": "corporation", "ltd": "limited", "bros": "brothers", "co": "company",
    "assn": "association", "natl": "national", "intl": "international", "inst": "institute",
    "govt": "government",
}  # fmt: skip
SHORT = {long: short for short, long in ABBREVIATIONS.items()}
OWN_DOT = frozenset(ABBREVIATIONS) | {"mrs", "ms", "messrs", "feat", "etc"}
"""Words that may carry a dot without ending a sentence."""

# --- parts of names that may be left out --------------------------------------------------------------------

LEGAL_FORMS = {
    "corporation": ("inc", "incorporated", "corp", "corporation", "co ltd", "company limited"),
    "limited": ("ltd", "limited", "pty ltd", "pte ltd", "pvt ltd", "private limited", "ltda", "ltee"),
    "llc": ("llc", "l.l.c"),
    "llp": ("llp", "l.l.p", "lp", "l.p"),
    "plc": ("plc", "p.l.c"),
    "gmbh": ("gmbh", "g.m.b.h", "mbh", "gesellschaft mit beschränkter haftung", "ggmbh"),
    "ag": ("ag", "a.g", "aktiengesellschaft"),
    "kg": ("kg", "gmbh & co kg", "gmbh & co. kg", "kgaa", "ohg"),
    "se": ("se",),
    "ev": ("e.v", "ev"),
    "sa": ("sa", "s.a", "s.a.s", "sas", "s.a.b. de c.v", "s.a. de c.v"),
    "sarl": ("sarl", "s.a.r.l", "s.a r.l"),
    "spa": ("spa", "s.p.a"),
    "srl": ("srl", "s.r.l"),
    "sl": ("s.l", "s.l.u"),
    "nv": ("nv", "n.v"),
    "bv": ("bv", "b.v"),
    "ab": ("ab",),
    "asa": ("asa", "a/s", "aps"),
    "oy": ("oy", "oyj"),
    "spzoo": ("sp. z o.o", "sp. z.o.o"),
    "sro": ("s.r.o", "d.o.o", "a.s", "kft", "zrt", "nyrt"),
    "bhd": ("bhd", "sdn bhd", "sdn. bhd"),
    "kk": ("k.k", "kabushiki kaisha"),
    "jsc": ("jsc", "ojsc", "pjsc", "oao", "pao", "zao", "ooo", "joint stock company",
            "open joint stock company", "public joint stock company"),
}  # fmt: skip
"""Ends of company names by kind, folded, without the last dot; two kinds make two companies of one name."""

LOWER_LEGAL_FORMS = frozenset({"gmbh", "e.v", "plc", "limited", "incorporated", "corporation"})

CLUB_ENDS = (
    "FC", "F.C", "AFC", "A.F.C", "CF", "C.F", "SC", "S.C", "AC", "A.C", "FK", "SK", "NK", "BK", "IF", "IK",
    "AIK",
    "BSK", "FBK", "KF", "RFC", "Calcio", "Football Club", "Soccer Club", "Sporting Club",
    "Futebol Clube", "Esporte Clube", "Fútbol Club", "Fotballklubb", "Fodbold", "Fotboll", "Fussballclub",
)  # fmt: skip
CLUB_STARTS = (
    "FC", "F.C", "AFC", "A.F.C", "FK", "NK", "TSV", "VfB", "VfL", "VfR", "TSG", "FSV", "SpVgg", "SSC", "RCD",
    "HNK", "GNK", "OFK", "RFC", "Club Deportivo",
)  # fmt: skip
CLUB_STARTS_OF_TWO = (
    "SK", "SV", "SC", "AC", "AS", "CA", "CD", "CS", "KS", "KF", "KV", "UD", "AD", "SD", "BK", "JK", "RC",
    "EC", "CF",
)  # fmt: skip
CLUB_LONG = {
    "FC": ("Football Club", "Futebol Clube", "Fútbol Club", "Association Football Club"),
    "AFC": ("Association Football Club",),
    "CD": ("Club Deportivo",), "CA": ("Club Atlético",), "UD": ("Unión Deportiva",),
    "SD": ("Sociedad Deportiva",),
    "AD": ("Associação Desportiva",), "SC": ("Sporting Club", "Sport Club", "Sport-Club"),
    "AC": ("Athletic Club",),
    "SV": ("Sportverein", "Sportvereinigung"), "SK": ("Sportklub", "Sport-Klub"),
    "BK": ("Boldklub", "Boldklubben"),
    "IF": ("Idrottsförening", "Idrætsforening"), "IK": ("Idrottsklubb",), "AIK": ("Allmänna Idrottsklubb",),
    "FF": ("Fotbollförening",), "FK": ("Fotballklubb", "Futbolnyy Klub"), "FBK": ("Fotbollsklubben",),
    "US": ("Union Sportive",), "AS": ("Association Sportive",), "SS": ("Società Sportiva",),
}  # fmt: skip
"""What stands before or behind the name of a sports club, in these capitals. "AC", "SC", "CD", "US" before a
name are as often initials or a country (CS Lewis, CD Projekt, US Open), so there they stay.
"""

TITLES = frozenset(
    """
    president vice-president chancellor premier senator congressman congresswoman governor mayor minister
    ambassador secretary judge justice chief king queen emperor empress tsar czar kaiser prince princess
    duke duchess earl count countess baron baroness viscount marquess marquis lord lady sir dame pope
    cardinal archbishop bishop saint rabbi imam sheikh sultan caliph shah pharaoh general admiral colonel
    major captain lieutenant sergeant marshal doctor professor dr prof mr mrs ms mister miss coach father
    sister brother mother reverend rev prasident shaikh monsieur
    """.split()  # noqa: SIM905 (as the words above)
)
"""Roles before a name: with or without one, it is the same person."""

PERSON_TITLES = frozenset(
    """
    president chancellor premier senator congressman governor king queen emperor empress tsar pope cardinal
    archbishop bishop prince princess duke duchess sir dame dr prof professor mr mrs ms sheikh sultan
    monsieur präsident rabbi
    """.split()  # noqa: SIM905 (as the words above)
)
"""Titles that can be left out before a full name; "General", "Major" or "Justice" begin other names, too."""

ROLES = TITLES | frozenset(
    """
    ceo cfo cto chairman chairwoman founder director producer actor actress singer songwriter author writer
    novelist poet painter composer conductor rapper guitarist drummer player footballer striker goalkeeper
    midfielder physicist chemist mathematician biologist engineer architect philosopher economist historian
    manager editor journalist spokesman spokeswoman representative delegate officer ministers parliament
    government army navy police congress senate
    """.split()  # noqa: SIM905 (as the words above)
)
"""Roles behind a name that only leans on it: "Germany Chancellor Angela Merkel" names Germany."""

NOBLE = (
    "king|queen|emperor|empress|duke|duchess|grand duke|grand duchess|prince|princess|count|countess|earl|"
)
NOBLE += "lord|lady|baron|baroness|viscount|viscountess|marquess|marquis|margrave|elector|landgrave|tsar"

# --- longer names -------------------------------------------------------------------------------------------

NEW_NAME_BEFORE = frozenset(
    """
    new north south east west northern southern eastern western northeast northwest southeast southwest
    upper lower central inner outer greater equatorial saint st san santa fort port mount lake papua
    anglo mid trans pseudo
    """.split()  # noqa: SIM905
)
"""Words before a name that make another one: "New Mexico", "North Korea"."""

HEADS = frozenset(
    """
    academy act agency airlines airport airways association avenue award awards band bank basin bay beach
    board bowl bridge broadcasting building bureau canal castle cathedral center centre championship
    championships church circuit club coast college commission committee company conference conservatory
    convention corporation council county court creek cup dam department derby desert diocese district
    dynasty festival film films forest foundation fund gallery games garden gardens grand group gulf hall
    harbor harbour highway hill hills hospital hotel house institute institution island islands lake league
    library line lodge magazine mall manor marathon mine ministry monastery mountain mountains movement
    museum network office open opera orchestra palace park parish party peninsula philharmonic pictures
    plateau port press prison prize project province railroad railway range records republic research
    reservoir resort river road school sea seminary series show society square stadium state station strait
    straits street studio studios summit symphony syndrome temple territory theater theatre theorem times
    tournament tower tower trail treaty tribune trophy trust union university valley village volcano war
    """.split()  # noqa: SIM905 (as the words above)
)
"""Nouns that, capitalized behind or "of" a name, make the name of something else."""

SAME_AS_OF = frozenset(
    """
    state republic kingdom county city town island islands province territory commonwealth people government
    head empire sultanate emirate principality duchy municipality region capital
    """.split()  # noqa: SIM905 (as the words above)
)
"""Heads "of" a name that lean on it or say what it is: "Republic of Ireland", "Government of India"."""

OF_HEADS = HEADS - SAME_AS_OF - {"coast", "village", "district", "parish", "department", "valley", "hills"}
"""Heads "of" a name that make another one: "Gulf of Mexico", "University of Oxford"."""

DIRECTIONS = frozenset(
    """
    north south east west northern southern eastern western northeast northwest southeast southwest
    northeastern northwestern southeastern southwestern upper lower inner outer left right new old
    """.split()  # noqa: SIM905 (as the words above)
)
OPPOSITES = (
    ("hyper", "hypo"), ("pre", "post"), ("anti", "pro"), ("anti", ""), ("inter", "intra"), ("macro", "micro"),
    ("over", "under"), ("in", "ex"), ("im", "ex"), ("un", ""), ("non", ""), ("endo", "exo"), ("ante", "anti"),
    ("homo", "hetero"), ("mono", "poly"), ("iso", "aniso"), ("a", ""), ("super", "sub"), ("ultra", "infra"),
    ("neo", ""), ("proto", ""), ("step", ""), ("co", ""), ("re", ""), ("de", ""), ("dis", ""), ("bi", "tri"),
)  # fmt: skip
"""Beginnings that turn a word into its opposite, or into another one."""

# --- words that are nobody's name ---------------------------------------------------------------------------

FUNCTION_WORDS = frozenset(
    """
    a about above after again all am an and any are as at be because been before being below between
    both but by can could did do does doing down during each en few for from further had has have having
    he her here hers herself him himself his how i id if in into is it its itself just let may me might
    more most must my myself no nor not now of off ok on once one only or other ought our ours out over
    own same shall she should so some such than that the their theirs them themselves then there these
    they this those through to too two under until up us very was we were what when where which while
    who whom whose why will with would yes yet you your yours yourself
    """.split()  # noqa: SIM905 (a list literal would be four pages)
)
CONNECTORS = FUNCTION_WORDS | frozenset(
    "de la le les des du der die das und für et e y di della del da do dos en el los las zur voor van".split()  # noqa: SIM905 (as the words above)
)
"""Words that acronyms skip."""

CALENDAR = frozenset(
    """
    january february march april may june july august september october november december jan feb mar apr
    jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday
    """.split()  # noqa: SIM905 (as the words above)
)

# --- numbers ------------------------------------------------------------------------------------------------

UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
"""The ordinals that are not the number with "th"."""

SCALE_WORDS = {"hundred": 2, **SCALES, "bn": 9, "mn": 6, "mln": 6, "trn": 12}
SHORT_SCALES = {"k": 3, "m": 6, "b": 9, "t": 12}
"""Scales of one letter, which stand behind amounts of money only."""

CURRENCY_SIGNS = {
    "us$": "usd", "$": "usd", "usd": "usd", "a$": "aud", "c$": "cad", "€": "eur", "eur": "eur", "£": "gbp",
    "gbp": "gbp",
    "¥": "jpy", "jpy": "jpy", "₹": "inr", "inr": "inr", "₩": "krw", "chf": "chf", "₽": "rub",
}  # fmt: skip
CURRENCIES = {
    "usd": ("dollars", "dollar", "us dollars", "u.s. dollars", "american dollars", "usd", "us$", "$"),
    "eur": ("euros", "euro", "eur", "€"), "gbp": ("pounds sterling", "british pounds", "gbp", "£"),
    "jpy": ("yen", "japanese yen", "jpy"), "inr": ("rupees", "indian rupees", "inr"),
    "chf": ("swiss francs", "chf"),
    "rub": ("rubles", "roubles", "rub"), "cny": ("yuan", "renminbi", "rmb", "cny"), "krw": ("won", "krw"),
    "aud": ("australian dollars", "aud"), "cad": ("canadian dollars", "cad"),
}  # fmt: skip
MEASURES = {
    "%": ("%", "percent", "per cent", "pct"),
    "km": ("km", "kilometers", "kilometres", "kilometer", "kilometre"),
    "m": ("m", "meters", "metres", "meter", "metre"),
    "cm": ("cm", "centimeters", "centimetres", "centimeter", "centimetre"),
    "mm": ("mm", "millimeters", "millimetres"),
    "mi": ("mi", "miles", "mile"), "ft": ("ft", "feet", "foot"), "in": ("inches", "inch"),
    "yd": ("yd", "yards", "yard"),
    "kg": ("kg", "kilograms", "kilogrammes", "kilogram", "kilos"), "g": ("g", "grams", "grammes", "gram"),
    "mg": ("mg", "milligrams"), "t": ("tons", "tonnes", "ton", "tonne"),
    "lb": ("lb", "lbs"), "pound": ("pounds", "pound"),
    "oz": ("oz", "ounces", "ounce"), "l": ("l", "liters", "litres", "liter", "litre"),
    "ml": ("ml", "milliliters"),
    "s": ("seconds", "second", "sec", "secs"), "min": ("minutes", "minute", "min", "mins"),
    "h": ("hours", "hour", "hrs", "hr", "h"), "d": ("days", "day"), "wk": ("weeks", "week"),
    "mo": ("months", "month"), "yr": ("years", "year", "yrs", "yr"),
    "km2": ("km2", "sq km", "square kilometers", "square kilometres", "km^2"),
    "mi2": ("square miles", "sq mi"),
    "m2": ("m2", "square meters", "square metres", "sq m"), "ha": ("ha", "hectares", "hectare"),
    "ac": ("acres", "acre"), "km/h": ("km/h", "kmh", "kph", "kilometers per hour", "kilometres per hour"),
    "mph": ("mph", "miles per hour"), "°c": ("°c", "degrees celsius", "degrees centigrade"),
    "°f": ("°f", "degrees fahrenheit"), "kw": ("kw", "kilowatts"), "mw": ("mw", "megawatts"),
    "gw": ("gw", "gigawatts"),
    "gb": ("gb", "gigabytes"), "mb": ("mb", "megabytes"), "tb": ("tb", "terabytes"), "hz": ("hz", "hertz"),
}  # fmt: skip
"""Units and the ways to write them, folded."""

PARTICLES = (
    "은", "는", "이", "가", "을", "를", "의", "에", "에서", "에게", "로", "으로", "와", "과", "도",
    "만", "까지", "부터", "께서", "처럼", "보다", "이다", "입니다", "이라고", "라고", "이며", "이고",
    "였다", "이었다", "에는", "에서는",
)  # fmt: skip
"""Korean particles, written onto a name."""


def _digest() -> str:
    tables = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in globals().items()
        if name.isupper()
    }
    return blake2b(repr(sorted(tables.items())).encode(), digest_size=8).hexdigest()


TABLES_DIGEST = _digest()
"""Sixteen hex digits over the tables above."""
