"""The faults that `hip certify` must catch: each with the cases meant to, and what they must see."""

from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``seen`` must stand in what the case says, at the rule ``rule``; the case's own id unless given.

    ``never``: the case fails for want of what is awaited, so nobody waits for it long.
    """

    name: str
    arrange: Arrange
    case: str
    seen: str
    rule: str = ""
    never: bool = False


FAULTS = (
    # Linking.
    Fault(
        name="says another year of birth than the desk entered",
        arrange=says(m.GenerateToken, lambda call: replace(call, birth_year=call.birth_year - 1)),
        case="HIP_INTI_LINK_503",
        seen="ABDM-1207",
    ),
    Fault(
        name="changes the name on its way",
        arrange=says(m.GenerateToken, lambda call: replace(call, name=call.name.upper())),
        case="HIP_INTI_LINK_502",
        seen="something else than the desk entered",
    ),
    Fault(
        name="leaves an HI type out of the link",
        arrange=says(m.LinkCareContexts, lambda call: replace(call, entries=call.entries[:1])),
        case="HIP_INTI_LINK_505",
        seen="is linked with",
    ),
    Fault(
        name="links with another ABHA number than the token's",
        arrange=says(m.LinkCareContexts, lambda call: replace(call, abha_number=AbhaNumber("91999999999999"))),
        case="HIP_INTI_LINK_505",
        seen="refused ABDM-1062",
    ),
    Fault(
        name="links before every document is there",
        arrange=stores("bundles", "servable_of", first_of_each),
        case="HIP_INTI_LINK_505",
        seen="is linked with",
    ),
    Fault(
        name="leaves X-HIP-ID out",
        arrange=sends(no_facility_header),
        case="HIP_INTI_LINK_505",
        seen="refused 403",
    ),
    Fault(
        name="sends another X-CM-ID",
        arrange=sends(other_manager),
        case="HIP_INTI_LINK_504",
        seen="the link call was answered",
    ),
    Fault(
        name="sends a stale TIMESTAMP",
        arrange=sends(stale_timestamp),
        case="HIP_INTI_LINK_504",
        seen="the link call was answered",
    ),
    Fault(
        name="forgets the link token",
        arrange=sends(no_link_token),
        case="HIP_INTI_LINK_504",
        seen="the link call was answered",
    ),
    Fault(
        name="uses a REQUEST-ID twice",
        arrange=sends(same_id),
        case="HIP_INTI_LINK_505",
        seen="the link ended as",
    ),
    Fault(
        name="keeps no link token",
        arrange=both(stores("link_tokens", "current", nothing), instead("tokens", lambda r: Standing(r, get=nothing))),
        case="LNK_02",
        seen="the link ended as",
    ),
    Fault(
        name="takes a repeated record for a new one",
        arrange=instead("records", never_the_same()),
        case="LNK_03",
        seen="answered HTTP 202",
    ),
    Fault(
        name="sends the SMS twice",
        arrange=says_twice(m.SmsNotify),
        case="HIP_INIT_NOTIFY_HIECM",
        seen="2 messages",
    ),
    Fault(
        name="sends the SMS to another number",
        arrange=says(m.SmsNotify, lambda call: replace(call, phone="9000000000")),
        case="NTF_01/SMS",
        seen="0 messages",
        rule="HIP_INIT_NOTIFY_HIECM",
    ),
    Fault(
        name="announces another HI type than the new one",
        arrange=says(m.ContextNotify, lambda call: replace(call, hi_types=(HiType.INVOICE,))),
        case="NTF_01/context notify",
        seen="announces",
    ),
    Fault(
        name="announces nothing",
        arrange=says(m.ContextNotify, lambda _: None),
        case="NTF_01/context notify",
        seen="the answer to the context notify",
        never=True,
    ),
    # Documents.
    Fault(
        name="lets an invalid document through",
        arrange=both(
            instead("composer", lambda _: FaultyComposer(untitled_prescriptions)), instead("validator", finds_nothing)
        ),
        case="DAT_01/Prescription",
        seen="title",
        rule="DAT_01",
    ),
    Fault(
        name="composes an invalid document",
        arrange=UNTITLED,
        case="Health_RECORD_CREATION_101/Prescription",
        seen="invalid",
        rule="DAT_01",
    ),
    Fault(
        name="links documents that were never stored",
        arrange=instead("bundles", unkept),
        case="HIP_INTI_LINK_506",
        seen="FAILED",
    ),
    # Discovery and the patient's own linking.
    Fault(
        name="accepts a wrong OTP",
        arrange=stores("link_attempts", "lock", any_otp),
        case="USER_INIT_LINK_605",
        seen="a wrong OTP was accepted",
        rule="OTP-01",
    ),
    Fault(
        name="gives everybody the same OTP",
        arrange=instead("entropy", lambda _: bytes),
        case="USER_INIT_LINK_605",
        seen="a wrong OTP was accepted",
        rule="OTP-01",
    ),
    Fault(
        name="sends no OTP",
        arrange=instead("otp_sender", otp_sent(0)),
        case="USER_INIT_LINK_605",
        seen="an OTP by text message",
        never=True,
    ),
    Fault(
        name="sends the OTP twice",
        arrange=instead("otp_sender", otp_sent(2)),
        case="USER_INIT_LINK_605",
        seen="2 messages",
    ),
    Fault(
        name="shows the whole number as a hint", arrange=whole_number, case="USER_INIT_LINK_605", seen="whole number"
    ),
    Fault(
        name="answers a wrong OTP with another code",
        arrange=says(m.OnConfirm, lambda call: with_code(call, "ABDM-9999")),
        case="USER_INIT_LINK_605",
        seen="ABDM-9999",
        rule="OTP-01",
    ),
    Fault(
        name="offers what is linked already",
        arrange=stores("care_contexts", "unlinked", all_contexts),
        case="USER_INIT_LINK_605",
        seen="offered once more",
    ),
    Fault(
        name="puts a diagnosis into the label",
        arrange=says(m.OnDiscover, clinical_labels),
        case="USER_INIT_LINK_604",
        seen="a label says",
    ),
    Fault(
        name="claims to have matched by a hospital number",
        arrange=says(m.OnDiscover, by_number),
        case="USER_INIT_LINK_603",
        seen="matched by MR",
    ),
    Fault(
        name="takes every name for the patient's",
        arrange=instead("likeness", lambda _: lambda one, other: 1.0),
        case="DSC_01",
        seen="another name",
    ),
    Fault(
        name="confirms half of what was chosen",
        arrange=says(m.OnConfirm, lambda call: replace(call, entries=())),
        case="USER_INIT_LINK_606",
        seen="the HIP's answer to the OTP",
        never=True,
    ),
    # Scan and share.
    Fault(
        name="gives another number on a second scan",
        arrange=stores("shares", "lock_current", nothing),
        case="SHARE _PATIENT_PROFILE_701",
        seen="another number",
    ),
    Fault(
        name="says a token holds for a day",
        arrange=says(m.OnShare, lambda call: replace(call, seconds=86400)),
        case="SHARE _PATIENT_PROFILE_701",
        seen="86400 seconds",
    ),
    # Consents.
    Fault(
        name="acknowledges a consent that it does not keep",
        arrange=stores("consents", "save", nothing),
        case="HIP_INIT_GRANT_CONSENT_",
        seen="in the HMIS",
    ),
    Fault(
        name="acknowledges no consent",
        arrange=says(m.ConsentOnNotify, lambda _: None),
        case="HIP_INIT_GRANT_CONSENT_",
        seen="on-notify for GRANTED",
        never=True,
    ),
    Fault(
        name="ignores a revocation",
        arrange=stores("consents", "save", unless_ended),
        case="HIP_INIT_REVOKE_CONSENT",
        seen="the consent as REVOKED",
        never=True,
    ),
    Fault(
        name="sends after revocation",
        arrange=both(stores("consents", "save", with_its_artefact), stores("consents", "get", forever)),
        case="DAT_02",
        seen="",
        rule="REL-02",
    ),
    Fault(
        name="keeps the artefact of a revoked consent",
        arrange=stores("consents", "save", with_its_artefact),
        case="HIP_INIT_REVOKE_CONSENT",
        seen="still there",
    ),
    Fault(
        name="waits for a notice of expiry",
        arrange=stores("consents", "spent", none_of_them),
        case="HIP_INIT_EXPIRE_CONSENT",
        seen="the consent as EXPIRED",
        rule="REL-04",
        never=True,
    ),
    Fault(
        name="keeps the consents of who opted out",
        arrange=stores("consents", "of_patient", none_of_them),
        case="HIP_INIT_ABHA_OPTOUT_DEACTIVATE",
        seen="the consent as REVOKED",
        never=True,
    ),
    Fault(
        name="keeps the links of who opted out",
        arrange=stores("care_contexts", "linked_to", none_of_them),
        case="HIP_INIT_ABHA_OPTOUT_DEACTIVATE",
        seen="the end of the link",
        never=True,
    ),
    # Data flow.
    Fault(
        name="skips the rule of dates (REL-08)",
        arrange=consents_read(wider),
        case="DAT_02",
        seen="pages came: 1",
        rule="REL-08",
    ),
    Fault(
        name="cuts a request to the consented dates in silence",
        arrange=hears(HealthInformationAsked, in_range),
        case="DAT_02",
        seen="pages came: 1",
        rule="REL-08",
    ),
    Fault(
        name="skips the rule of HI types (REL-10)",
        arrange=consents_read(lambda artefact: replace(artefact, hi_types=frozenset(HiType))),
        case="HIP_INIT_SHARE_CARECONTEXT",
        seen="documents came of",
    ),
    Fault(
        name="takes an expired key (REL-15)",
        arrange=hears(HealthInformationAsked, lasting_key),
        case="DAT_02",
        seen="pages came: 1",
        rule="REL-15",
    ),
    Fault(
        name="answers a refused request with another code",
        arrange=says(m.HealthInformationOnRequest, lambda call: with_code(call, "ABDM-9999")),
        case="DAT_02",
        seen="ABDM-9999",
        rule="REL-08",
    ),
    Fault(
        name="acknowledges a request that it refuses",
        arrange=says(m.HealthInformationOnRequest, lambda call: replace(call, error=None)),
        case="DAT_02",
        seen="the request ended as",
        rule="REL-08",
    ),
    Fault(name="states a wrong checksum", arrange=pushes(checksums), case="DAT_03", seen="checksums", rule="PUSH-02"),
    Fault(name="sends one page twice and another never", arrange=pushes(SamePage()), case="DAT_03", seen="other bytes"),
    Fault(
        name="changes a byte of the document",
        arrange=instead("sealer", sealing(lambda content: content + b" ")),
        case="DAT_03",
        seen="other bytes",
    ),
    Fault(
        name="reuses a key and nonce",
        arrange=instead("sealer", one_key),
        case="DAT_03",
        seen="sealed two pages",
        rule="PUSH-01",
    ),
    Fault(name="sends in the clear", arrange=instead("sealer", in_the_clear), case="DAT_04", seen="does not open"),
    Fault(
        name="gives its own token to the requester",
        arrange=with_our_token,
        case="HIP_INIT_SHARE_CARECONTEXT",
        seen="a token was pushed",
        rule="PUSH-01",
    ),
    Fault(
        name="says nothing when a transfer is over",
        arrange=says(m.HealthInformationNotify, lambda _: None),
        case="DAT_05",
        seen="the transfer notify",
        never=True,
    ),
    Fault(
        name="says FAILED of what was delivered",
        arrange=says(m.HealthInformationNotify, outcome(TransferOutcome.FAILED)),
        case="DAT_05",
        seen="FAILED",
    ),
    Fault(
        name="says TRANSFERRED of what was refused",
        arrange=says(m.HealthInformationNotify, outcome(TransferOutcome.TRANSFERRED)),
        case="DAT_02",
        seen="the notify says",
        rule="REL-08",
    ),
    Fault(
        name="closes a transfer after 21 minutes",
        arrange=is_late(m.HealthInformationNotify, timedelta(minutes=21)),
        case="DAT_05",
        seen="after 21 minutes",
    ),
)
