"""The faults that `hip certify` must catch: each with the cases meant to, and what they must see."""

from dataclasses import KW_ONLY, dataclass, replace
from datetime import timedelta

from tests.builders.broken_parts import (
    UNTITLED,
    SamePage,
    all_contexts,
    any_otp,
    by_number,
    checksums,
    clinical_labels,
    finds_nothing,
    first_of_each,
    forever,
    in_range,
    in_the_clear,
    lasting_key,
    never_the_same,
    no_facility_header,
    no_link_token,
    none_of_them,
    nothing,
    one_key,
    other_manager,
    otp_sent,
    outcome,
    same_id,
    sealing,
    stale_timestamp,
    unkept,
    unless_ended,
    whole_number,
    wider,
    with_code,
    with_its_artefact,
    with_our_token,
)
from tests.builders.faults import FaultyComposer, untitled_prescriptions
from tests.builders.service_faults import (
    Standing,
    both,
    consents_read,
    hears,
    instead,
    is_late,
    pushes,
    says,
    says_twice,
    sends,
    stores,
)

from hip.application import gateway_calls as m
from hip.application.gateway_events import HealthInformationAsked
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaNumber
from hip.domain.transfers import TransferOutcome
from hip.entrypoints.certify.grounds import Arrange


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, how the service is made so, the case that must catch it, and what that case must then say.

    It says so at the rule ``rule``; the case's own id unless given. ``never``: the case fails for want of what is
    awaited, so nobody waits for it long.
    """

    name: str
    arrange: Arrange
    case: str
    seen: str
    _: KW_ONLY
    rule: str = ""
    never: bool = False


FAULTS = (
    # Linking.
    Fault(
        "says another year of birth than the desk entered",
        says(m.GenerateToken, lambda call: replace(call, birth_year=call.birth_year - 1)),
        "HIP_INTI_LINK_503",
        "ABDM-1207",
    ),
    Fault(
        "changes the name on its way",
        says(m.GenerateToken, lambda call: replace(call, name=call.name.upper())),
        "HIP_INTI_LINK_502",
        "something else than the desk entered",
    ),
    Fault(
        "leaves an HI type out of the link",
        says(m.LinkCareContexts, lambda call: replace(call, entries=call.entries[:1])),
        "HIP_INTI_LINK_505",
        "is linked with",
    ),
    Fault(
        "links with another ABHA number than the token's",
        says(m.LinkCareContexts, lambda call: replace(call, abha_number=AbhaNumber("91999999999999"))),
        "HIP_INTI_LINK_505",
        "refused ABDM-1062",
    ),
    Fault(
        "links before every document is there",
        stores("bundles", "servable_of", first_of_each),
        "HIP_INTI_LINK_505",
        "is linked with",
    ),
    Fault("leaves X-HIP-ID out", sends(no_facility_header), "HIP_INTI_LINK_505", "refused 403"),
    Fault("sends another X-CM-ID", sends(other_manager), "HIP_INTI_LINK_504", "the link call was answered"),
    Fault("sends a stale TIMESTAMP", sends(stale_timestamp), "HIP_INTI_LINK_504", "the link call was answered"),
    Fault("forgets the link token", sends(no_link_token), "HIP_INTI_LINK_504", "the link call was answered"),
    Fault("uses a REQUEST-ID twice", sends(same_id), "HIP_INTI_LINK_505", "the link ended as"),
    Fault(
        "keeps no link token",
        both(stores("link_tokens", "current", nothing), instead("tokens", lambda r: Standing(r, get=nothing))),
        "LNK_02",
        "the link ended as",
    ),
    Fault("takes a repeated record for a new one", instead("records", never_the_same()), "LNK_03", "answered HTTP 202"),
    Fault("sends the SMS twice", says_twice(m.SmsNotify), "HIP_INIT_NOTIFY_HIECM", "2 messages"),
    Fault(
        "sends the SMS to another number",
        says(m.SmsNotify, lambda call: replace(call, phone="9000000000")),
        "NTF_01/SMS",
        "0 messages",
        rule="HIP_INIT_NOTIFY_HIECM",
    ),
    Fault(
        "announces another HI type than the new one",
        says(m.ContextNotify, lambda call: replace(call, hi_types=(HiType.INVOICE,))),
        "NTF_01/context notify",
        "announces",
    ),
    Fault(
        "announces nothing",
        says(m.ContextNotify, lambda _: None),
        "NTF_01/context notify",
        "the answer to the context notify",
        never=True,
    ),
    # Documents.
    Fault(
        "lets an invalid document through",
        both(
            instead("composer", lambda _: FaultyComposer(untitled_prescriptions)), instead("validator", finds_nothing)
        ),
        "DAT_01/Prescription",
        "title",
        rule="DAT_01",
    ),
    Fault(
        "composes an invalid document", UNTITLED, "Health_RECORD_CREATION_101/Prescription", "invalid", rule="DAT_01"
    ),
    Fault("links documents that were never stored", instead("bundles", unkept), "HIP_INTI_LINK_506", "FAILED"),
    # Discovery and the patient's own linking.
    Fault(
        "accepts a wrong OTP",
        stores("link_attempts", "lock", any_otp),
        "USER_INIT_LINK_605",
        "a wrong OTP was accepted",
        rule="OTP-01",
    ),
    Fault(
        "gives everybody the same OTP",
        instead("entropy", lambda _: bytes),
        "USER_INIT_LINK_605",
        "a wrong OTP was accepted",
        rule="OTP-01",
    ),
    Fault(
        "sends no OTP", instead("otp_sender", otp_sent(0)), "USER_INIT_LINK_605", "an OTP by text message", never=True
    ),
    Fault("sends the OTP twice", instead("otp_sender", otp_sent(2)), "USER_INIT_LINK_605", "2 messages"),
    Fault("shows the whole number as a hint", whole_number, "USER_INIT_LINK_605", "whole number"),
    Fault(
        "answers a wrong OTP with another code",
        says(m.OnConfirm, lambda call: with_code(call, "ABDM-9999")),
        "USER_INIT_LINK_605",
        "ABDM-9999",
        rule="OTP-01",
    ),
    Fault(
        "offers what is linked already",
        stores("care_contexts", "unlinked", all_contexts),
        "USER_INIT_LINK_605",
        "offered once more",
    ),
    Fault("puts a diagnosis into the label", says(m.OnDiscover, clinical_labels), "USER_INIT_LINK_604", "a label says"),
    Fault(
        "claims to have matched by a hospital number",
        says(m.OnDiscover, by_number),
        "USER_INIT_LINK_603",
        "matched by MR",
    ),
    Fault(
        "takes every name for the patient's",
        instead("likeness", lambda _: lambda one, other: 1.0),
        "DSC_01",
        "another name",
    ),
    Fault(
        "confirms half of what was chosen",
        says(m.OnConfirm, lambda call: replace(call, entries=())),
        "USER_INIT_LINK_606",
        "the HIP's answer to the OTP",
        never=True,
    ),
    # Scan and share.
    Fault(
        "gives another number on a second scan",
        stores("shares", "lock_current", nothing),
        "SHARE _PATIENT_PROFILE_701",
        "another number",
    ),
    Fault(
        "says a token holds for a day",
        says(m.OnShare, lambda call: replace(call, seconds=86400)),
        "SHARE _PATIENT_PROFILE_701",
        "86400 seconds",
    ),
    # Consents.
    Fault(
        "acknowledges a consent that it does not keep",
        stores("consents", "save", nothing),
        "HIP_INIT_GRANT_CONSENT_",
        "in the HMIS",
    ),
    Fault(
        "acknowledges no consent",
        says(m.ConsentOnNotify, lambda _: None),
        "HIP_INIT_GRANT_CONSENT_",
        "on-notify for GRANTED",
        never=True,
    ),
    Fault(
        "ignores a revocation",
        stores("consents", "save", unless_ended),
        "HIP_INIT_REVOKE_CONSENT",
        "the consent as REVOKED",
        never=True,
    ),
    Fault(
        "sends after revocation",
        both(stores("consents", "save", with_its_artefact), stores("consents", "get", forever)),
        "DAT_02",
        "",
        rule="REL-02",
    ),
    Fault(
        "keeps the artefact of a revoked consent",
        stores("consents", "save", with_its_artefact),
        "HIP_INIT_REVOKE_CONSENT",
        "still there",
    ),
    Fault(
        "waits for a notice of expiry",
        stores("consents", "spent", none_of_them),
        "HIP_INIT_EXPIRE_CONSENT",
        "the consent as EXPIRED",
        rule="REL-04",
        never=True,
    ),
    Fault(
        "keeps the consents of who opted out",
        stores("consents", "of_patient", none_of_them),
        "HIP_INIT_ABHA_OPTOUT_DEACTIVATE",
        "the consent as REVOKED",
        never=True,
    ),
    Fault(
        "keeps the links of who opted out",
        stores("care_contexts", "linked_to", none_of_them),
        "HIP_INIT_ABHA_OPTOUT_DEACTIVATE",
        "the end of the link",
        never=True,
    ),
    # Data flow.
    Fault("skips the rule of dates (REL-08)", consents_read(wider), "DAT_02", "pages came: 1", rule="REL-08"),
    Fault(
        "cuts a request to the consented dates in silence",
        hears(HealthInformationAsked, in_range),
        "DAT_02",
        "pages came: 1",
        rule="REL-08",
    ),
    Fault(
        "skips the rule of HI types (REL-10)",
        consents_read(lambda artefact: replace(artefact, hi_types=frozenset(HiType))),
        "HIP_INIT_SHARE_CARECONTEXT",
        "documents came of",
    ),
    Fault(
        "takes an expired key (REL-15)",
        hears(HealthInformationAsked, lasting_key),
        "DAT_02",
        "pages came: 1",
        rule="REL-15",
    ),
    Fault(
        "answers a refused request with another code",
        says(m.HealthInformationOnRequest, lambda call: with_code(call, "ABDM-9999")),
        "DAT_02",
        "ABDM-9999",
        rule="REL-08",
    ),
    Fault(
        "acknowledges a request that it refuses",
        says(m.HealthInformationOnRequest, lambda call: replace(call, error=None)),
        "DAT_02",
        "the request ended as",
        rule="REL-08",
    ),
    Fault("states a wrong checksum", pushes(checksums), "DAT_03", "checksums", rule="PUSH-02"),
    Fault("sends one page twice and another never", pushes(SamePage()), "DAT_03", "other bytes"),
    Fault(
        "changes a byte of the document",
        instead("sealer", sealing(lambda content: content + b" ")),
        "DAT_03",
        "other bytes",
    ),
    Fault("reuses a key and nonce", instead("sealer", one_key), "DAT_03", "sealed two pages", rule="PUSH-01"),
    Fault("sends in the clear", instead("sealer", in_the_clear), "DAT_04", "does not open"),
    Fault(
        "gives its own token to the requester",
        with_our_token,
        "HIP_INIT_SHARE_CARECONTEXT",
        "a token was pushed",
        rule="PUSH-01",
    ),
    Fault(
        "says nothing when a transfer is over",
        says(m.HealthInformationNotify, lambda _: None),
        "DAT_05",
        "the transfer notify",
        never=True,
    ),
    Fault(
        "says FAILED of what was delivered",
        says(m.HealthInformationNotify, outcome(TransferOutcome.FAILED)),
        "DAT_05",
        "FAILED",
    ),
    Fault(
        "says TRANSFERRED of what was refused",
        says(m.HealthInformationNotify, outcome(TransferOutcome.TRANSFERRED)),
        "DAT_02",
        "the notify says",
        rule="REL-08",
    ),
    Fault(
        "closes a transfer after 21 minutes",
        is_late(m.HealthInformationNotify, timedelta(minutes=21)),
        "DAT_05",
        "after 21 minutes",
    ),
)
