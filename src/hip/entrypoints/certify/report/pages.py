"""The pages of a report: one for each case, and one that leads to them. No script, nothing loaded from elsewhere."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from hip.entrypoints.certify.evidence import Evidence
from hip.entrypoints.certify.redaction import as_lines
from hip.entrypoints.certify.report.diagram import sequence
from hip.entrypoints.certify.report.facts import Facts
from hip.entrypoints.certify.report.markup import Html, Part, Parts, joined, table, tag
from hip.entrypoints.certify.running import Result
from hip.entrypoints.certify.verdicts import tally

LEVELS = {
    "mandatory": "mandatory",
    "optional": "optional",
    "unsure": "mandatory in one list, not in the published part of the other; counted as mandatory",
    "replaced": "replaced in v3",
}
COLOURS = {"held": "good", "FAILED": "bad", "replaced": "dim"}
WORDINGS = {
    "published": "The wording is published.",
    "group": "The wording is published for a range of ids; which step has which id is our reading.",
    "unpublished": "The wording is not published.",
}


def file_name(result: Result) -> str:
    """Of a case's page: its key without what file names do not bear."""
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in result.case.key)
    return f"cases/{plain}.html"


def index(results: Sequence[Result], facts: Facts) -> str:
    """The first page."""
    rows: list[list[Part]] = []
    for result in results:
        twins = f"{sum(twin.right for twin in result.twins)}/{len(result.twins)} twins" if result.twins else ""
        shown = f"{len(result.shown)} shown" if result.played else ""
        name = tag("a", *_breakable(result.case.key), href=file_name(result))
        rows.append([name, _verdict(result), result.case.title, *map(_short, (result.case.level, shown, twins))])
    return _page(
        "ABDM milestone M2: certification evidence",
        tag("p", tally(results) + "."),
        tag(
            "p",
            "Each case is played from outside, over the public HTTP interfaces of the service, by a gateway, a "
            "requester and a patient's app. Its twin is the same play with one thing changed, and must fail: it "
            "shows that the case can.",
        ),
        tag("h2", "Cases"),
        table(("case", "verdict", "what is shown", "level", "shown", "twins"), rows, kind="cases"),
        tag("h2", "What was run"),
        _listed(facts.run),
        tag("h2", "Versions"),
        _listed(facts.versions),
        tag("h2", "Configuration"),
        tag("p", "Of secrets only whether they are set. The digest is the SHA-256 of these lines."),
        tag("p", f"Digest {facts.configuration_digest}", class_="soft"),
        table(("setting", "value"), facts.configuration.items(), kind="facts"),
        tag("h2", "Files"),
        tag("p", "The SHA-256 of each file of this report is in ", tag("a", "SHA256SUMS", href="SHA256SUMS"), "."),
        up="",
    )


def case_page(result: Result) -> str:
    """Everything about one case."""
    case, evidence = result.case, result.evidence
    parts: list[Parts] = [
        tag("p", _verdict(result), " ", tag("span", LEVELS[case.level], class_="soft")),
        _failure(result),
        tag("dl", tag("dt", "Expected"), tag("dd", case.expected), tag("dt", "Written in"), tag("dd", case.section)),
        tag("p", WORDINGS[case.wording], class_="soft"),
        tag("p", case.note, class_="soft") if case.note else None,
        tag("h2", "Steps"),
        tag("ol", [tag("li", step) for step in case.steps], class_="steps"),
    ]
    if result.played:
        shown = [tag("li", one.step, tag("span", one.result)) for one in result.shown]
        parts += [tag("h2", "What was shown"), tag("ol", shown, class_="steps"), _twins(result), *_evidence(evidence)]
    return _page(case.key, tag("p", case.title), *parts, up="../")


def _evidence(evidence: Evidence) -> list[Parts]:
    parts: list[Parts] = []
    if evidence.messages:
        parts += [tag("h2", "Exchange"), sequence(evidence)]
        rows = [(_short(clock(m.at)), _way(m.ours), m.path, f"{m.status} {m.code or ''}") for m in evidence.messages]
        parts.append(table(("time (UTC)", "from, to", "path", "status"), rows, kind="exchange"))
    if evidence.documents:
        parts += [tag("h2", "Documents as they arrived"), *map(_document, evidence.documents)]
    if evidence.visits:
        rows_of = [
            (visit["careContextReference"], d["hiType"], "yes" if d["valid"] else "no", d["size"], d["sha256"])
            for visit in evidence.visits
            for d in visit["documents"]
        ]
        columns = ("care context", "HI type", "valid", "bytes", "SHA-256")
        parts += [tag("h2", "Documents as they are stored"), table(columns, rows_of, kind="hashes")]
    if evidence.decisions:
        names = ("at", "transactionId", "stage", "page", "verdict", "rule", "code", "reason", "leaving", "kept")
        heads = ("time (UTC)", "transfer", "stage", "page", "verdict", "rule", "code", "reason", "leaving", "kept")
        lines = [{**line, "at": clock(line["at"])} for line in evidence.decisions]
        rows_said = [[line[name] for name in names] for line in lines]
        parts += [tag("h2", "Decision records of the release gate"), table(heads, rows_said)]
    if evidence.exchanges:
        calls = [
            (_short(clock(a["sentAt"] or "")), one["flow"], a["requestId"], f"{a['status'] or ''} {a['code'] or ''}")
            for one in evidence.exchanges
            for a in one["attempts"]
        ]
        parts += [tag("h2", "Our calls"), table(("time (UTC)", "flow", "REQUEST-ID", "answer"), calls, kind="exchange")]
    if evidence.messages:
        parts += [
            tag("h2", "Requests"),
            tag("p", "Of values only kind and length is shown, unless the contract fixes them.", class_="soft"),
            [_body(f"{_way(m.ours)}: {m.path}", m.status, m.body) for m in evidence.messages],
            [_body(f"HIP to requester: {p['transfer']}, page {p['pageNumber']}", 202, p) for p in evidence.pages],
        ]
    return parts


def clock(at: str) -> str:
    """The time of day of an ISO time: the day stands in the JSON."""
    return at[11:23]


def _short(text: str) -> Html:
    return tag("span", text, class_="short")


def _breakable(key: str) -> list[Part]:
    head, slash, part = key.partition("/")
    return [head, slash, Html("<wbr>"), part] if slash else [head]


def _way(ours: bool) -> str:
    return "HIP to gateway" if ours else "gateway to HIP"


def _body(title: str, status: int, body: object) -> Html:
    answered = tag("span", f" answered {status}", class_="soft")
    return tag("article", tag("h3", title, answered), tag("pre", as_lines(body)) if body is not None else None)


def _document(document: Mapping[str, object]) -> Html:
    errors = document["errors"] if isinstance(document["errors"], list) else []
    verdict = "satisfies base R4 and its NRCeS profile" if document["valid"] else "; ".join(map(str, errors))
    pairs = {
        "care context": document["careContextReference"],
        "validation": f"{verdict} ({document['warnings']} warnings)",
        "opened by the requester": document["readable"],
        "checksum": document["checksum"],
        "bytes": document["bytes"],
        "SHA-256": document["sha256"],
    }
    return _listed({name: str(value) for name, value in pairs.items()})


def _twins(result: Result) -> Part:
    if not result.twins:
        return None
    said: list[Part] = []
    for one in result.twins:
        came = f"It failed at {one.failure.rule}: {one.failure.seen}" if one.failure else "It held."
        word = tag("strong", "as it must" if one.right else "not as it must", class_="good" if one.right else "bad")
        said.append(tag("li", one.twin.changed, tag("span", came, " (", word, ")")))
    return joined(tag("h2", "The twin that must fail"), tag("ol", said, class_="steps"))


def _failure(result: Result) -> Part:
    if result.failure is None:
        return None
    fault = result.failure
    return tag("div", _listed({"Rule": fault.rule, "Seen": fault.seen, "Look at": fault.look}), class_="failure")


def _verdict(result: Result) -> Html:
    return tag("span", result.word, class_=f"short {COLOURS[result.word]}")


def _listed(pairs: Mapping[str, str]) -> Html:
    return tag("dl", [joined(tag("dt", name), tag("dd", value)) for name, value in pairs.items()])


def _page(title: str, *parts: Parts, up: str) -> str:
    style = (files("hip.entrypoints.certify.report") / "style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(style)),
    )
    way = tag("nav", tag("a", "All cases", href=f"{up}index.html")) if up else None
    return "<!doctype html>\n" + tag("html", head, tag("body", way, tag("h1", title), *parts), lang="en") + "\n"
