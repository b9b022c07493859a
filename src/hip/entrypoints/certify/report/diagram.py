"""The exchange of a case as a sequence diagram: inline SVG, readable at the width of a telephone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hip.entrypoints.certify.evidence import Evidence, Message
from hip.entrypoints.certify.report.markup import Html, tag

WIDTH, ROW, TOP = 360, 26, 34
LANES = {"Gateway": 46, "HIP": 194, "Requester": 314}
LONGEST = 30
"""Characters of a label that fit between two lanes, and a little over them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One arrow; a refused call is ``bad``."""

    source: str
    target: str
    label: str
    bad: bool = False


def arrows(evidence: Evidence) -> Iterator[Arrow]:
    """Calls and callbacks in their order; what was pushed stands before the notify that accounts for it."""
    for message in evidence.messages:
        if message.path.endswith("health-information/notify"):
            count = sum(page["transfer"] == message.about for page in evidence.pages)
            if count:
                yield Arrow(
                    source="HIP", target="Requester", label=f"{count} sealed {'page' if count == 1 else 'pages'}"
                )
        ends = ("HIP", "Gateway") if message.ours else ("Gateway", "HIP")
        refused = f" {message.code or message.status}" if message.status >= 300 else ""
        yield Arrow(source=ends[0], target=ends[1], label=f"{short(message)}{refused}", bad=bool(refused))


def short(message: Message) -> str:
    """The last two parts of a path."""
    return "/".join(message.path.rstrip("/").split("/")[-2:])


def sequence(evidence: Evidence) -> Html:
    """The diagram, with a text for whoever cannot see it."""
    drawn = list(arrows(evidence))
    height = TOP + ROW * (len(drawn) + 1)
    lanes = [_lane(name, x, height) for name, x in LANES.items()]
    return tag(
        "svg",
        tag("title", f"Sequence of {len(drawn)} messages between gateway, HIP and requester"),
        lanes,
        [_arrow(arrow, TOP + ROW * (number + 1)) for number, arrow in enumerate(drawn)],
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _lane(name: str, x: int, height: int) -> Html:
    return tag(
        "g",
        tag("rect", x=x - 42, y=4, width=84, height=20, rx=4, fill="#f5f7fa", stroke="#d5dbe3"),
        tag("text", name, x=x, y=18, text_anchor="middle", font_size=11, font_weight=600),
        tag("line", x1=x, y1=24, x2=x, y2=height - 4, stroke="#d5dbe3"),
    )


def _arrow(arrow: Arrow, y: int) -> Html:
    start, end = LANES[arrow.source], LANES[arrow.target]
    toward = 1 if end > start else -1
    colour = "#b3261e" if arrow.bad else "#1f5fa8"
    points: Sequence[tuple[int, int]] = ((end, y), (end - 6 * toward, y - 3), (end - 6 * toward, y + 3))
    outline = "M" + "L".join(f"{px} {py}" for px, py in points) + "Z"
    middle = (start + end) // 2
    label = arrow.label if len(arrow.label) <= LONGEST else arrow.label[: LONGEST - 1] + "…"
    return tag(
        "g",
        tag(
            "text",
            label,
            x=middle,
            y=y - 5,
            text_anchor="middle",
            font_size=10.5,
            stroke="#fff",
            stroke_width=3,
            paint_order="stroke",
        ),
        tag("line", x1=start, y1=y, x2=end - 5 * toward, y2=y, stroke=colour, stroke_width=1.2),
        tag("path", d=outline, fill=colour),
    )
