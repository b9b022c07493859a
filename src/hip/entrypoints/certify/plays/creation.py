"""Health records: every HI type becomes a document that satisfies its NRCeS profile."""

from hip.entrypoints.certify.scene import Scene

NO_CONTENT = "no content"


async def record_created(scene: Scene) -> None:
    """Health_RECORD_CREATION_101, once for each HI type."""
    hi_type = scene.case.hi_type
    code = scene.person.code
    await scene.registered()
    scene.proves("Health_RECORD_CREATION_101", f"hip visits show {code}")
    taken = await scene.hand_over(scene.person.full_visit(hi_type, without=scene.varied(NO_CONTENT)))
    scene.must(taken.status_code == 202, f"the visit was answered HTTP {taken.status_code}: {refusal(taken.json())}")
    scene.show("a visit is recorded in the hospital's system", f"HTTP 202, visit {code}")
    shown = await scene.built(code)
    made = {bundle["hiType"]: bundle for bundle in shown["bundles"]}
    scene.must(hi_type.value in made, f"documents were made of {sorted(made)}")
    scene.show(f"a digital record of type {hi_type.value} is created", f"{made[hi_type.value]['size']} bytes of FHIR")
    scene.proves("DAT_01", f"hip bundles show '{code}|{hi_type.value}'")
    scene.must(made[hi_type.value]["valid"], f"the document is invalid: {faults(made[hi_type.value])}")
    scene.show("it satisfies its NRCeS profile", "no error found")
    scene.proves("LINK-05", f"hip links show {code}")
    ended = await scene.link_ended(code)
    scene.must(ended["status"] == "linked", f"the link ended as {ended['status']}")
    scene.show("the patient's app is told of it", "linked to the ABHA address")


def refusal(answer: dict[str, dict[str, str]]) -> str:
    """The field of a refusal and what it should have been; never the value."""
    error = answer.get("error", {})
    return str(error.get("message", error.get("code", "")))


def faults(bundle: dict[str, object]) -> str:
    """What the validator said, as far as a view tells it."""
    issues = bundle.get("issues")
    if isinstance(issues, list):
        return "; ".join(f"{issue['path']} {issue['message']}" for issue in issues if issue["severity"] == "error")
    return f"{bundle.get('errors', 'some')} errors"
