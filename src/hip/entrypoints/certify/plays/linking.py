"""HIP-initiated linking by demographics, and the SMS that invites a patient without an ABHA address."""

from typing import Any

from hip.entrypoints.certify.plays.creation import refusal
from hip.entrypoints.certify.plays.transfers import pulled
from hip.entrypoints.certify.scene import Scene
from hip.entrypoints.demo.stages import HIP_ID

TOKEN, LINK, NOTIFY = "token/generate-token", "link/carecontext", "link/context/notify"
SMS = "sms/notify2"


async def address_entered(scene: Scene) -> None:
    """501: the verified ABHA address is entered at the desk and is what the gateway is asked about."""
    await scene.registered()
    record = scene.person.visit()
    if scene.varied("malformed address"):
        record["patient"]["abhaAddress"] = "no domain"
    scene.proves("HIP_INTI_LINK_501", "the answer of POST /v1/visits")
    taken = await scene.hand_over(record)
    scene.must(taken.status_code == 202, f"the desk's entry was answered: {refusal(taken.json())}")
    scene.show("the desk enters a verified ABHA address", "taken")
    await scene.link_ended(scene.person.code)
    asked = [call.body for call in await scene.calls(TOKEN)]
    scene.must([body["abhaAddress"] for body in asked] == [scene.person.address], f"{len(asked)} requests named it")
    scene.show("the gateway is asked about this address", "one generate-token request names it")


async def demographics_entered(scene: Scene) -> None:
    """502: name, gender and year of birth travel as they were entered."""
    person = await scene.registered()
    record = person.visit()
    if scene.varied("no gender"):
        del record["patient"]["gender"]
    scene.proves("HIP_INTI_LINK_502", "the answer of POST /v1/visits")
    taken = await scene.hand_over(record)
    scene.must(taken.status_code == 202, f"the desk's entry was answered: {refusal(taken.json())}")
    scene.show("name, gender, date of birth and mobile are entered", "taken")
    await scene.link_ended(person.code)
    [call] = await scene.calls(TOKEN)
    sent = (call.body.get("name"), call.body.get("gender"), int(call.body.get("yearOfBirth", 0)))
    scene.must(sent == (person.name, "F", person.year), "generate-token says something else than the desk entered")
    scene.show("they are sent for validation", "name, gender and yearOfBirth as entered")


async def validated(scene: Scene) -> None:
    """503: the gateway compares them with the ABHA profile; what does not agree links nothing."""
    person = await scene.registered()
    record = person.visit()
    if scene.varied("another year of birth"):
        record["patient"]["birthDate"] = str(person.year - 1)
    await scene.hand_over(record)
    ended = await scene.link_ended(person.code)
    scene.proves("HIP_INTI_LINK_503", f"hip links show {person.code}")
    scene.must(ended["code"] is None, f"refused with {ended['code']}: {ended['advice']}")
    scene.show("the demographics are validated", "on-generate-token carries no error")


async def token_obtained(scene: Scene) -> None:
    """504: a link token comes by callback, is taken, and opens the link call."""
    person = scene.person
    if not scene.varied("unknown account"):
        await scene.registered()
    await scene.hand_over(person.visit())
    ended = await scene.link_ended(person.code)
    scene.proves("HIP_INTI_LINK_504", "hip exchanges list")
    scene.must(ended["sentWith"] is not None or ended["status"] == "linked", f"no token came: {ended['code']}")
    sent = await scene.calls(LINK, mentioning=person.code)
    scene.must([call.status for call in sent] == [202], f"the link call was answered {[c.status for c in sent]}")
    scene.show("a link token is obtained", "the gateway takes the link call that carries it")


async def records_linked(scene: Scene) -> None:
    """505: the records are linked at both sides, with exactly the HI types that have a document."""
    person = await scene.registered()
    record = person.visit(hi_types=("OPConsultation", "Prescription"))
    if scene.varied("number of another account"):
        record["patient"]["abhaNumber"] = scene.somebody().abha_number
    await scene.hand_over(record)
    ended = await scene.link_ended(person.code)
    scene.proves("HIP_INTI_LINK_505", f"hip links show {person.code}")
    scene.must(ended["status"] == "linked", f"the link ended as {ended['status']} {ended['code'] or ''}")
    await at_the_gateway(scene, person.code, {"OPConsultation", "Prescription"})
    scene.show("the records are linked", "both HI types, at our side and at the gateway")


async def pulled_in_the_app(scene: Scene) -> None:
    """506: the patient's app can pull what was linked."""
    await scene.linked(scene.person.visit())
    await pulled(scene, "HIP_INTI_LINK_506", deny=scene.varied("the patient denies"))


async def invited_by_sms(scene: Scene) -> None:
    """HIP_INIT_NOTIFY_HIECM: no ABHA address; an SMS invites, the app finds the new care context."""
    person = scene.person
    record = person.visit(abha=False)
    await scene.hand_over(record)
    await scene.link_ended(person.code)
    scene.proves("HIP_INIT_NOTIFY_HIECM", f"hip links show {person.code}")
    reader = scene.somebody() if scene.varied("another telephone") else person
    inbox = [sms for sms in await scene.control.sms_inbox(reader.mobile) if sms.sender == "ABDM"]
    scene.must(len(inbox) == 1, f"{len(inbox)} messages came to the patient's telephone")
    scene.must("https://" in inbox[0].text, "the message has no link")
    scene.show("the patient gets one SMS with a deep link", "one message, with a link")
    [call] = await scene.calls(SMS, mentioning=person.mobile)
    notice: dict[str, Any] = call.body.get("notification", {})
    scene.must(set(notice) == {"phoneNo", "hip"}, f"notify2 says {sorted(notice)}")
    scene.show("the gateway is told the mobile number and the HIP alone", "notification: phoneNo and hip")
    await scene.registered()
    found = await scene.control.discover(person.address, HIP_ID)
    scene.must(found.references() == [person.code], f"the search found {len(found.references())} care contexts")
    scene.show("the app finds the new care context", "one care context found")


async def one_context_each(scene: Scene) -> None:
    """LNK_01: each record becomes one care context, and only after its documents are stored and valid."""
    person, codes = scene.person, [scene.person.code, f"{scene.person.code}-B"]
    await scene.registered()
    scene.proves("LNK_01", "hip links list")
    for code in codes:
        record = person.visit(code=code)
        if scene.varied("the second is refused") and code != person.code:
            record["patient"]["birthDate"] = "no date"
        await scene.hand_over(record)
        shown = await scene.get(f"/v1/visits/{code}")
        scene.must(shown, f"{code} is no record here")
        ended = await scene.link_ended(code)
        scene.must(ended["status"] == "linked", f"{code} ended as {ended['status']} {ended['code'] or ''}")
        await at_the_gateway(scene, code, {"Prescription"})
    scene.show("each record is one care context", "two records, two contexts, each linked once")
    scene.proves("LINK-05", "hip visits show CODE")
    for code in codes:
        shown = await scene.get(f"/v1/visits/{code}")
        late = [b["hiType"] for b in shown["bundles"] if not b["valid"] or b["composedAt"] > shown["linkedAt"]]
        scene.must(shown["bundles"] and not late, f"{code} was linked before {late or 'any document'} was valid")
    scene.show("it is linked only when its documents are stored and valid", "composedAt before linkedAt")


async def token_used_again(scene: Scene) -> None:
    """LNK_02: the link token is stored, fits the address, and serves the next visit."""
    person = scene.person
    await scene.linked(person.visit())
    scene.proves("LNK_02", "hip exchanges list")
    other = scene.somebody() if scene.varied("another member of the family") else person
    second = f"{person.code}-B"
    await scene.linked(other.visit(code=second), other)
    scene.proves("LNK_02", "hip exchanges list")
    links = await scene.control.links(person.address)
    asked = await scene.calls(TOKEN)
    scene.must(
        (len(links), len(asked)) == (2, 1), f"{len(links)} links under this address with {len(asked)} token requests"
    )
    scene.show("a stored token serves the next link", "two visits linked, one token requested")
    await at_the_gateway(scene, second, {"Prescription"})


async def repeated(scene: Scene) -> None:
    """LNK_03: handing the same record over again links nothing twice."""
    person = scene.person
    await scene.linked(person.visit())
    record = person.visit()
    if scene.varied("the record has changed"):
        record["medications"][0]["text"] = "Paracetamol 650 mg tablet"
    scene.proves("LNK_03", f"hip links show {person.code}")
    again = await scene.hand_over(record)
    scene.must(
        again.status_code == 200 and again.json()["changed"] is False,
        f"the same record again was answered HTTP {again.status_code}",
    )
    sent = await scene.calls(LINK, mentioning=person.code)
    scene.must(len(sent) == 1, f"{len(sent)} link calls went out")
    scene.show("the same record again changes nothing", "HTTP 200, unchanged; one link call in all")


async def announced(scene: Scene) -> None:
    """NTF_01, context notify: new data in a linked care context is announced and the gateway agrees."""
    person = scene.person
    await scene.linked(person.visit())
    record = person.visit()
    if not scene.varied("nothing new"):
        record["medications"][0]["text"] = "Paracetamol 650 mg tablet"
    scene.proves("NTF_01", "hip exchanges list")
    await scene.hand_over(record)

    async def look() -> list[Any]:
        made = await scene.get_list("/v1/exchanges")
        return [one for one in made if one["flow"] == "context-notify" and await _about(scene, one)]

    def answered(seen: list[Any]) -> bool:
        return any(one["attempts"][-1]["answeredAt"] and not one["attempts"][-1]["code"] for one in seen)

    await scene.hurried.until("the answer to the context notify", look, answered)
    calls = await scene.calls(NOTIFY, mentioning=person.code)
    notice = calls[-1].body["notification"]
    scene.must(notice["hiTypes"] == ["Prescription"], f"it announces {notice['hiTypes']}")
    scene.must(notice["careContext"]["careContextReference"] == person.code, "it names another care context")
    scene.show("new data in a linked care context is announced", "context notify taken, on-notify: SUCCESS")


async def _about(scene: Scene, exchange: dict[str, Any]) -> bool:
    ids = {attempt["requestId"] for attempt in exchange["attempts"]}
    return any(call.request_id in ids for call in await scene.calls(NOTIFY, mentioning=scene.person.code))


async def at_the_gateway(scene: Scene, code: str, hi_types: set[str]) -> None:
    """The gateway's book has this care context, with exactly these HI types."""
    links = [link for link in await scene.control.links(scene.person.address) if link.reference == code]
    scene.must(len(links) == 1, f"the gateway has {len(links)} links of {code}")
    scene.must(set(links[0].hi_types) == hi_types, f"{code} is linked with {sorted(links[0].hi_types)}")
