"""How alike two Indian personal names are (``NameLikeness``), with rapidfuzz over what the names sound like.

Names arrive in any order and script, with honorifics, initials and several spellings of one sound. What must not
happen is that two people who share a phone, usually relatives, are taken for one: so a part that one name has and the
other contradicts always keeps the result below the domain's threshold of 0.7, however much of the rest agrees.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from rapidfuzz.distance import OSA

from hip.adapters.name_scripts import in_latin_letters, in_tamil, without_voice
from hip.adapters.name_spellings import FILLERS, HONORIFICS, SOUNDS, SPELLINGS

# Likeness from which two words are one in two spellings: Ahmed and Ahmad reach 0.8, Rani and Rana 0.75.
_SAME_WORD = 0.78

# What two whole names reach, by what supports the match. Everything from 0.7 on counts as one person.
_SAME_BUT_SPELLING = 0.95
_SEVERAL_PARTS = 0.9
_GIVEN_NAME_AND_INITIAL = 0.85
_FAMILY_NAME_AND_INITIALS = 0.8
_GIVEN_NAME_ALONE = 0.78
_FAMILY_NAME_AND_ONE_INITIAL = 0.65
_CONTRADICTED = 0.6
_FAMILY_NAME_ALONE = 0.6
_RELATIVES = 0.6

_RELATION = re.compile(r"\b(?:[sdwch]/o|(?:son|daughter|wife|husband) of)\b.*", re.IGNORECASE | re.DOTALL)
_SUFFIX = re.compile(r"(?<=.{4})(?:b[eh]n|bhai|bai)\Z")
_VOWEL = re.compile(r"[aeiou]")
_LATIN_MARKS = re.compile("[\u0300-\u036f]")


def name_likeness(one: str, other: str) -> float:
    """0 to 1, whatever their order, case, initials and honorifics; symmetric. An empty name is like nothing."""
    voiced = not in_tamil(one + other)
    as_written, joined = _readings(one, voiced)
    other_as_written, other_joined = _readings(other, voiced)
    pairs = [
        *product(as_written, (*other_as_written, *other_joined)),
        *product(joined, other_as_written),
    ]
    return max((_compare(a, b) for a, b in pairs), default=0.0)


@dataclass(frozen=True, slots=True)
class _Part:
    """One word of a name by its sound; ``position`` counts from 0. An initial has a single letter.

    ``leads`` is true of the first word that is no filler; ``joined`` of one that is written as two.
    """

    sound: str
    position: int
    filler: bool
    leads: bool
    joined: bool

    @property
    def initial(self) -> bool:
        return len(self.sound) == 1

    def abbreviates(self, other: "_Part") -> bool:
        return self.initial and other.sound.startswith(self.sound)


def _readings(name: str, voiced: bool) -> tuple[list[tuple[_Part, ...]], list[tuple[_Part, ...]]]:
    """The name as it is written, if it is any, and with two neighbouring words as one: ``Raj Kumar``, ``Rajkumar``.

    Joined is held against as written only: else ``Hari Sharma`` would sound like ``Harish Sharma``.
    """
    words = list(_words(name))
    if not words:
        return [], []
    joinable = (i for i in range(len(words) - 1) if len(words[i]) > 1 and len(words[i + 1]) > 1)
    return [_parts(words, voiced)], [
        _parts([*words[:i], words[i] + words[i + 1], *words[i + 2 :]], voiced, joined=i) for i in joinable
    ]


def _words(name: str) -> Iterator[str]:
    """Words in lower case without honorifics and relatives; ``KS`` is two initials."""
    text = unicodedata.normalize("NFC", _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", _RELATION.sub("", name))))
    letters = "".join(c if unicodedata.category(c)[0] in "LM" else " " for c in re.sub(r"['’`]", "", text))
    words = letters.casefold().split()
    words = [in_latin_letters(word) if word not in HONORIFICS else word for word in words]
    while len(words) > 1 and words[0] in HONORIFICS:
        del words[0]
    while len(words) > 1 and words[-1] in ("ji", "jee"):
        del words[-1]
    for word in (_SUFFIX.sub("", word) for word in words):
        if word not in SPELLINGS and word.isascii() and len(word) <= 3 and not re.search("[aeiouy]", word):
            yield from word
        else:
            yield word


def _parts(words: list[str], voiced: bool, *, joined: int | None = None) -> tuple[_Part, ...]:
    fillers = [SPELLINGS.get(word, word) in FILLERS for word in words]
    if all(filler or len(word) == 1 for word, filler in zip(words, fillers, strict=True)):
        fillers = [False] * len(words)  # they are all there is
    leader = fillers.index(False)
    return tuple(
        _Part(
            sound=_sound(word, voiced),
            position=position,
            filler=fillers[position],
            leads=position == leader,
            joined=position == joined,
        )
        for position, word in enumerate(words)
    )


def _sound(word: str, voiced: bool) -> str:
    sound = SPELLINGS.get(word, word)
    if not voiced:
        sound = without_voice(sound)
    if len(sound) == 1:
        return "v" if sound in "bw" else sound
    for spelling, letter in SOUNDS:
        sound = sound.replace(spelling, letter)
    sound = re.sub(r"(.)\1+", r"\1", sound)
    return sound[:-1] if len(sound) > 2 and sound.endswith("h") else sound


def _word_likeness(one: str, other: str) -> float:
    """Likeness of two sounds: 0 unless the consonants agree, for a transliteration varies in vowels, a name in both.

    Ramesh and Rajesh, Anil and Sunil differ in a consonant. Of the vowels the first must agree (Kiran, Karan), and so
    must an ending in i (Mohan, Mohini).
    """
    if one == other:
        return 1.0
    if _consonants(one) != _consonants(other) or _first_vowel(one) != _first_vowel(other):
        return 0.0
    if (one[-1] == "i") != (other[-1] == "i") and not (_VOWEL.match(one[-1]) and _VOWEL.match(other[-1])):
        return 0.0
    return OSA.normalized_similarity(one, other)


def _consonants(sound: str) -> str:
    """An h inside is heard as little as a vowel, and a final m like an n: Subrahmanyam, Subramanian."""
    consonants = _VOWEL.sub("", sound[0] + sound[1:].replace("h", ""))
    return consonants[:-1] + "n" if consonants.endswith("m") else consonants


def _first_vowel(sound: str) -> str:
    found = _VOWEL.search(sound)
    return found[0] if found else ""


def _compare(one: tuple[_Part, ...], other: tuple[_Part, ...]) -> float:
    if sorted(part.sound for part in one) == sorted(part.sound for part in other):
        return 1.0
    rest_of_one, rest_of_other = list(one), list(other)
    same = _take_same_words(rest_of_one, rest_of_other)
    initials = _take_initials(rest_of_one, rest_of_other)
    left, left_of_other = ([part for part in rest if not part.filler] for rest in (rest_of_one, rest_of_other))
    if not same:
        return 0.0
    if (left and left_of_other) or _another_middle(rest_of_one, rest_of_other, one, other):
        return _CONTRADICTED * len(same) / max(len(one), len(other))
    if any(part.leads and not part.initial for part in (*left, *left_of_other)):
        return _RELATIVES  # Sachin Ramesh Patil is the child of Ramesh Patil
    if len(same) > 1:
        return _SEVERAL_PARTS if left or left_of_other or initials else _SAME_BUT_SPELLING
    return _by_one_word(same[0], initials, bool(left or left_of_other))


def _by_one_word(same: tuple[_Part, _Part], initials: list[tuple[_Part, _Part]], incomplete: bool) -> float:
    """Only one word is the same. Is it the given name, which comes first, or one that relatives share?"""
    if len(initials) > 1:
        return _FAMILY_NAME_AND_INITIALS
    if initials:
        one, other = initials[0]
        full, beside = (other, same[1]) if one.initial else (one, same[0])
        known_by_initial = full.position < beside.position and not full.initial
        return _FAMILY_NAME_AND_ONE_INITIAL if known_by_initial else _GIVEN_NAME_AND_INITIAL
    if not incomplete:
        return _SAME_BUT_SPELLING
    return _GIVEN_NAME_ALONE if same[0].leads and same[1].leads else _FAMILY_NAME_ALONE


def _take_same_words(one: list[_Part], other: list[_Part]) -> list[tuple[_Part, _Part]]:
    """Pairs of one word, the likest first, removed from both. Fillers are removed with their like but not returned."""
    pairs = [
        (_word_likeness(a.sound, b.sound), -a.position - b.position, a, b)
        for a in one
        for b in other
        if not (a.initial or b.initial) and (a.sound == b.sound or not (a.joined or b.joined))
    ]
    pairs.sort(key=lambda pair: pair[:2], reverse=True)
    found = []
    for likeness, _, a, b in pairs:
        given = a.leads and b.leads and _another_given_name(a.sound, b.sound)
        if likeness >= _SAME_WORD and a in one and b in other and not given:
            one.remove(a)
            other.remove(b)
            if not (a.filler or b.filler):
                found.append((a, b))
    return found


def _another_given_name(one: str, other: str) -> bool:
    """Kamal and Kamala: of a short given name a final a makes another one; of a long one it is a spelling."""
    return (one[-1] == "a") != (other[-1] == "a") and len(_consonants(one)) <= 4


def _another_middle(
    left: list[_Part], left_of_other: list[_Part], one: tuple[_Part, ...], other: tuple[_Part, ...]
) -> bool:
    """Ram Kumar Singh and Ram Naresh Singh: a filler comes and goes, but not for another name in its place."""
    places = {part.position for part in left} & {part.position for part in left_of_other}
    return len(one) == len(other) and bool(places - {0, len(one) - 1})


def _take_initials(one: list[_Part], other: list[_Part]) -> list[tuple[_Part, _Part]]:
    """Pairs of an initial and what it stands for, in the order of the names, removed from both."""
    found = []
    for a in list(one):
        for b in list(other):
            if a in one and (a.abbreviates(b) or b.abbreviates(a)):
                one.remove(a)
                other.remove(b)
                found.append((a, b))
    return found
