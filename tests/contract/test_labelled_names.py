"""Precision and recall of ``NameLikeness`` at the domain's threshold, on labelled Indian names (docs/discovery.md).

The worst error is to take two people for one: a stranger would get a patient's records.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest

from hip.adapters.names import name_likeness
from hip.domain.discovery import NAME_LIKENESS

HERE = Path(__file__).parent
DISCOVERY = HERE.parents[1] / "docs" / "discovery.md"


@dataclass(frozen=True)
class Pair:
    """Two names, and whether one person may bear both."""

    same: bool
    kind: str
    one: str
    other: str

    @property
    def taken_for_one(self) -> bool:
        return name_likeness(self.one, self.other) >= NAME_LIKENESS


def labelled() -> list[Pair]:
    with (HERE / "name_pairs.csv").open(encoding="utf-8") as file:
        return [Pair(row["label"] == "same", row["kind"], row["one"], row["other"]) for row in csv.DictReader(file)]


PAIRS = labelled()
TOLD_BY_GENDER = {("Sita Ram", "Ram Sita Devi"), ("Mary Thomas", "Thomas Mary John")}
"""Names in any order are one name, so only gender and age tell these couples apart."""


def given_names() -> list[str]:
    return (HERE / "given_names.txt").read_text(encoding="utf-8").split()


def relatives(*, every: int) -> Iterator[tuple[str, str]]:
    """Two given names with one family name, as brothers and sisters have."""
    for number, (one, other) in enumerate(combinations(given_names(), 2)):
        if number % every == 0:
            yield f"{one} Sharma", f"{other} Sharma"


def test_there_are_two_hundred_pairs_and_none_twice() -> None:
    assert len(PAIRS) >= 200
    assert len({frozenset((pair.one, pair.other)) for pair in PAIRS}) == len(PAIRS)
    assert sum(not pair.same for pair in PAIRS) >= 100
    kinds = {"order", "honorific", "relation", "initials", "spelling", "muslim", "sikh", "christian", "northeast"}
    assert {pair.kind for pair in PAIRS} >= kinds | {"script", "sibling", "twin", "surname", "father", "parts"}


def test_disc_01_no_hard_negative_is_taken_for_the_same_person() -> None:
    wrong = {(pair.one, pair.other) for pair in PAIRS if not pair.same and pair.taken_for_one}
    assert wrong == TOLD_BY_GENDER


def test_nearly_every_true_pair_is_recognised() -> None:
    missed = [(pair.one, pair.other) for pair in PAIRS if pair.same and not pair.taken_for_one]
    assert len(missed) <= 2, missed


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.one}-{pair.other}")
def test_the_order_of_the_two_names_makes_no_difference(pair: Pair) -> None:
    assert name_likeness(pair.one, pair.other) == pytest.approx(name_likeness(pair.other, pair.one))


def test_disc_01_brothers_and_sisters_are_told_apart() -> None:
    assert [pair for pair in relatives(every=16) if name_likeness(*pair) >= NAME_LIKENESS] == []


@pytest.mark.soak
def test_disc_01_brothers_and_sisters_are_told_apart_for_every_two_names() -> None:
    assert [pair for pair in relatives(every=1) if name_likeness(*pair) >= NAME_LIKENESS] == []


def test_the_document_states_these_figures() -> None:
    true, found = sum(pair.same for pair in PAIRS), sum(pair.same and pair.taken_for_one for pair in PAIRS)
    taken = sum(pair.taken_for_one for pair in PAIRS)
    stated = re.search(
        r"(\d+) pairs.*?recall is (\d\.\d+).*?precision (\d\.\d+)", DISCOVERY.read_text(encoding="utf-8"), re.DOTALL
    )
    assert stated is not None
    assert stated.groups() == (str(len(PAIRS)), f"{found / true:.3f}", f"{found / taken:.3f}")
