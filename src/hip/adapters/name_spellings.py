"""What is known about the spelling of Indian names in Latin letters; read by ``names``."""


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


HONORIFICS = _listed(
    "dr mr mrs ms mx miss master prof er adv capt col lt maj late haji "
    "shri shree sri sh smt shrimati sau sou kum km kumari thiru tmt sardar baby डॉ डा ডা ডাঃ டாக்டர்"
)
"""Dropped where a name begins with them. ``kumari`` and ``sri`` inside a name are part of it."""

FILLERS = _listed("kumar kumari devi bai ben bhai begum bibi khatun lal mohammad")
"""Parts that come and go between two records of one person. After ``SPELLINGS``."""

SPELLINGS = {
    spelling: usual
    for usual, spellings in {
        "mohammad": "mohammed mohamed mohamad muhammad muhammed muhamed mohd mohmmad mohammd md muhd",
        "kumar": "kr kmr",
        "khatun": "khatoon khatton",
        "bibi": "bee",
        "hussain": "husain hossain hosain hussein hossein husein",
        "rahman": "rehman rahaman rehaman",
        "verma": "varma",
        "singh": "sinh singhh",
        "iyer": "aiyar aiyer iyyer ayyar",
        "nair": "nayar naiyar",
        "naidu": "nayudu",
        "krishna": "krushna kishna krsna",
        "jyoti": "jothi joti jothy jyothi",
        "roy": "ray",
        "chowdhury": "chaudhary choudhary chaudhuri choudhuri chowdhary chaudhry choudhry",
        "mukherjee": "mukharji mookerjee mukerji",
        "abdul": "abdool",
        "sheikh": "shaikh shaik sheik shekh",
        "syed": "sayed sayyed sayyid saiyad said",
    }.items()
    for spelling in spellings.split()
}
"""Spellings that the sounds below do not bring together, and the one they are read as."""

SOUNDS = (
    ("inder", "endra"),
    ("indar", "endra"),
    ("ender", "endra"),
    ("indra", "endra"),
    ("ksh", "x"),
    ("ks", "x"),
    ("dny", "gy"),
    ("jn", "gy"),
    ("chh", "C"),
    ("ch", "C"),
    ("ck", "k"),
    ("c", "k"),
    ("q", "k"),
    ("sh", "s"),
    ("ph", "f"),
    ("th", "t"),
    ("dh", "d"),
    ("bh", "b"),
    ("gh", "g"),
    ("kh", "k"),
    ("jh", "j"),
    ("z", "j"),
    ("ow", "o"),
    ("au", "o"),
    ("ou", "o"),
    ("w", "v"),
    ("b", "v"),  # Bikash is Vikas in the east
    ("ee", "i"),
    ("ea", "i"),
    ("oo", "u"),
    ("y", "i"),
    ("ai", "e"),
    ("ei", "e"),
)
"""(spelling, sound), applied from top to bottom; then doubled letters become one and a final h falls."""
