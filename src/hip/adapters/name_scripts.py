"""Names in the Brahmic scripts of India, read as Latin letters by what Unicode itself calls each character.

``DEVANAGARI LETTER KA`` with ``DEVANAGARI VOWEL SIGN II`` is ``ki``: one reading for Devanagari, Bengali, Gurmukhi,
Gujarati, Oriya, Tamil, Telugu, Kannada and Malayalam, without a table for each. Length and the place of the tongue are
left out, for Latin spellings of names leave them out too. Urdu writes no short vowels, so it is not read.
"""

import re
import unicodedata

_CHARACTER = re.compile(
    r"(?P<script>DEVANAGARI|BENGALI|GURMUKHI|GUJARATI|ORIYA|TAMIL|TELUGU|KANNADA|MALAYALAM) "
    r"(?P<kind>LETTER|VOWEL SIGN|SIGN|AU LENGTH MARK)\b ?(?P<rest>.*)"
)
_VOWELS = {"aa": "a", "ii": "i", "uu": "u", "ee": "e", "oo": "o", "vocalic r": "ri", "candra e": "e", "candra o": "o"}
_CONSONANTS = {
    "ssa": "sha",
    "tta": "ta",
    "ttha": "tha",
    "dda": "da",
    "ddha": "dha",
    "nna": "na",
    "nnna": "na",
    "nga": "na",
    "nya": "na",
    "lla": "la",
    "llla": "la",
    "rra": "ra",
    "rha": "ra",
    "dddha": "ra",
    "yya": "ya",
    "khanda ta": "t",
    "ca": "cha",
    "cha": "cha",
}
_NASALS = {"anusvara", "candrabindu", "bindi", "adak bindi"}
_GURMUKHI_SIGNS = {"GURMUKHI TIPPI": "n", "GURMUKHI ADDAK": ""}
# A final short a is written here and not spoken. In Bengal and Odisha it is spoken after two consonants.
_NEVER_SPOKEN, _SPOKEN_AFTER_TWO = {"DEVANAGARI", "GUJARATI", "GURMUKHI"}, {"BENGALI", "ORIYA"}


def in_tamil(text: str) -> bool:
    """True if any of it is written in Tamil, which has one letter for k and g, t and d, p and b, ch, j and s."""
    return any(unicodedata.name(character, "").startswith("TAMIL ") for character in text)


def without_voice(word: str) -> str:
    """Latin letters as Tamil would write them: Ganesh and Kanesh are one."""
    for spelling, letter in (("ch", "s"), ("bh", "p"), ("dh", "t"), ("gh", "k"), ("jh", "s")):
        word = word.replace(spelling, letter)
    return word.translate(str.maketrans("bdgjz", "ptkss"))


def in_latin_letters(word: str) -> str:
    """The word in small Latin letters when it is written in one of these scripts, else as it is."""
    read, script, open_a = "", "", False
    for character in word:
        name = unicodedata.name(character, "")
        if name in _GURMUKHI_SIGNS:
            read, open_a = read + _GURMUKHI_SIGNS[name], False
            continue
        found = _CHARACTER.match(name)
        if found is None:
            return word
        script, kind, rest = found["script"], found["kind"], found["rest"].casefold()
        if kind == "VOWEL SIGN":
            read, open_a = _without_a(read, open_a) + _VOWELS.get(rest, rest), False
        elif (kind == "LETTER" and rest[0] not in "aeiouv") or rest == "va":
            sound = _letter(rest)
            read, open_a = read + sound, sound.endswith("a")
        elif kind == "LETTER":
            read, open_a = read + _VOWELS.get(rest, rest), False
        elif rest in ("virama", "nukta"):
            read, open_a = (_without_a(read, open_a), False) if rest == "virama" else (_dotted(read), open_a)
        elif rest in _NASALS:
            read, open_a = read + "n", False
    return _without_a(read, _unspoken(read, script, open_a))


def _letter(rest: str) -> str:
    """A consonant with its short a, or a bare one: ``chillu n`` is only an n."""
    if rest.startswith("chillu "):
        return rest.removeprefix("chillu ")[0]
    return _CONSONANTS.get(rest, rest)


def _without_a(read: str, open_a: bool) -> str:
    return read[:-1] if open_a else read


def _dotted(read: str) -> str:
    """A dot below turns d into the r of ``Chopra``; the sounds it makes of others are spelt alike."""
    return re.sub(r"dh?a$", "ra", read)


def _unspoken(read: str, script: str, open_a: bool) -> bool:
    if not open_a or len(read) < 4:
        return False
    after_two = not re.search(r"[aeiou]([^aeiou]h?|ch)a$", read)
    return script in _NEVER_SPOKEN or (script in _SPOKEN_AFTER_TWO and not after_two)
