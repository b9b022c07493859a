"""docs/release.md says every rule, in the order in which they are numbered, under the title the records use."""

import re

import pytest
from tests.unit.domain.test_release_rules import facts
from tests.unit.house.tree import ROOT

from hip.domain.decisions import POLICY_VERSION, TITLES
from hip.domain.release import REQUEST_RULES
from hip.domain.release_facts import RequestFacts

TEXT = (ROOT / "docs" / "release.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ((?:REL|PUSH)-\d\d): (.*?)$", TEXT, re.MULTILINE))


def _without_anything() -> RequestFacts:
    return facts(authority=None)


def test_every_rule_is_explained_once_in_order_under_its_title() -> None:
    headings = re.findall(r"^### ((?:REL|PUSH)-\d\d)", TEXT, re.MULTILINE)
    assert headings == list(TITLES)
    assert SECTIONS == TITLES
    assert [f"REL-{number:02}" for number in range(1, 24)] == headings[:23]


@pytest.mark.parametrize("rule", list(TITLES))
def test_every_rule_says_what_it_refuses_and_which_code_it_answers(rule: str) -> None:
    body = next(part for part in TEXT.split("\n### ") if part.startswith(rule))
    assert re.search(r"[Rr]efuse[sd]", body), rule
    assert re.search(r"Code: (–|`ABDM-\d{4}`)", re.sub(r"\s+", " ", body)), rule


@pytest.mark.parametrize("rule", REQUEST_RULES)
def test_a_code_that_a_rule_answers_without_a_consent_is_one_the_document_gives(rule: object) -> None:
    result = rule(_without_anything())  # type: ignore[operator]
    body = next(part for part in TEXT.split("\n### ") if part.startswith(result.rule))
    assert result.code is None or f"`{result.code}`" in body


def test_the_document_is_of_the_policy_in_force() -> None:
    assert f"policy version {POLICY_VERSION}" in TEXT
