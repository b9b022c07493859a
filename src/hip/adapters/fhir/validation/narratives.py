"""The XHTML of a narrative: what txt-1 and txt-2 ask, read by an XML parser that follows no entity of its own."""

import re
from dataclasses import dataclass, field
from html.entities import name2codepoint
from xml.parsers import expat

_XHTML = "http://www.w3.org/1999/xhtml"

_ELEMENT_NAMES = (
    "h1 h2 h3 h4 h5 h6 div hr p pre blockquote ins del address b big br cite code dfn em i kbd q samp "
    "small span strike strong sub sup tt u var abbr acronym ul ol li dl dt dd a img map area table "
    "caption colgroup col thead tbody tfoot tr th td "
)
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_ATTRIBUTE_NAMES = (
    "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char "
    "charoff charset cite class clear colspan compact coords dir frame headers height href hreflang "
    "hspace id lang longdesc name nowrap rel rev rowspan rules scope shape span src start style summary "
    "tabindex title type usemap valign value vspace width "
)
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_ENTITY = re.compile(r"&(\w+);")
_KNOWN_TO_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})


@dataclass(slots=True)
class _Reading:
    """What was met while the parser walked."""

    first: str = ""
    foreign: list[str] = field(default_factory=list)
    content: bool = False


def narrative_fault(text: str) -> tuple[str, str] | None:
    """``(invariant, what is wrong)``: txt-1 for what is not allowed, txt-2 for no content. None when it is sound."""
    reading = _Reading()
    try:
        _parse(text, reading)
    except expat.ExpatError as error:
        return "txt-1", f"no well-formed XHTML (line {error.lineno}, column {error.offset})"
    if reading.first != f"{_XHTML} div":
        return "txt-1", f'the outermost element is no div with xmlns="{_XHTML}"'
    if reading.foreign:
        return "txt-1", f"{reading.foreign[0]} is not allowed"
    if not reading.content:
        return "txt-2", "no text and no image"
    return None


def _parse(text: str, reading: _Reading) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name: str, attributes: dict[str, str]) -> None:
        if not reading.first:
            reading.first = name
        namespace, _, local = name.rpartition(" ")
        if namespace != _XHTML or local not in _ELEMENTS:
            reading.foreign.append(f"the element {local}")
        for attribute, value in attributes.items():
            plain = attribute.rpartition(" ")[2]
            if plain not in _ATTRIBUTES or value.strip().lower().startswith("javascript:"):
                reading.foreign.append(f"the attribute {plain}")
        if local == "img":
            reading.content = True

    def characters(data: str) -> None:
        # A no-break space is content: XML knows four white-space characters only.
        if not reading.content and data.strip(" \t\r\n"):
            reading.content = True

    def doctype(*_: object) -> None:
        reading.foreign.append("a document type declaration")
        parser.EntityDeclHandler = None

    parser.StartElementHandler = start
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    if "<!DOCTYPE" in text:
        # Nothing after it is read: entities declared there could grow without bound.
        reading.first = f"{_XHTML} div"
        reading.foreign.append("a document type declaration")
        return
    if "&" in text:
        text = _ENTITY.sub(_character, text)
    parser.Parse(text, True)


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name in _KNOWN_TO_XML or name not in name2codepoint:
        return match[0]
    return chr(name2codepoint[name])
