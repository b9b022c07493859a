"""Data flow: what a consent allows leaves, sealed and accounted for, and nothing else does."""

import json
from datetime import datetime, timedelta
from typing import Any

from hip.entrypoints.certify.scene import Scene
from hip.entrypoints.fhir import show_bundle, validate_bundle
from hip.entrypoints.sandbox.views import HiuTransferView, NotifyView, OpenedRecord

DEADLINE = timedelta(minutes=20)
BOTH = ("OPConsultation", "Prescription")


async def pulled(scene: Scene, rule: str, *, deny: bool) -> list[OpenedRecord]:
    """The app asks, the patient grants, the records come and open."""
    scene.proves(rule, "hip transfers list")
    consent_id = await scene.asked(("Prescription",), deny=deny)
    scene.must(consent_id, "the patient denied: nothing can be pulled")
    records = await scene.received(consent_id)
    broken = [record.problem for record in records if record.problem or record.checksum != "match"]
    scene.must(records and not broken, f"{len(records)} records came, of which do not open: {broken}")
    scene.show("the records are pulled in the patient's app", f"{len(records)} opened and read as FHIR R4")
    return records


async def care_context_shared(scene: Scene) -> None:
    """HIP_INIT_SHARE_CARECONTEXT: consent verified, only what it allows, sealed for the HIU, accounted for."""
    await scene.linked(scene.person.visit(hi_types=BOTH))
    scene.proves("HIP_INIT_SHARE_CARECONTEXT", "hip transfers list")
    wish: dict[str, Any] = {}
    if scene.varied("another period"):
        wish["dateRange"] = {"from": "2001-01-01T00:00:00.000Z", "to": "2001-12-31T00:00:00.000Z"}
    consent_id = await scene.asked(("Prescription",), **wish)
    scene.show("a request with a consent and an address arrives", "the consent is known, and acknowledged before")
    records = await scene.received(consent_id)
    titles = [json.loads(record.content)["entry"][0]["resource"]["title"] for record in records if record.content]
    scene.must(titles == ["Prescription"], f"documents came of {titles}")
    scene.show("only consented HI types and dates leave", "one prescription of two documents")
    await _sealed_afresh(scene, scene.transactions[-1])
    book = await scene.get(f"/v1/transfers/{scene.transactions[-1]}")
    scene.must(book["outcome"] == "TRANSFERRED", f"our own book says {book['outcome']}")
    scene.show("the consent manager is notified in time", "TRANSFERRED in both books")
    scene.proves("REL-20", f"hip consents show {consent_id}")
    held = await scene.get(f"/v1/consents/{consent_id}")
    scene.must(
        held["acknowledgedAt"] and held["acknowledgedAt"] <= book["acknowledgedAt"],
        "data was asked for before the consent was acknowledged",
    )
    seen = [line for line in held["decisions"] if line["verdict"] == "permitted"]
    scene.must(seen, "no decision record permits it")
    scene.show("each release has its decision record", "the gate's answers are on record")


async def _sealed_afresh(scene: Scene, transaction: str) -> None:
    scene.proves("PUSH-01", f"hip transfers show {transaction}")
    sealed = [json.loads(page) for page in (await scene.control.sealed_pages(transaction)).pages]
    material = [(p["keyMaterial"]["dhPublicKey"]["keyValue"], p["keyMaterial"]["nonce"]) for p in sealed]
    scene.must(len(set(material)) == len(material), "a key pair and nonce sealed two pages")
    first = await scene.control.hiu_transfers()
    scene.must(not any(t.authorization_seen for t in first if t.transaction_id == transaction), "a token was pushed")
    scene.show("each page is sealed under a key of its own", f"{len(sealed)} pushed, no key or nonce twice")


async def validated(scene: Scene) -> None:
    """DAT_01: the document that arrives satisfies its NRCeS profile; once for each HI type."""
    hi_type = scene.case.hi_type
    await scene.linked(scene.person.full_visit(hi_type))
    scene.proves("DAT_01", f"hip bundles show '{scene.person.code}|{hi_type.value}'")
    consent_id = await scene.asked((hi_type.value,))
    records = await scene.received(consent_id)
    scene.must(len(records) == 1 and records[0].content, f"{len(records)} documents came")
    content = records[0].content
    if scene.varied("a section is torn out"):
        tree = json.loads(content)
        del tree["entry"][0]["resource"]["title"]
        content = json.dumps(tree).encode()
    report = validate_bundle(content)
    scene.must(report.valid, "; ".join(f"{i.path} {i.rule}: {i.message}" for i in report.errors)[:300])
    scene.show(f"a document of type {hi_type.value} arrives", "opened by the requester, checksum right")
    scene.show("it satisfies base R4 and its NRCeS profile", "no error")


async def refused_outside(scene: Scene) -> None:
    """DAT_02: a request outside the consent sends nothing and is answered with the matching code."""
    await scene.linked(scene.person.visit(hi_types=BOTH))
    scene.proves("DAT_02", "hip decisions list")
    consent_id = await scene.asked(("Prescription",), dateRange=_range("2026-01-01", "2026-12-31"))
    await scene.received(consent_id)
    scene.proves("REL-08", "hip decisions list")
    asked = _range("2026-01-01", "2026-12-31" if scene.varied("inside the consent") else "2027-06-30")
    refused = await asked_anyway(scene, consent_id, dateRange=asked)
    nothing_left(scene, refused, "ABDM-1063")
    scene.show("dates outside the consent are refused", "ABDM-1063, nothing sent")
    scene.proves("REL-15", "hip decisions list")
    past = await asked_anyway(scene, consent_id, keyExpiry="2001-01-01T00:00:00.000Z")
    nothing_left(scene, past, "")
    scene.show("a requester's key that has expired is refused", "nothing sent")
    scene.proves("REL-16", f"hip consents show {consent_id}")
    types = {json.loads(r.content)["entry"][0]["resource"]["title"] for r in scene.records if r.content}
    scene.must(types == {"Prescription"}, f"documents of {sorted(types)} left")
    scene.show("HI types outside the consent never leave", "prescriptions alone")
    await scene.control.revoke(consent_id)
    await scene.control.wait_for_acknowledgement(consent_id, "REVOKED")
    scene.proves("REL-02", "hip decisions list")
    nothing_left(scene, await asked_anyway(scene, consent_id), "ABDM-1062")
    scene.show("a revoked consent is refused", "ABDM-1062, nothing sent")


async def identical(scene: Scene) -> None:
    """DAT_03: what the requester opens is byte for byte what is stored."""
    shown = await scene.linked(scene.person.visit(hi_types=BOTH))
    if scene.varied("compared with another visit"):
        other = scene.somebody()
        shown = await scene.linked(other.visit(hi_types=BOTH), other)
    scene.proves("DAT_03", f"hip visits show {scene.person.code}")
    records = await scene.received(await scene.asked(BOTH))
    scene.must(len(records) == 2, f"{len(records)} documents came")
    stored = {bundle["sha256"] for bundle in shown["bundles"]}
    scene.must({record.sha256 for record in records} == stored, "other bytes came than are stored")
    scene.show("decrypting gives identical bytes", "SHA-256 of both documents agrees")
    scene.proves("PUSH-02", f"hip transfers show {scene.transactions[-1]}")
    wrong = [record.checksum for record in records if record.checksum != "match"]
    scene.must(not wrong, f"checksums: {wrong}")
    scene.show("the checksum is that of the plaintext", "both agree")
    await _sealed_afresh(scene, scene.transactions[-1])


async def visible(scene: Scene) -> None:
    """DAT_04: the document can be shown in a patient's app."""
    await scene.linked(scene.person.visit())
    records = await pulled(scene, "DAT_04", deny=scene.varied("the patient denies"))
    page = show_bundle(records[0].content)
    scene.must(page.sections, "the document has no section to show")
    scene.must(not page.gaps(), f"{len(page.gaps())} places would be shown as NA")
    scene.show("it is readable in the patient's app", f"{len(page.sections)} sections, nothing shown as NA")


async def closed_in_time(scene: Scene) -> None:
    """DAT_05: the transfer is closed by a truthful notify within 20 minutes."""
    await scene.linked(scene.person.visit())
    scene.proves("DAT_05", "hip transfers list")
    consent_id = await scene.asked(("Prescription",))
    await scene.received(consent_id)
    wish = {"keyExpiry": "2001-01-01T00:00:00.000Z"} if scene.varied("a key that has expired") else {}
    asked = await scene.control.request_data(consent_id, **wish)
    scene.must(asked.transaction_id, f"the request was refused with {asked.problem and asked.problem.code}")
    transaction = asked.transaction_id or ""
    scene.followed(transaction)
    notify = await scene.control.wait_for_notify(transaction)
    for each in scene.transactions:
        seen = await scene.control.transfer(each)
        told = [one for one in seen.notifies if one.notifier == "HIP"]
        took = datetime.fromisoformat(told[0].at) - datetime.fromisoformat(seen.asked_at)
        scene.must(took <= DEADLINE, f"the notify came after {took.total_seconds() / 60:.0f} minutes")
    scene.must(notify.session_status == "TRANSFERRED", f"it says {notify.session_status}")
    scene.must(notify.outcomes == {scene.person.code: "DELIVERED"}, f"it says {sorted(notify.outcomes.values())}")
    scene.show("the transfer is closed within 20 minutes", "TRANSFERRED, each care context DELIVERED")
    received = await scene.control.wait_for_pages(asked)
    scene.proves("PUSH-08", f"hip transfers show {transaction}")
    scene.must(received.pages == received.page_count, f"{received.pages} of {received.page_count} pages came")
    for each in scene.transactions:
        scene.must(_alike(await scene.control.notifies(each)), "two notifies of one transfer disagree")
    scene.show("the notify is true", "as many pages came as were announced")


async def asked_anyway(scene: Scene, consent_id: str, **wish: Any) -> HiuTransferView:
    """A request for data that the gateway lets through though the consent does not allow it."""
    control = scene.stage.control
    known = [transfer.transaction_id for transfer in await control.transfers()]
    await control.scenario("unchecked-requests")
    try:
        asked = await scene.control.request_data(consent_id, **wish)
    finally:
        await control.scenario("unchecked-requests", on=False)
    for transfer in await control.transfers():
        if transfer.transaction_id not in known and transfer.consent_id == consent_id:
            scene.followed(transfer.transaction_id)
            await scene.until(
                "the end of the refused transfer",
                f"/v1/transfers/{transfer.transaction_id}",
                lambda seen: seen.get("state") in ("done", "dead"),
            )
            told = {notify.session_status for notify in await control.notifies(transfer.transaction_id)}
            asked_again = next(one for one in await control.hiu_transfers() if one.request_id == asked.request_id)
            scene.must(asked_again.pages or told <= {"FAILED"}, f"nothing was sent, and the notify says {sorted(told)}")
            return asked_again
    return asked


def nothing_left(scene: Scene, asked: HiuTransferView, code: str) -> None:
    """Refused, with ``code`` where one is given, and no page came."""
    scene.must(asked.pages == 0, f"pages came: {asked.pages}")
    scene.must(asked.state == "refused" and asked.problem, f"the request ended as {asked.state}")
    said = asked.problem.code if asked.problem else ""
    scene.must(not code or said == code, f"it was answered {said}, {code} was due")


def _range(start: str, end: str) -> dict[str, str]:
    return {"from": f"{start}T00:00:00.000Z", "to": f"{end}T00:00:00.000Z"}


def _alike(told: list[NotifyView]) -> bool:
    return len({(one.session_status, tuple(sorted(one.outcomes.items()))) for one in told}) == 1
