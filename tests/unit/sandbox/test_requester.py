"""The HIU: what it refuses at its door, how it is difficult, how it opens what came (contract §2.11, §3, §7.2)."""

import base64
import copy
import hashlib
import json
from typing import Any

import msgspec
import pytest
from abdm_ecdh import KeyMaterial, encrypt, generate_key_material
from tests.unit.sandbox.conftest import Network, NetworkFactory
from tests.unit.sandbox.scripted_hip import BUNDLE, ScriptedHip, Seen, entry

from hip.entrypoints.sandbox.control_line import Refused
from hip.entrypoints.sandbox.hiu.config import HiuConfig, UnknownFault
from hip.entrypoints.sandbox.hiu.opening import open_page
from hip.entrypoints.sandbox.hiu.pages import BadPage, read_page
from hip.entrypoints.sandbox.views import HiuTransferView, OpenedRecord

pytestmark = pytest.mark.anyio

# The second vector of the contract's §3.7: the shared secret begins with a zero byte.
HIU_PRIVATE = "DG5yvPCL8NYfISDNiIL59YMvieASq9Ix4qwGDbzjmvA="
HIU_NONCE = "9R+U6fLyxFn6PVAHRhncWiZdyKkmFbGGFbeR/bOvIFM="
HIP_PUBLIC = "BEf/HpAaN+VYFC3nmEwylPF5rCy982O/1qprIT/08+QFWhnXgdQ/6yNFgi91C4I0L7vk73dikA9qhgcz4E2sqGw="
HIP_NONCE = "fEz/Sdv+whns9HfBXTSVNk5+fKC/+nSuhLH8AGaYrmo="
PADDED = "Go/xsZ7qAibhTp4icApDSFiTYRe9cGMTqBj0ke/bs1K2/0N6vyOj/58="
STRIPPED = "rLSpi+TlTycay/TMZ74qUzR4WMHWpYVfZ6zsLUGnkkYXYuD1hJqvUAE="
VECTOR_KEYS = KeyMaterial(private_key=HIU_PRIVATE, public_key="", x509_public_key="", nonce=HIU_NONCE)


def page_of(content: str, *, key: str = HIP_PUBLIC, nonce: str = HIP_NONCE, checksum: str = "") -> dict[str, Any]:
    sealed = {
        "content": content,
        "media": "application/fhir+json",
        "checksum": checksum,
        "careContextReference": "visit-1",
    }
    material = {
        "cryptoAlg": "ECDH",
        "curve": "curve25519",
        "dhPublicKey": {"expiry": "2126-03-16T06:52:00.000Z", "keyValue": key},
        "nonce": nonce,
    }
    return {"pageNumber": 1, "pageCount": 1, "transactionId": "t-1", "entries": [sealed], "keyMaterial": material}


def opened(page: dict[str, Any], *faults: str, own: KeyMaterial = VECTOR_KEYS) -> OpenedRecord:
    read = read_page(json.dumps(page).encode(), authorization=False)
    (record,) = open_page(read, own, consent_id="c-1", faults=frozenset(faults))
    return record


def test_the_vector_with_a_padded_secret_opens() -> None:
    record = opened(page_of(PADDED))
    assert record.content == b'{"resourceType":"Bundle"}'
    assert record.sha256 == hashlib.sha256(record.content).hexdigest()
    assert record.resource_type == "Bundle"
    assert record.key_form == "raw"


def test_the_vector_with_a_stripped_secret_opens_for_a_requester_that_strips_zeros() -> None:
    assert opened(page_of(STRIPPED), "strips-zeros").content == b'{"resourceType":"Bundle"}'
    assert opened(page_of(STRIPPED)).problem == "the content does not open: wrong key, nonce or altered bytes"
    assert opened(page_of(PADDED), "strips-zeros").content == b""


def test_a_bundle_that_is_no_valid_resource_is_opened_and_its_fault_is_named_without_its_values() -> None:
    own, theirs = generate_key_material(), generate_key_material()
    text = json.dumps({"resourceType": "Bundle", "type": "document", "entry": [{"fullUrl": 7, "kulkarni": "Meera"}]})
    sealed = encrypt(text, theirs.nonce, own.nonce, theirs.private_key, own.public_key).encrypted_data
    record = opened(page_of(sealed, key=theirs.x509_public_key, nonce=theirs.nonce), own=own)
    assert record.content == text.encode()
    assert record.key_form == "x509"
    assert record.problem is not None
    assert record.problem.startswith("not a valid R4B Bundle")
    assert "Meera" not in record.problem
    assert "Meera" not in repr(record)


def test_a_text_that_is_no_resource_is_opened_and_said_to_be_none() -> None:
    own, theirs = generate_key_material(), generate_key_material()
    sealed = encrypt("[1]", theirs.nonce, own.nonce, theirs.private_key, own.public_key).encrypted_data
    record = opened(page_of(sealed, key=theirs.public_key, nonce=theirs.nonce), own=own)
    assert (record.content, record.problem) == (b"[1]", "the content is no FHIR resource")


PLAINTEXT_MD5 = hashlib.md5(b'{"resourceType":"Bundle"}')


@pytest.mark.parametrize(
    ("checksum", "expected"),
    [
        ("", "absent"),
        ("string", "differs"),
        ("d41d8cd98f00b204e9800998ecf8427e", "differs"),
        (PLAINTEXT_MD5.hexdigest(), "match"),
        (base64.b64encode(PLAINTEXT_MD5.digest()).decode(), "match"),
    ],
)
def test_a_checksum_is_compared_in_hex_and_base64_and_never_a_reason_to_refuse(checksum: str, expected: str) -> None:
    record = opened(page_of(PADDED, checksum=checksum))
    assert record.checksum == expected
    assert record.content == b'{"resourceType":"Bundle"}'


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"keyValue": "AAAA"}, "key material"),
        ({"keyValue": base64.b64encode(b"\x04" + bytes(64)).decode()}, "key material"),
        ({"nonce": base64.b64encode(bytes(16)).decode()}, "key material"),
        ({"content": "not base64!"}, "content"),
    ],
)
def test_what_cannot_be_opened_says_why(change: dict[str, str], problem: str) -> None:
    page = page_of(
        change.get("content", PADDED), key=change.get("keyValue", HIP_PUBLIC), nonce=change.get("nonce", HIP_NONCE)
    )
    record = opened(page)
    assert record.problem is not None
    assert record.problem.startswith(problem)


def removed(*path: str | int) -> dict[str, Any]:
    page: Any = page_of(PADDED)
    part = page
    for step in path[:-1]:
        part = part[step]
    del part[path[-1]]
    return page


@pytest.mark.parametrize(
    "path",
    [
        ("pageNumber",),
        ("pageCount",),
        ("transactionId",),
        ("entries",),
        ("keyMaterial",),
        ("keyMaterial", "nonce"),
        ("keyMaterial", "cryptoAlg"),
        ("keyMaterial", "dhPublicKey", "expiry"),
        ("keyMaterial", "dhPublicKey", "keyValue"),
        ("entries", 0, "careContextReference"),
        ("entries", 0, "content"),
    ],
)
def test_a_page_without_a_field_is_bad(path: tuple[str | int, ...]) -> None:
    with pytest.raises(BadPage):
        read_page(json.dumps(removed(*path)).encode(), authorization=False)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("pageNumber",), "1"),
        (("pageNumber",), 2),
        (("pageCount",), 0),
        (("entries",), []),
        (("keyMaterial", "curve"), "X25519"),
        (("keyMaterial", "cryptoAlg"), "RSA"),
        (("keyMaterial", "nonce"), "n" * 51),
        (("keyMaterial", "dhPublicKey", "keyValue"), "k" * 501),
        (("keyMaterial", "dhPublicKey", "expiry"), "16/03/2026"),
    ],
)
def test_a_page_with_a_wrong_value_is_bad(path: tuple[str, ...], value: Any) -> None:
    page: Any = copy.deepcopy(page_of(PADDED))
    part = page
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(BadPage):
        read_page(json.dumps(page).encode(), authorization=False)


def test_a_page_from_zero_is_as_good_as_one_from_one() -> None:
    raw = json.dumps({**page_of(PADDED), "pageNumber": 0}).encode()
    assert read_page(raw, authorization=False).number == 0


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(UnknownFault, match="moody"):
        HiuConfig(faults=("moody",))


async def transferred(network: Network) -> HiuTransferView:
    """One whole transfer by a HIP that insists."""
    network.hip.behave()
    await network.hip.linked(entry("visit-1"))
    case = await network.control.consented("meera.k01@sbx", ["Prescription"])
    return await network.control.wait_for_pages(case.transfers[0])


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [("first-push-404", [404, 202]), ("first-push-503", [503, 202]), ("slow", [202])],
)
async def test_a_difficult_first_push_is_repeated(networks: NetworkFactory, fault: str, statuses: list[int]) -> None:
    async with networks(hiu={"faults": (fault,)}) as network:
        await transferred(network)
        await network.control.wait_for_call("health-information/notify")
        pushed = [reply.status_code for reply in network.hip.replies if "transfer" in str(reply.request.url)]
    assert pushed[-len(statuses) :] == statuses


async def test_a_push_without_authorization_is_401_when_the_requester_demands_it(networks: NetworkFactory) -> None:
    async with networks(hiu={"faults": ("needs-authorization",)}) as network:
        request = await waiting_request(network)
        page = network.hip.page(request.body, "visit-1")
        url = request.body["hiRequest"]["dataPushUrl"]
        assert (await network.hip.push(url, page)).status_code == 401
        assert (await network.hip.push(url, page, authorization="Bearer x")).status_code == 202
        (seen,) = await network.control.hiu_transfers()
        assert seen.authorization_seen


async def waiting_request(network: Network) -> Seen:
    """A data request that the HIP acknowledged, with nothing pushed."""
    network.hip.behave()

    async def acknowledge(hip: ScriptedHip, seen: Seen) -> None:
        session = {"transactionId": seen.body["transactionId"], "sessionStatus": "ACKNOWLEDGED"}
        await hip.answer("/data-flow/v3/health-information/hip/on-request", seen, hiRequest=session)

    network.hip.scripts["/api/v3/hip/health-information/request"] = acknowledge
    await network.hip.linked(entry("visit-1"))
    case = await network.control.consented("meera.k01@sbx", ["Prescription"])
    assert case.transfers[0].state == "accepted"
    return await network.hip.callback("hip/health-information/request")


async def test_the_door_wants_the_address_and_the_transaction_exactly(network: Network) -> None:
    request = await waiting_request(network)
    url, page = request.body["hiRequest"]["dataPushUrl"], network.hip.page(request.body, "visit-1")
    without_slash = await network.http.post(url.rstrip("/"), json=page)
    unknown = await network.http.post(url, json={**page, "transactionId": "other"})
    bad = await network.http.post(url, json={**page, "entries": []})
    good = await network.http.post(url, json=page)
    assert [r.status_code for r in (without_slash, unknown, bad, good)] == [404, 404, 400, 202]
    (seen,) = await network.control.hiu_transfers()
    assert not seen.authorization_seen


async def test_a_page_that_comes_twice_is_kept_twice_and_marked(network: Network) -> None:
    request = await waiting_request(network)
    url = request.body["hiRequest"]["dataPushUrl"]
    for _ in range(2):
        await network.http.post(url, json=network.hip.page(request.body, "visit-1", x509=False))
    records = await network.control.opened_records(request.body["transactionId"])
    assert [(record.repeat, record.key_form) for record in records] == [(False, "raw"), (True, "raw")]
    assert {record.content.decode() for record in records} == {BUNDLE}
    await network.control.wait_for_notify(request.body["transactionId"], "HIU")
    assert len(await network.control.notifies(request.body["transactionId"], "HIU")) == 1


@pytest.mark.parametrize(("fault", "x509"), [("raw-only", True), ("x509-only", False)])
async def test_a_requester_may_read_one_form_of_key_only(network: Network, fault: str, x509: bool) -> None:
    request = await waiting_request(network)
    url = request.body["hiRequest"]["dataPushUrl"]
    await network.http.post(url, json=network.hip.page(request.body, "visit-1", x509=x509))
    await network.control.hiu_faults(fault)
    (record,) = await network.control.opened_records(request.body["transactionId"])
    assert record.problem is not None
    assert "this requester cannot read a key" in record.problem
    assert record.content == b""


async def test_a_requester_may_send_its_key_as_x509(networks: NetworkFactory) -> None:
    async with networks(hiu={"faults": ("sends-x509",)}) as network:
        done = await transferred(network)
        assert done.transaction_id is not None
        (record,) = await network.control.opened_records(done.transaction_id)
        assert record.problem is None
        key = (await network.hip.callback("hip/health-information/request")).body["hiRequest"]["keyMaterial"]
        assert len(key["dhPublicKey"]["keyValue"]) == 412


async def test_sealed_pages_can_be_given_to_another_decryptor(network: Network) -> None:
    done = await transferred(network)
    assert done.transaction_id is not None
    sealed = await network.control.sealed_pages(done.transaction_id)
    own = KeyMaterial(private_key=sealed.private_key, public_key="", x509_public_key="", nonce=sealed.nonce)
    (page,) = (read_page(raw, authorization=False) for raw in sealed.pages)
    (record,) = open_page(page, own, consent_id="")
    assert record.content.decode() == BUNDLE
    assert sealed.private_key not in repr(sealed)


async def test_unknown_names_are_refused_by_the_control_api(network: Network) -> None:
    with pytest.raises(Refused, match="404"):
        await network.control.opened_records("unknown")
    with pytest.raises(Refused, match="moody"):
        await network.control.hiu_faults("moody")
    with pytest.raises(Refused, match="404"):
        await network.control.request_data("unknown")


async def test_a_refused_push_url_of_ones_own_choice_reaches_the_hip(network: Network) -> None:
    request = await waiting_request(network)
    consent_id = request.body["hiRequest"]["consent"]["id"]
    await network.control.request_data(consent_id, dataPushUrl="http://169.254.169.254/", keyExpiry="2020-01-01")
    body = (await network.hip.callback("hip/health-information/request", 2)).body["hiRequest"]
    assert body["dataPushUrl"] == "http://169.254.169.254/"
    assert body["keyMaterial"]["dhPublicKey"]["expiry"] == "2020-01-01"
    assert msgspec.to_builtins(await network.control.hiu_transfers())[0]["consentId"] == consent_id
