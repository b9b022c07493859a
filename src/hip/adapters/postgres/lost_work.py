"""Work whose outbox row is gone, in Postgres.

Each look reads the next few things by an index of those that wait, and asks for each by another index whether a row is
there, so it costs the same beside any number of things that are done. States are literals in these statements: a plan
for any parameters then finds the partial indexes as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from string import Template

from sqlalchemy import Table, text

from hip.adapters.postgres.statements import Statements
from hip.application.lost_work import Look, Lost, Place, Waiting
from hip.application.outbox_storage import Topic
from hip.domain.identifiers import HipId

# Each limited to one row, so that none of them is ever read as a whole to be joined.
_OF_A_PATIENT = """
    LEFT JOIN LATERAL (
        SELECT hip_id, patient_reference, linked_to, hi_types FROM care_context
        WHERE care_context.hip_id = t.hip_id AND care_context_number = t.visit_code LIMIT 1
    ) c ON true LEFT JOIN LATERAL (
        SELECT abha_address, phone, closed_account FROM patients
        WHERE patients.hip_id = t.hip_id AND reference = c.patient_reference LIMIT 1
    ) p ON true"""
_LINKABLE = "(c.linked_to IS NULL AND c.hi_types <> '{}' AND p.abha_address IS NOT NULL)"
_REACHABLE = (
    "(c.linked_to IS NULL AND p.abha_address IS NULL AND p.closed_account IS NULL AND p.phone IS NOT NULL"
    " AND c.hip_id IS NOT NULL)"
)
_UNDER_WAY = "status IN ('awaiting-token', 'ready', 'requested', 'sms-requested')"

_LOOK = Template("""
SELECT page.*, page.old AND kept.there IS NULL AS lost
FROM ($page) page LEFT JOIN LATERAL (
    SELECT true AS there FROM outbox
    WHERE page.old AND outbox.hip_id = page.hip_id AND outbox.topic IN ($topics) AND outbox.key = page.key AND $row
    LIMIT 1
) kept ON true
ORDER BY $order""")

_AGAIN = Template("""
SELECT named.hip_id, named.key
FROM unnest(CAST(:hips AS text[]), CAST(:keys AS text[])) AS named(hip_id, key) LEFT JOIN LATERAL (
    SELECT true AS there FROM outbox
    WHERE outbox.hip_id = named.hip_id AND outbox.topic IN ($topics) AND outbox.key = named.key AND $row
    LIMIT 1
) kept ON true
WHERE kept.there IS NULL""")

_NAMED = "unnest(CAST(:hips AS text[]), CAST(:keys AS text[])) AS named(hip_id, key)"
_LEFT = "outbox.state <> 'done'"
_UNDECIDED = "outbox.state <> 'done' AND outbox.state IN ('ready', 'leased')"


@dataclass(frozen=True, slots=True)
class _Kind:
    """``page`` gives hip_id, key, topic, state, old and, as p0, p1 …, the place of each thing, in ``order``.

    ``$behind`` is where the continuation of a look goes. ``lock`` takes those that are named and, if ``changed``, notes
    the time; ``row`` is what counts as their outbox row.
    """

    page: str
    order: tuple[str, ...]
    lock: str
    topics: tuple[Topic, ...]
    changed: bool = True
    row: str = _LEFT

    def look(self, *, behind: Place | None) -> str:
        """The statement that begins, or goes on, looking."""
        numbered = ", ".join(f":b{index}" for index in range(len(self.order)))
        on = "" if behind is None else f"AND ({', '.join(self.order)}) > ({numbered})"
        places = ", ".join(f"{column} AS p{index}" for index, column in enumerate(self.order))
        page = Template(self.page).substitute(behind=on, order=", ".join(self.order), places=places)
        order = ", ".join(f"page.p{index}" for index in range(len(self.order)))
        return _LOOK.substitute(page=page, order=order, topics=self._topics, row=self.row)

    def again(self) -> str:
        """The statement that asks which of those that are named still miss their row."""
        return _AGAIN.substitute(topics=self._topics, row=self.row)

    @property
    def _topics(self) -> str:
        return ", ".join(f"'{topic}'" for topic in self.topics)


_CALLBACKS = _Kind(
    page="""
    SELECT hip_id, id AS key, 'callback' AS topic, state, received_at < :before AS old, $places
    FROM callbacks WHERE state = 'received' $behind ORDER BY $order LIMIT :limit""",
    order=("hip_id", "received_at", "id"),
    lock=f"""
    SELECT c.hip_id, c.id AS key FROM callbacks c JOIN {_NAMED} ON c.hip_id = named.hip_id AND c.id = named.key
    WHERE c.state = 'received' AND c.received_at < :before FOR UPDATE OF c""",  # noqa: S608 - constants
    topics=(Topic.CALLBACK,),
    changed=False,
)

_TRANSFERS = _Kind(
    page="""
    SELECT hip_id, transaction_id AS key, 'transfer' AS topic, status AS state, updated_at < :before AS old, $places
    FROM data_flow_request WHERE status NOT IN ('done', 'dead') $behind ORDER BY $order LIMIT :limit""",
    order=("hip_id", "consent_id", "transaction_id"),
    lock=f"""
    UPDATE data_flow_request t SET updated_at = :now FROM {_NAMED}
    WHERE t.hip_id = named.hip_id AND t.transaction_id = named.key
        AND t.status NOT IN ('done', 'dead') AND t.updated_at < :before
    RETURNING t.hip_id, t.transaction_id AS key""",  # noqa: S608
    topics=(Topic.TRANSFER,),
    row=_UNDECIDED,
)

_DOCUMENTS = _Kind(
    page="""
    SELECT hip_id, visit_code || '|' || hi_type AS key, 'bundle' AS topic, state,
        updated_at < :before AND state IN ('pending', 'building', 'failed') AS old, $places
    FROM bundle_jobs WHERE state <> 'valid' $behind ORDER BY $order LIMIT :limit""",
    order=("hip_id", "updated_at", "visit_code", "hi_type"),
    lock=f"""
    UPDATE bundle_jobs t SET updated_at = :now FROM {_NAMED}
    WHERE t.hip_id = named.hip_id AND t.visit_code = split_part(named.key, '|', 1)
        AND t.hi_type = split_part(named.key, '|', 2)
        AND t.state IN ('pending', 'building', 'failed') AND t.updated_at < :before
    RETURNING t.hip_id, t.visit_code || '|' || t.hi_type AS key""",  # noqa: S608
    topics=(Topic.BUNDLE,),
    row=_UNDECIDED,
)

_LINKS = _Kind(
    page=f"""
    SELECT t.hip_id, t.visit_code AS key, t.state,
        CASE t.state WHEN 'sms-requested' THEN 'sms' ELSE 'link' END AS topic,
        t.updated_at < :before AND CASE t.state WHEN 'sms-requested' THEN {_REACHABLE} ELSE {_LINKABLE} END AS old,
        t.p0, t.p1
    FROM (
        SELECT hip_id, visit_code, status AS state, updated_at, $places
        FROM initiated_link_request WHERE {_UNDER_WAY} $behind ORDER BY $order LIMIT :limit
    ) t {_OF_A_PATIENT}""",  # noqa: S608
    order=("hip_id", "link_reference_number"),
    lock=f"""
    UPDATE initiated_link_request t SET updated_at = :now FROM {_NAMED}
    WHERE t.hip_id = named.hip_id AND t.visit_code = named.key AND {_UNDER_WAY} AND t.updated_at < :before
    RETURNING t.hip_id, t.visit_code AS key""",  # noqa: S608
    topics=(Topic.LINK, Topic.SMS),
)


def _visits(triggers: str) -> _Kind:
    return _Kind(
        page=f"""
    SELECT t.hip_id, t.visit_code AS key, CASE WHEN p.abha_address IS NULL THEN 'sms' ELSE 'link' END AS topic,
        'complete' AS state,
        t.processed_at < :before AND ({_LINKABLE} OR {_REACHABLE}) AND begun.there IS NULL AS old,
        t.p0, t.p1, t.p2
    FROM (
        SELECT hip_id, visit_code, processed_at, $places
        FROM {triggers} WHERE processed_at >= :since $behind ORDER BY $order LIMIT :limit
    ) t {_OF_A_PATIENT} LEFT JOIN LATERAL (
        SELECT true AS there FROM initiated_link_request
        WHERE initiated_link_request.hip_id = t.hip_id AND visit_code = t.visit_code LIMIT 1
    ) begun ON true""",  # noqa: S608
        order=("processed_at", "hip_id", "visit_code"),
        lock=f"""
    SELECT t.hip_id, t.visit_code AS key FROM {triggers} t
    JOIN {_NAMED} ON t.hip_id = named.hip_id AND t.visit_code = named.key
    WHERE t.processed_at < :before FOR UPDATE OF t""",  # noqa: S608
        topics=(Topic.LINK, Topic.SMS),
        changed=False,
    )


class PostgresLostWork:
    def __init__(self, statements: Statements, triggers: Table) -> None:
        self._statements = statements
        self._kinds = {
            Waiting.CALLBACK: _CALLBACKS,
            Waiting.TRANSFER: _TRANSFERS,
            Waiting.LINK: _LINKS,
            Waiting.DOCUMENT: _DOCUMENTS,
            Waiting.VISIT: _visits(f'"{triggers.name}"'),
        }

    async def look(
        self, waiting: Waiting, *, behind: Place | None, before: datetime, since: datetime, limit: int
    ) -> Look:
        kind = self._kinds[waiting]
        values: dict[str, object] = {"before": before, "limit": limit}
        values |= {f"b{index}": value for index, value in enumerate(behind or ())}
        if waiting is Waiting.VISIT:
            values["since"] = since
        rows = await self._statements.all(text(kind.look(behind=behind)).bindparams(**values))
        places = [tuple(row[f"p{index}"] for index in range(len(kind.order))) for row in rows]
        lost = [
            Lost(
                hip_id=HipId(row["hip_id"]), topic=Topic(row["topic"]), key=row["key"], state=row["state"], place=place
            )
            for row, place in zip(rows, places, strict=True)
            if row["lost"]
        ]
        return Look(lost=lost, last=places[-1] if len(rows) == limit else None)

    async def take(self, waiting: Waiting, lost: Sequence[Lost], *, before: datetime, now: datetime) -> Sequence[Lost]:
        kind = self._kinds[waiting]
        values = {**_named([(each.hip_id, each.key) for each in lost]), "before": before}
        if kind.changed:
            values["now"] = now
        locked = await self._statements.all(text(kind.lock).bindparams(**values))
        # A statement of its own: it sees what was committed while this one waited for the locks.
        missing = await self._statements.all(
            text(kind.again()).bindparams(**_named([(row["hip_id"], row["key"]) for row in locked]))
        )
        again = {(row["hip_id"], row["key"]) for row in missing}
        once = {(each.hip_id, each.topic, each.key): each for each in lost if (each.hip_id, each.key) in again}
        return list(once.values())


def _named(pairs: Sequence[tuple[str, str]]) -> dict[str, object]:
    return {"hips": [hip_id for hip_id, _ in pairs], "keys": [key for _, key in pairs]}
