"""``hip fidelius`` beside the jar it speaks for: same arguments, same JSON, each opening what the other sealed."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
from tests.unit.sealing.fidelius_jar import run_jar
from tests.unit.sealing.peers import Requester, requesters
from typer.testing import CliRunner

from hip.adapters.sealing.encodings import decode_point, encode_x509
from hip.adapters.sealing.ephemeral import public_point
from hip.entrypoints.cli.fidelius import app

TEXT = "Wormtail should never have been Potter cottage's secret keeper."
SENDER, REQUESTER = islice(requesters(31), 2)
NONCES = (SENDER.nonce_text, REQUESTER.nonce_text)
SEALING = (*NONCES, SENDER.private_key, encode_x509(REQUESTER.point))


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result.stdout if code == 0 else result.stderr


def answer(*arguments: str) -> dict[str, str]:
    found = json.loads(run(*arguments))
    assert isinstance(found, dict)
    return found


def opening(content: str, *, sender: Requester = SENDER) -> tuple[str, ...]:
    return (content, REQUESTER.nonce_text, sender.nonce_text, REQUESTER.private_key, encode_x509(sender.point))


@pytest.mark.parametrize("name", ["gkm", "generate-key-material"])
def test_key_material_has_the_keys_and_the_order_of_fidelius_cli(name: str) -> None:
    made = answer(name)
    assert list(made) == ["privateKey", "publicKey", "x509PublicKey", "nonce"]
    assert [len(made[key]) for key in made] == [44, 88, 412, 44]
    point = decode_point(made["publicKey"], field="own")
    assert point == decode_point(made["x509PublicKey"], field="own")
    assert point == public_point(int.from_bytes(b64decode(made["privateKey"]), "big"))
    assert made != answer(name)


@pytest.mark.parametrize("names", [("encrypt", "decrypt"), ("e", "d")])
def test_what_encrypt_seals_decrypt_opens(names: tuple[str, str]) -> None:
    sealed = answer(names[0], TEXT, *SEALING)
    assert list(sealed) == ["encryptedData"]
    assert answer(names[1], *opening(sealed["encryptedData"])) == {"decryptedData": TEXT}


@pytest.mark.parametrize("name", ["sane-encrypt", "se"])
def test_sane_encrypt_is_encrypt_of_base64(name: str) -> None:
    assert answer(name, b64encode(TEXT.encode()).decode(), *SEALING) == answer("e", TEXT, *SEALING)


def test_the_published_example_comes_out_to_the_byte() -> None:
    vector = json.loads(Path(__file__).with_name("vectors.json").read_text())[0]
    sender, requester = vector["sender"], vector["requester"]
    sealed = run("e", TEXT, sender["nonce"], requester["nonce"], sender["private"], requester["public"])
    assert sealed == f'{{\n  "encryptedData": "{vector["content"]}"\n}}\n'
    opened = run("d", vector["content"], requester["nonce"], sender["nonce"], requester["private"], sender["public"])
    assert opened == f'{{\n  "decryptedData": "{vector["plaintext"]}"\n}}\n'


@pytest.mark.parametrize("flag", ["-f", "--filepath"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_command_may_come_from_a_file(flag: str, end: str, tmp_path: Path) -> None:
    file = tmp_path / "call.txt"
    file.write_bytes(end.join(["encrypt", TEXT, *SEALING]).encode())
    assert run(flag, str(file)) == run("encrypt", TEXT, *SEALING)
    file.write_bytes((end.join(["e", "", *SEALING]) + end).encode())
    assert run(flag, str(file)) == run("encrypt", "", *SEALING)


def test_a_text_may_begin_with_a_dash() -> None:
    sealed = answer("e", "-f and --more", *SEALING)
    assert answer("d", *opening(sealed["encryptedData"])) == {"decryptedData": "-f and --more"}


AWKWARD_TEXTS = (
    "",
    "naïve <a href='x'> & \"quoted\" \\ हिन्दी",
    '{"a":\u2028\u2029"\x7f/"}',
    "😀\u0001\u001f\b\f\r\n\t",
)


def test_the_command_and_the_jar_print_the_same_and_open_each_other() -> None:
    made = answer("gkm")
    raw_sealing = (*NONCES, SENDER.private_key, made["publicKey"])
    calls: list[Sequence[str]] = [("generate-key-material",)]
    for text in AWKWARD_TEXTS:
        encoded = b64encode(text.encode()).decode()
        sealed = answer("se", encoded, *SEALING)["encryptedData"]
        calls += [
            ("sane-encrypt", encoded, *SEALING),
            ("se", encoded, *raw_sealing),
            ("decrypt", *opening(sealed)),
            ("d", *opening(sealed)),
        ]
    calls += [("encrypt", TEXT, *SEALING), ("e", "", *SEALING)]
    key_material, *others = run_jar(calls)
    for call, printed in zip(calls[1:], others, strict=True):
        assert run(*call) == printed
    for text in AWKWARD_TEXTS:
        assert {"decryptedData": text} in [json.loads(printed) for printed in others]

    theirs = json.loads(key_material)
    assert list(theirs) == list(made)
    for public_key in (theirs["publicKey"], theirs["x509PublicKey"]):
        sealed = answer("e", TEXT, *NONCES, SENDER.private_key, public_key)["encryptedData"]
        arguments = (sealed, *reversed(NONCES), theirs["privateKey"], encode_x509(SENDER.point))
        assert answer("d", *arguments) == {"decryptedData": TEXT}


SEALING_NAMES = ("sender-nonce", "requester-nonce", "sender-private-key", "requester-public-key")
OPENING_NAMES = ("encrypted-data", "requester-nonce", "sender-nonce", "requester-private-key", "sender-public-key")


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("command", ["encrypt", "se", "d"])
def test_a_bad_argument_is_named_and_ends_with_two(command: str, position: int) -> None:
    order = {
        "encrypt": ("string-to-encrypt", *SEALING_NAMES),
        "se": ("string-to-encrypt-base64-encoded", *SEALING_NAMES),
        "d": OPENING_NAMES,
    }[command]
    arguments = list(opening("AAAA") if command == "d" else ("AAAA", *SEALING))
    bad = "\ud800" if (command, position) == ("encrypt", 0) else "not base64!"
    arguments[position] = bad
    said = run(command, *arguments, code=2)
    assert said.startswith(f"error: {order[position]}: expected ")
    assert bad not in said


@pytest.mark.parametrize("count", range(5))
def test_a_missing_argument_is_named(count: int) -> None:
    names = ("string-to-encrypt", *SEALING_NAMES)
    assert names[count] in run("e", *("hello", *SEALING)[:count], code=2)


def test_an_unknown_command_or_none_ends_with_two() -> None:
    assert "meh" in run("meh", code=2)
    assert "Usage" in run(code=2)
    assert "unexpected extra argument" in run("gkm", "surplus", code=2)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ([""], "filepath line 1"),
        (["meh"], "filepath line 1"),
        (["e"], "string-to-encrypt"),
        (["e", "hello", NONCES[0]], "requester-nonce"),
        (["e", "hello", NONCES[0], "", *SEALING[2:]], "requester-nonce"),
        (["se", "hello!", *SEALING], "string-to-encrypt-base64-encoded"),
        (["e", "two", "lines", *SEALING], "filepath"),
        (["gkm", "surplus"], "filepath"),
    ],
)
def test_a_bad_file_names_the_argument(lines: list[str], named: str, tmp_path: Path) -> None:
    file = tmp_path / "call.txt"
    file.write_text("\n".join(lines))
    assert run("-f", str(file), code=2).startswith(f"error: {named}: expected ")


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    assert "filepath: expected a readable file" in run("-f", str(tmp_path / "none.txt"), code=2)
    assert "filepath: expected a readable file" in run("-f", str(tmp_path), code=2)
    (tmp_path / "latin.txt").write_bytes(b"e\n\xe9\n")
    assert "filepath: expected a file of UTF-8 text" in run("-f", str(tmp_path / "latin.txt"), code=2)
    (tmp_path / "call.txt").write_text("gkm\n")
    assert "filepath: expected no command beside it" in run("-f", str(tmp_path / "call.txt"), "gkm", code=2)


def test_content_that_does_not_open_ends_with_one() -> None:
    sealed = answer("e", TEXT, *SEALING)["encryptedData"]
    other = next(requesters(32))
    assert "does not open" in run("d", *opening(sealed, sender=other), code=1)
    not_text = answer("se", b64encode(b"\xff\xfe").decode(), *SEALING)["encryptedData"]
    assert "no UTF-8 text" in run("d", *opening(not_text), code=1)
