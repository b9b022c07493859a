"""Link requests and care contexts: which moves there are, and that a link is for ever (LINK-04)."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.builders.links import MEERA_ADDRESS, a_care_context, a_link_request
from tests.builders.machines import modest_then_full, play, unchanged_by
from tests.builders.moments import NOW, SECOND

from hip.domain.errors import IllegalTransition
from hip.domain.identifiers import AbhaAddress, LinkReference, RequestId
from hip.domain.links import CareContext, LinkRequest, LinkStatus

LATER = NOW + SECOND
ORDER = (
    LinkStatus.AWAITING_TOKEN,
    LinkStatus.READY,
    LinkStatus.REQUESTED,
    LinkStatus.LINKED,
    LinkStatus.REFUSED,
    LinkStatus.SMS_REQUESTED,
    LinkStatus.SMS_SENT,
    LinkStatus.UNANSWERED,
)
# One row per status, in that order: may it go to each of the others? The gateway's word that a visit is linked is
# believed wherever it finds the request, for it may be late.
#    await ready reqst linked refus sms-r sms-s unans
MATRIX = {
    LinkStatus.AWAITING_TOKEN: "y    y     .     y      y     .     .     y",
    LinkStatus.READY: "         y    y     y     y      y     .     .     .",
    LinkStatus.REQUESTED: "     y    y     y     y      y     .     .     y",
    LinkStatus.LINKED: "        .    .     .     y      .     .     .     .",
    LinkStatus.REFUSED: "       y    y     .     y      y     y     .     .",
    LinkStatus.SMS_REQUESTED: " .    .     .     y      y     y     y     y",
    LinkStatus.SMS_SENT: "      y    y     .     y      .     .     y     .",
    LinkStatus.UNANSWERED: "    y    y     .     y      y     .     y     y",
}
ALLOWED = {
    (old, new) for old, row in MATRIX.items() for new, mark in zip(ORDER, row.split(), strict=True) if mark == "y"
}
UNHAPPY = (LinkStatus.REFUSED, LinkStatus.UNANSWERED)


@pytest.mark.parametrize("new", ORDER)
@pytest.mark.parametrize("old", ORDER)
def test_a_link_request_makes_the_moves_of_the_table_and_no_other(old: LinkStatus, new: LinkStatus) -> None:
    request = a_link_request(status=old)
    if (old, new) in ALLOWED:
        assert request.move(new, now=LATER).status is new
    else:
        unchanged_by(request, IllegalTransition, lambda: request.move(new, now=LATER))


def test_a_repeated_status_changes_its_request_id_only() -> None:
    request = a_link_request(status=LinkStatus.REQUESTED, request_id=RequestId("one"), token_renewed=True)
    assert request.move(LinkStatus.REQUESTED, now=NOW, request_id=RequestId("two")) == replace(
        request, request_id=RequestId("two")
    )
    assert request.move(LinkStatus.REQUESTED, now=NOW) == request


def test_the_first_refusal_of_a_try_is_kept_until_the_next_try() -> None:
    refused = a_link_request().move(LinkStatus.REFUSED, now=NOW, code="ABDM-1207")
    assert refused.move(LinkStatus.REFUSED, now=LATER, code="ABDM-1092").code == "ABDM-1207"
    assert refused.move(LinkStatus.AWAITING_TOKEN, now=LATER).code is None


def test_a_late_refusal_says_more_than_the_silence_before_it() -> None:
    silent = a_link_request(status=LinkStatus.REQUESTED).move(LinkStatus.UNANSWERED, now=NOW, code="no-answer")
    assert silent.code == "no-answer"
    assert silent.move(LinkStatus.REFUSED, now=LATER, code="ABDM-1207").code == "ABDM-1207"
    assert silent.move(LinkStatus.REFUSED, now=LATER).code == "no-answer"


def test_a_renewed_token_is_remembered_through_the_try() -> None:
    renewed = a_link_request(status=LinkStatus.REQUESTED).move(LinkStatus.AWAITING_TOKEN, now=NOW, token_renewed=True)
    assert renewed.move(LinkStatus.READY, now=LATER).move(LinkStatus.REQUESTED, now=LATER).token_renewed
    assert not renewed.move(LinkStatus.READY, now=LATER, token_renewed=False).token_renewed


class LinkRequestMachine(RuleBasedStateMachine):
    """``told`` is a plain account of what the desk should read."""

    @initialize(status=st.sampled_from([LinkStatus.AWAITING_TOKEN, LinkStatus.SMS_REQUESTED]))
    def begin(self, status: LinkStatus) -> None:
        self.request = a_link_request(status=status)
        self.now = NOW
        self.ever_linked = False
        self.told: list[str] = []

    @rule(
        status=st.sampled_from(LinkStatus),
        code=st.none() | st.sampled_from(["ABDM-1207", "ABDM-1092", "no-answer"]),
        request_id=st.none() | st.sampled_from(["a", "b"]).map(RequestId),
    )
    def move(self, status: LinkStatus, code: str | None, request_id: RequestId | None) -> None:
        self.now += SECOND
        before = self.request

        def event() -> LinkRequest:
            return before.move(status, now=self.now, request_id=request_id, code=code)

        if (before.status, status) not in ALLOWED:
            unchanged_by(before, IllegalTransition, event)
            return
        self.request = event()
        self.ever_linked = self.ever_linked or status is LinkStatus.LINKED
        if status not in UNHAPPY:
            self.told = []
        elif code is not None:
            # A refusal takes the place of the silence before it; after that the first one stays.
            late = (before.status, status) == (LinkStatus.UNANSWERED, LinkStatus.REFUSED)
            self.told = [code] if late else [*self.told, code]
        assert self.request.request_id == (request_id or before.request_id)
        assert self.request.updated_at == self.now

    @invariant()
    def a_linked_request_stays_linked_for_ever(self) -> None:
        assert not self.ever_linked or self.request.status is LinkStatus.LINKED

    @invariant()
    def the_desk_reads_the_first_refusal_of_the_try(self) -> None:
        assert self.request.code == (self.told[0] if self.told else None)

    @invariant()
    def what_it_is_about_never_changes(self) -> None:
        request, first = self.request, a_link_request()
        assert (request.reference, request.visit_code, request.patient_reference, request.abha_address) == (
            first.reference,
            first.visit_code,
            first.patient_reference,
            first.abha_address,
        )
        assert request.created_at == NOW


@modest_then_full
def test_no_order_of_events_unlinks_a_request_or_hides_its_refusal(examples: int) -> None:
    play(LinkRequestMachine, examples)


class CareContextMachine(RuleBasedStateMachine):
    """Confirmations of links to three addresses, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.context = a_care_context()
        self.first: tuple[AbhaAddress, LinkReference] | None = None
        self.first_at = self.now = NOW

    @rule(
        address=st.sampled_from([MEERA_ADDRESS, AbhaAddress("meera.two@sbx"), AbhaAddress("ravi@sbx")]),
        reference=st.sampled_from(["link-1", "link-2"]).map(LinkReference),
    )
    def confirm(self, address: AbhaAddress, reference: LinkReference) -> None:
        self.now += SECOND

        def event() -> CareContext:
            return self.context.link(address, reference=reference, now=self.now)

        if self.first is None:
            self.first, self.first_at = (address, reference), self.now
            self.context = event()
        elif address == self.first[0]:
            assert event() == self.context
        else:
            unchanged_by(self.context, IllegalTransition, event)

    @invariant()
    def the_first_link_stands(self) -> None:
        context = self.context
        assert context.linked is (self.first is not None)
        if self.first is None:
            assert (context.linked_to, context.linked_at, context.link_reference) == (None, None, None)
        else:
            assert (context.linked_to, context.link_reference) == self.first
            assert context.linked_at == self.first_at


@modest_then_full
def test_link_04_no_order_of_confirmations_moves_a_link_to_another_address(examples: int) -> None:
    play(CareContextMachine, examples, steps=8)
