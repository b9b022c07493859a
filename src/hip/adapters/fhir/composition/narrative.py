"""XHTML narratives: what a person reads when an app cannot read the rest. Everything is escaped."""

import re
from collections.abc import Iterable
from html import escape

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """``text`` without the characters XHTML and FHIR strings refuse, and without blanks around it."""
    return _UNSEEN.sub(" ", text).strip()


def narrative(paragraphs: Iterable[str] = (), items: Iterable[str] = ()) -> dict[str, str]:
    """A generated FHIR Narrative of plain paragraphs and one list. There must be at least one of either."""
    shown = "".join(f"<p>{_escaped(text)}</p>" for text in paragraphs)
    listed = "".join(f"<li>{_escaped(text)}</li>" for text in items)
    if listed:
        shown += f"<ul>{listed}</ul>"
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{shown}</div>'}


def _escaped(text: str) -> str:
    return escape(visible(text), quote=False).replace("\n", "<br/>")
