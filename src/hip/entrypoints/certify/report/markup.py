"""HTML that cannot be broken by what is put into it: every text is escaped where it is set."""

from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "link", "line", "path", "rect", "br", "circle"})


class Html(str):
    """A piece of finished HTML. Everything else is text."""

    __slots__ = ()


Part = Html | str | int | float | None
Parts = Part | Iterable[Part]


def tag(name: str, /, *parts: Parts, **attributes: str | float) -> Html:
    """One element. ``class_`` and ``for_`` lose their underscore, other underscores become hyphens."""
    given = "".join(f' {_name(key)}="{escape(str(value))}"' for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{joined(*parts)}</{name}>")


def joined(*parts: Parts) -> Html:
    """Pieces one after the other."""
    return Html("".join(_piece(part) for part in parts))


def table(columns: Iterable[str], rows: Iterable[Iterable[Part]], *, kind: str = "") -> Html:
    """A table that scrolls by itself where the page is narrow."""
    head = tag("tr", [tag("th", column, scope="col") for column in columns])
    body = [tag("tr", [tag("td", cell) for cell in row]) for row in rows]
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), class_=kind), class_="wide")


def _piece(part: Parts) -> str:
    if part is None:
        return ""
    if isinstance(part, Html):
        return part
    if isinstance(part, str | int | float):
        return escape(str(part))
    return joined(*part)


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-") if key != "viewBox" else key
