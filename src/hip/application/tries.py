"""How often a piece of work may fail before it is dead, by kind (contract §1.10: a call about five times).

A try that counts is one that may have reached the other side, or failed here. What certainly did not leave, what waits
for its turn, and what met the pause of a failing gateway count as none, nor does our own store when it is away under a
call to the gateway.
"""

from collections.abc import Mapping

from hip.application.outbox_storage import OutboxRow, Topic
from hip.domain.errors import StorageFailed, Transient

FOR_EVER = 0

TRIES: Mapping[Topic, int] = {
    # What was accepted from the gateway comes to its own end: nothing of it is given up.
    Topic.CALLBACK: FOR_EVER,
    # Ended by its deadline, within which its pages are pushed again and again.
    Topic.TRANSFER: 400,
    Topic.LINK: 5,
    Topic.SMS: 5,
    Topic.NOTIFY: 5,
    # Nothing is said to anybody outside: only our own stores can fail.
    Topic.BUNDLE: 20,
    Topic.PROJECTION: 20,
}

_CALLS = frozenset({Topic.CALLBACK, Topic.LINK, Topic.SMS, Topic.NOTIFY})


def counts(row: OutboxRow, failure: Transient) -> bool:
    """True when this failure uses up a try of the row."""
    return failure.counted and not (isinstance(failure, StorageFailed) and row.topic in _CALLS)


def used_up(row: OutboxRow, failure: Transient, tries: Mapping[Topic, int]) -> bool:
    """True when this failure is the last one the row may have: then it is dead, and waits for an operator."""
    most = tries.get(row.topic, TRIES[row.topic])
    return most != FOR_EVER and counts(row, failure) and row.failures + 1 >= most
