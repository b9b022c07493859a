"""Consents as the hospital sees them, from grant to their end, and accounts that are closed."""

from datetime import timedelta

from hip.entrypoints.certify.plays.transfers import asked_anyway, nothing_left
from hip.entrypoints.certify.scene import Scene

SHORT = timedelta(seconds=75)
"""The life of a consent that is to expire: data must have been pulled under it before, on a busy machine too."""


async def granted(scene: Scene) -> None:
    """HIP_INIT_GRANT_CONSENT_: the HIP is notified, has saved the consent, and shows it."""
    await scene.linked(scene.person.visit())
    scene.proves("HIP_INIT_GRANT_CONSENT_", "hip consents list")
    consent_id = await scene.asked(("Prescription",), deny=scene.varied("the patient denies"))
    scene.must(consent_id, "the patient denied: there is no consent to save")
    scene.show("the patient grants in the app", "the HIP acknowledged the notice with OK")
    acknowledged = await scene.control.consent(consent_id)
    scene.must(acknowledged.hip_acknowledged == "OK", f"the HIP acknowledged {acknowledged.hip_acknowledged}")
    held = await scene.get(f"/v1/consents/{consent_id}")
    scene.must(held.get("status") == "GRANTED", f"the consent is {held.get('status', 'not')} in the HMIS")
    scene.must(held["hiTypes"] == ["Prescription"], f"it is held for {held['hiTypes']}")
    scene.must(held["careContexts"] == 1, f"it is held for {held['careContexts']} care contexts")
    listed = [one["consentId"] for one in await scene.get_list("/v1/consents?limit=1000")]
    scene.must(consent_id in listed, "the consent list does not show it")
    scene.show("the consent is seen in the HMIS", "status, HI types, requester, period: list and page")
    await scene.received(consent_id)


async def revoked(scene: Scene) -> None:
    """HIP_INIT_REVOKE_CONSENT: notified, deleted, and nothing more leaves."""
    await scene.linked(scene.person.visit())
    consent_id = await scene.asked(("Prescription",))
    await scene.received(consent_id)
    scene.proves("HIP_INIT_REVOKE_CONSENT", f"hip consents show {consent_id}")
    if not scene.varied("nothing is revoked"):
        await scene.control.revoke(consent_id)
        await scene.control.wait_for_acknowledgement(consent_id, "REVOKED")
    scene.show("the patient revokes in the app", "the HIP is notified and acknowledges")
    await _deleted(scene, consent_id, "REVOKED")
    nothing_left(scene, await asked_anyway(scene, consent_id), "ABDM-1062")
    scene.show("nothing more leaves", "the next request is refused with ABDM-1062")


async def expired(scene: Scene) -> None:
    """HIP_INIT_EXPIRE_CONSENT: notified after expiry, deleted; and by our own clock where no notice comes."""
    await scene.linked(scene.person.visit())
    until = scene.clock() + SHORT
    end = until + (timedelta(days=30) if scene.varied("a long life") else timedelta())
    erase = end.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    noticed = await scene.asked(("Prescription",), dataEraseAt=erase)
    await scene.received(noticed)
    quiet = await scene.asked(("Prescription",), dataEraseAt=erase)
    await scene.received(quiet)
    await scene.pass_time(until - scene.clock())
    scene.proves("HIP_INIT_EXPIRE_CONSENT", f"hip consents show {noticed}")
    if not scene.varied("a long life"):
        await scene.control.expire(noticed)
        await scene.control.wait_for_acknowledgement(noticed, "EXPIRED")
    scene.show("a consent with a short life expires", "the HIP is notified and acknowledges")
    await _deleted(scene, noticed, "EXPIRED")
    scene.proves("REL-04", f"hip consents show {quiet}")
    await _deleted(scene, quiet, "EXPIRED")
    scene.show("one whose notice never comes is ended by our own clock", "EXPIRED, artefact gone")
    scene.proves("REL-03", "hip decisions list")
    nothing_left(scene, await asked_anyway(scene, quiet), "ABDM-1061")
    scene.show("nothing more leaves", "the next request is refused with ABDM-1061")


async def opted_out(scene: Scene) -> None:
    """HIP_INIT_ABHA_OPTOUT_DEACTIVATE: address, links and consents go, clinical data stays."""
    person = scene.person
    await scene.linked(person.visit())
    consent_id = await scene.asked(("Prescription",))
    await scene.received(consent_id)
    scene.proves("HIP_INIT_ABHA_OPTOUT_DEACTIVATE", f"hip visits show {person.code}")
    if not scene.varied("nothing is closed"):
        await scene.control.change_account(person.address, "DELETED")
    shown = await scene.until(
        "the end of the link", f"/v1/visits/{person.code}", lambda seen: not seen["linked"], in_vain=True
    )
    scene.show("the patient opts out", "the HIP is notified, the link is forgotten")
    scene.must(shown["bundles"], "clinical data went with the account")
    scene.show("the hospital's own records stay", "the visit and its document are there")
    await _deleted(scene, consent_id, "REVOKED")
    scene.show("the associated consents are deleted", "artefact gone")
    nothing_left(scene, await asked_anyway(scene, consent_id), "ABDM-1062")
    scene.show("nothing more leaves", "the next request is refused with ABDM-1062")


async def _deleted(scene: Scene, consent_id: str, status: str) -> None:
    """Only a tombstone is left (RET-01)."""
    held = await scene.until(
        f"the consent as {status}",
        f"/v1/consents/{consent_id}",
        lambda seen: seen.get("status") == status,
        in_vain=True,
    )
    scene.must(held["hiTypes"] is None and held["hiuId"] is None, "the artefact is still there")
    scene.show("the consent is deleted in the HMIS", f"a tombstone is left: {status}")
