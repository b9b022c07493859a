"""User-initiated linking, scan and share: what begins in the patient's app."""

from hip.entrypoints.certify.plays.transfers import pulled
from hip.entrypoints.certify.scene import Scene
from hip.entrypoints.demo.stages import HIP_ID
from hip.entrypoints.sandbox.views import DiscoveryView, LinkAttemptView

CLINICAL = ("paracetamol", "ibuprofen", "fever", "diabetes", "hypertension", "tablet", "mg")
"""Words of the visits: a label that has one tells whoever looks over a shoulder."""
LONGEST_SHARE = 1800
"""Seconds: a queue token is good for 30 minutes."""


async def _waiting_visit(scene: Scene, *, code: str = "") -> None:
    """A visit of a patient who has an ABHA account of which the hospital knows nothing."""
    await scene.registered()
    record = scene.person.visit(abha=False, code=code)
    await scene.hand_over(record)
    await scene.link_ended(record["visitCode"])


async def _found(scene: Scene, rule: str) -> DiscoveryView:
    scene.proves(rule, "hip exchanges list")
    found = await scene.control.discover(scene.person.address, HIP_ID)
    scene.must(found.status == "found", f"the search ended as {found.status}: {found.problem and found.problem.code}")
    return found


async def hip_chosen(scene: Scene) -> None:
    """601: the patient chooses this facility, which answers."""
    await _waiting_visit(scene)
    scene.proves("USER_INIT_LINK_601", "hip bridge show")
    hip = "IN9990000999" if scene.varied("an unknown facility") else HIP_ID
    found = await scene.control.discover(scene.person.address, hip)
    scene.must(found.status == "found", f"choosing it ended as {found.status}: {found.problem and found.problem.code}")
    scene.show("the patient chooses this facility in the app", "it answers")


async def searched(scene: Scene) -> None:
    """602: the patient searches at the facility."""
    if scene.varied("never a patient here"):
        await scene.registered()
    else:
        await _waiting_visit(scene)
    await _found(scene, "USER_INIT_LINK_602")
    scene.show("the patient searches at the facility", "on-discover came, without an error")


async def profile_shared(scene: Scene) -> None:
    """603: the verified profile is what the match is made by."""
    await _waiting_visit(scene)
    if scene.varied("another telephone"):
        await scene.stage.control.register_patient(scene.person.account(mobile=scene.somebody().mobile))
    found = await _found(scene, "USER_INIT_LINK_603")
    scene.must("MOBILE" in found.matched_by, f"matched by {', '.join(found.matched_by) or 'nothing'}")
    scene.show("the profile is shared and matched", f"by {', '.join(sorted(found.matched_by))}")


async def listed(scene: Scene) -> None:
    """604: the records are listed, only unlinked ones, and no label tells anything clinical."""
    if scene.varied("linked already"):
        await scene.linked(scene.person.visit())
    else:
        await _waiting_visit(scene)
    found = await _found(scene, "USER_INIT_LINK_604")
    scene.must(found.references() == [scene.person.code], f"{len(found.references())} care contexts are listed")
    _quiet(scene, found)
    scene.show("the unlinked records are listed", "one care context, one HI type, nothing clinical in a label")


async def otp_and_consent(scene: Scene) -> None:
    """605: an OTP of at least six digits comes by SMS, a wrong one links nothing, the right one does."""
    await _waiting_visit(scene)
    found = await _found(scene, "USER_INIT_LINK_605")
    attempt = await scene.control.choose(found)
    scene.must(attempt.status == "otp", f"link init ended as {attempt.status}: {attempt.problem}")
    hint = str(attempt.meta.get("communicationHint", ""))
    scene.must(scene.person.mobile not in hint, "the hint shows the whole number")
    scene.proves("OTP-01", "hip exchanges list")
    wrong = await scene.control.enter_otp(attempt, "000000")
    scene.must(wrong.status == "failed", "a wrong OTP was accepted")
    scene.must(not await scene.control.links(scene.person.address), "a wrong OTP linked something")
    scene.must(wrong.problem and wrong.problem.code == "ABDM-1035", f"a wrong OTP was answered {wrong.problem}")
    scene.show("a wrong OTP links nothing", "refused with ABDM-1035")
    scene.proves("USER_INIT_LINK_605", "hip links list")
    typed = await scene.control.enter_otp(attempt, "000000" if scene.varied("only wrong OTPs") else None)
    scene.must(typed.status == "linked", f"the OTP ended as {typed.status}: {typed.problem and typed.problem.code}")
    inbox = [sms for sms in await scene.control.sms_inbox(scene.person.mobile) if sms.sender != "ABDM"]
    digits = [word for word in inbox[-1].text.split() if word.isdigit()]
    scene.must(len(inbox) == 1 and digits and len(digits[0]) >= 6, f"{len(inbox)} messages with an OTP came")
    scene.show("the OTP that came by SMS links", "six digits, one message, a masked hint")
    await _linked_here(scene, scene.person.code)
    again = await scene.control.discover(scene.person.address, HIP_ID)
    scene.must(again.status == "failed", "what is linked is offered once more")


async def only_the_chosen(scene: Scene) -> None:
    """606: exactly what the patient chose is confirmed and linked."""
    other = f"{scene.person.code}-B"
    await _waiting_visit(scene)
    await _waiting_visit(scene, code=other)
    found = await _found(scene, "USER_INIT_LINK_606")
    wanted = other if scene.varied("the other record") else scene.person.code
    attempt = await _typed(scene, found, [wanted])
    confirmed = [c["referenceNumber"] for group in attempt.patient for c in group["careContexts"]]
    scene.must(confirmed == [scene.person.code], "something else was confirmed than the first record")
    links = [link.reference for link in await scene.control.links(scene.person.address)]
    scene.must(links == [scene.person.code], f"{len(links)} records are linked")
    await _linked_here(scene, scene.person.code)
    scene.show("exactly the chosen record is confirmed and linked", "one of two")


async def pulled_after(scene: Scene) -> None:
    """607: what was linked by the patient can be pulled."""
    await _waiting_visit(scene)
    await _typed(scene, await _found(scene, "USER_INIT_LINK_607"), None)
    await _linked_here(scene, scene.person.code)
    await pulled(scene, "USER_INIT_LINK_607", deny=scene.varied("the patient denies"))


async def found_alone(scene: Scene) -> None:
    """DSC_01: one person's unlinked records, or an error; never a list of persons."""
    person = scene.person
    await _waiting_visit(scene)
    if scene.varied("a double of the patient"):
        double = scene.somebody().visit(abha=False)
        double["patient"] |= {"name": person.name, "birthDate": str(person.year), "phone": person.mobile}
        await scene.hand_over(double)
        await scene.link_ended(double["visitCode"])
    found = await _found(scene, "DSC_01")
    scene.must(len({group["referenceNumber"] for group in found.patient}) == 1, "more than one person is shown")
    scene.must(found.references() == [person.code], f"{len(found.references())} care contexts are shown")
    _quiet(scene, found)
    scene.show("a search by a verified mobile number finds one person", "one person, unlinked records, quiet labels")
    stranger = await scene.registered(scene.somebody())
    nothing = await scene.control.discover(stranger.address, HIP_ID)
    scene.must(nothing.status == "failed" and nothing.problem, f"a stranger's search ended as {nothing.status}")
    scene.show("a stranger's search finds nothing", f"refused with {nothing.problem.code if nothing.problem else ''}")
    for other_than in ({"name": "Zubeida Xavier"}, {"gender": "M"}, {"year_of_birth": person.year - 30}):
        relative = scene.somebody()
        as_the_patient = {"mobile": person.mobile, "name": person.name, "year_of_birth": person.year}
        await scene.stage.control.register_patient(relative.account(**as_the_patient | other_than))
        other = await scene.control.discover(relative.address, HIP_ID)
        scene.must(other.status == "failed", f"another {' '.join(other_than)} with this telephone found the records")
    scene.show("somebody else with the same telephone finds nothing", "name, gender and age must agree as well")
    findings = [one.rule for one in await scene.control.findings() if one.rule.startswith("DISC")]
    scene.must(not findings, f"the gateway noted {findings}")


async def shared_at_the_counter(scene: Scene) -> None:
    """701: the profile arrives, a token number is given for 30 minutes, the same again for a second scan."""
    person = await scene.registered()
    counter = f"COUNTER-{person.number}"
    scene.proves("SHARE _PATIENT_PROFILE_701", "GET /v1/queue")
    intent = "PAYMENT_SHARE" if scene.varied("another intent") else "PROFILE_SHARE"
    share = await scene.control.share_profile(person.address, HIP_ID, counter, intent=intent)
    scene.must(share.status == "shared", f"the share ended as {share.status}: {share.problem and share.problem.code}")
    scene.must(share.token_number, "no token number came")
    scene.must(0 < (share.expiry or 0) <= LONGEST_SHARE, f"the token is said to hold {share.expiry} seconds")
    scene.show("the patient scans and gets a token number", "a number that holds 30 minutes at most")
    waiting = [one for one in await scene.get_list("/v1/queue?limit=1000") if one["counter"] == counter]
    scene.must(len(waiting) == 1, f"{len(waiting)} profiles are at the desk")
    scene.must(waiting[0]["profile"]["abhaAddress"] == person.address, "the desk sees another profile")
    scene.must(waiting[0]["tokenNumber"] == share.token_number, "the desk sees another token number")
    scene.show("the desk gets the profile", "one profile with this token number")
    again = await scene.control.share_profile(person.address, HIP_ID, counter)
    scene.must(again.token_number == share.token_number, "a second scan gave another number")
    scene.show("a second scan gives the same number", "the same")
    bystander = await scene.registered(scene.somebody())
    seen = [one["profile"]["abhaAddress"] for one in await scene.get_list("/v1/queue?limit=1000") if one["profile"]]
    scene.must(bystander.address not in seen, "the profile of somebody who cancelled is at the desk")
    scene.show("whoever cancels shares nothing", "no profile at the desk")


def _quiet(scene: Scene, found: DiscoveryView) -> None:
    shown = [c.get("display", "") for group in found.patient for c in group["careContexts"]]
    loud = [word for word in CLINICAL if any(word in text.casefold().split() for text in shown)]
    scene.must(not loud, f"a label says {loud}")


async def _typed(scene: Scene, found: DiscoveryView, references: list[str] | None) -> LinkAttemptView:
    attempt = await scene.control.choose(found, references)
    scene.must(attempt.status == "otp", f"link init ended as {attempt.status}: {attempt.problem}")
    attempt = await scene.control.enter_otp(attempt)
    scene.must(attempt.status == "linked", f"the OTP ended as {attempt.status}: {attempt.problem}")
    return attempt


async def _linked_here(scene: Scene, code: str) -> None:
    await scene.until(f"the link of {code}", f"/v1/links/{code}", lambda seen: seen.get("status") == "linked")
