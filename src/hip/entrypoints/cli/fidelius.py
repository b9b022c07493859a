"""``hip fidelius``: the public fidelius-cli's commands, arguments and JSON, so that each tool can check the other.

Commands ``generate-key-material`` (``gkm``), ``encrypt`` (``e``), ``sane-encrypt`` (``se``), ``decrypt`` (``d``), and
``--filepath FILE`` (``-f``), which reads the command and its arguments from a file, one a line. Where fidelius-cli
answers a bad argument with a stack trace and exit code 0, this one names the argument and exits with 2; content that
does not open exits with 1. Private keys on a command line are seen by other processes: for tests, not for patients.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hip.adapters.sealing.encodings import (
    NONCE_BYTES,
    decode_base64,
    decode_integer,
    decode_nonce,
    decode_point,
    encode_bytes,
    encode_integer,
    encode_raw,
    encode_x509,
)
from hip.adapters.sealing.envelope import ContentUnreadable, Envelope
from hip.adapters.sealing.ephemeral import new_integer, shared_secret
from hip.adapters.sealing.opener import open_content
from hip.domain.errors import InvalidValue, KeyMaterialRefused

Answer = Mapping[str, str]

# A text may begin with a dash; everything after the command is an argument.
_VERBATIM = {"ignore_unknown_options": True}

app = typer.Typer(
    name="fidelius",
    help="Seal and open text with given keys: the arguments and JSON of fidelius-cli.",
    rich_markup_mode=None,
    add_completion=False,
)


def key_material() -> Answer:
    """A private integer, its public key raw and as X.509, and a 32-byte nonce, all base64."""
    d, point = new_integer()
    return {
        "privateKey": encode_integer(d),
        "publicKey": encode_raw(point),
        "x509PublicKey": encode_x509(point),
        "nonce": encode_bytes(secrets.token_bytes(NONCE_BYTES)),
    }


def encrypted(text: str, sender_nonce: str, requester_nonce: str, private_key: str, public_key: str) -> Answer:
    """Seal ``text`` as UTF-8. Raises InvalidValue or KeyMaterialRefused, naming the argument."""
    try:
        plaintext = text.encode()
    except UnicodeEncodeError:
        raise InvalidValue("string-to-encrypt", "UTF-8 text") from None
    return _sealed(plaintext, sender_nonce, requester_nonce, private_key, public_key)


def sanely_encrypted(text: str, sender_nonce: str, requester_nonce: str, private_key: str, public_key: str) -> Answer:
    """Seal what base64 ``text`` holds, so that no shell needs to quote JSON. Raises KeyMaterialRefused."""
    plaintext = decode_base64(text, field="string-to-encrypt-base64-encoded")
    return _sealed(plaintext, sender_nonce, requester_nonce, private_key, public_key)


def decrypted(content: str, requester_nonce: str, sender_nonce: str, private_key: str, public_key: str) -> Answer:
    """Open base64 ``content``. Raises KeyMaterialRefused, naming the argument, or ContentUnreadable."""
    plaintext = open_content(
        decode_base64(content, field="encrypted-data"),
        shared=_agreed(private_key, public_key, mine="requester", theirs="sender"),
        sender_nonce=decode_nonce(sender_nonce, field="sender-nonce"),
        receiver_nonce=decode_nonce(requester_nonce, field="requester-nonce"),
    )
    try:
        return {"decryptedData": plaintext.decode()}
    except UnicodeDecodeError:
        raise ContentUnreadable("the content opens, but holds no UTF-8 text") from None


def _sealed(plaintext: bytes, sender_nonce: str, requester_nonce: str, private_key: str, public_key: str) -> Answer:
    envelope = Envelope.between(
        sender_nonce=decode_nonce(sender_nonce, field="sender-nonce"),
        receiver_nonce=decode_nonce(requester_nonce, field="requester-nonce"),
        shared=_agreed(private_key, public_key, mine="sender", theirs="requester"),
    )
    return {"encryptedData": encode_bytes(envelope.seal(plaintext))}


def _agreed(private_key: str, public_key: str, *, mine: str, theirs: str) -> bytes:
    d = decode_integer(private_key, field=f"{mine}-private-key")
    return shared_secret(d, decode_point(public_key, field=f"{theirs}-public-key"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a command file may hold: the names of a command and of its arguments, in order."""

    names: tuple[str, str]
    arguments: tuple[str, ...]
    answer: Callable[..., Answer]


_SEALING = ("sender-nonce", "requester-nonce", "sender-private-key", "requester-public-key")
COMMANDS = (
    Command(names=("generate-key-material", "gkm"), arguments=(), answer=key_material),
    Command(names=("encrypt", "e"), arguments=("string-to-encrypt", *_SEALING), answer=encrypted),
    Command(
        names=("sane-encrypt", "se"),
        arguments=("string-to-encrypt-base64-encoded", *_SEALING),
        answer=sanely_encrypted,
    ),
    Command(
        names=("decrypt", "d"),
        arguments=("encrypted-data", "requester-nonce", "sender-nonce", "requester-private-key", "sender-public-key"),
        answer=decrypted,
    ),
)

SenderNonce = Annotated[str, typer.Argument(metavar="sender-nonce", help="base64 of 32 bytes")]
RequesterNonce = Annotated[str, typer.Argument(metavar="requester-nonce", help="base64 of 32 bytes")]
SenderPrivateKey = Annotated[
    str, typer.Argument(metavar="sender-private-key", help="base64 of a big-endian integer of 32 bytes")
]
RequesterPrivateKey = Annotated[
    str, typer.Argument(metavar="requester-private-key", help="base64 of a big-endian integer of 32 bytes")
]
RequesterPublicKey = Annotated[str, typer.Argument(metavar="requester-public-key", help="raw or X.509, base64")]
SenderPublicKey = Annotated[str, typer.Argument(metavar="sender-public-key", help="raw or X.509, base64")]


@app.callback(invoke_without_command=True)
def fidelius(
    context: typer.Context,
    filepath: Annotated[
        Path | None,
        typer.Option("--filepath", "-f", metavar="FILE", help="Read the command and its arguments, one a line."),
    ] = None,
) -> None:
    """Seal and open text with given keys: the arguments and JSON of fidelius-cli."""
    if filepath is not None:
        if context.invoked_subcommand is not None:
            _refuse("filepath: expected no command beside it")
        _print(lambda: _answer_of(filepath))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command("gkm", hidden=True)
@app.command("generate-key-material")
def generate_key_material() -> None:
    """Generate an ECDH key pair and a nonce (gkm)."""
    _print(key_material)


@app.command("e", hidden=True, context_settings=_VERBATIM)
@app.command("encrypt", context_settings=_VERBATIM)
def encrypt(
    text: Annotated[str, typer.Argument(metavar="string-to-encrypt")],
    sender_nonce: SenderNonce,
    requester_nonce: RequesterNonce,
    sender_private_key: SenderPrivateKey,
    requester_public_key: RequesterPublicKey,
) -> None:
    """Encrypt a text (e)."""
    _print(lambda: encrypted(text, sender_nonce, requester_nonce, sender_private_key, requester_public_key))


@app.command("se", hidden=True, context_settings=_VERBATIM)
@app.command("sane-encrypt", context_settings=_VERBATIM)
def sane_encrypt(
    text: Annotated[str, typer.Argument(metavar="string-to-encrypt-base64-encoded")],
    sender_nonce: SenderNonce,
    requester_nonce: RequesterNonce,
    sender_private_key: SenderPrivateKey,
    requester_public_key: RequesterPublicKey,
) -> None:
    """Encrypt a text given as base64 (se)."""
    _print(lambda: sanely_encrypted(text, sender_nonce, requester_nonce, sender_private_key, requester_public_key))


@app.command("d", hidden=True, context_settings=_VERBATIM)
@app.command("decrypt", context_settings=_VERBATIM)
def decrypt(
    content: Annotated[str, typer.Argument(metavar="encrypted-data")],
    requester_nonce: RequesterNonce,
    sender_nonce: SenderNonce,
    requester_private_key: RequesterPrivateKey,
    sender_public_key: SenderPublicKey,
) -> None:
    """Decrypt what a sender encrypted (d)."""
    _print(lambda: decrypted(content, requester_nonce, sender_nonce, requester_private_key, sender_public_key))


def _answer_of(filepath: Path) -> Answer:
    try:
        lines = filepath.read_text(encoding="utf-8-sig").split("\n")
    except OSError as failure:
        raise InvalidValue("filepath", f"a readable file ({failure.strerror})") from None
    except UnicodeDecodeError:
        raise InvalidValue("filepath", "a file of UTF-8 text") from None
    return _dispatched([line.removesuffix("\r") for line in lines])


def _dispatched(lines: Sequence[str]) -> Answer:
    command = next((known for known in COMMANDS if lines[0] in known.names), None)
    if command is None:
        names = ", ".join(f"{known.names[0]} (or {known.names[1]})" for known in COMMANDS)
        raise InvalidValue("filepath line 1", f"one of {names}")
    given = lines[1 : 1 + len(command.arguments)]
    for number, (name, value) in enumerate(zip(command.arguments, given, strict=False), start=2):
        # Only the text to encrypt may be empty.
        if not value and not name.startswith("string-to-encrypt"):
            raise InvalidValue(name, f"a value in line {number} of the file")
    if len(given) < len(command.arguments):
        raise InvalidValue(command.arguments[len(given)], f"a value in line {len(given) + 2} of the file")
    if any(line.strip() for line in lines[1 + len(command.arguments) :]):
        raise InvalidValue("filepath", f"no more than {1 + len(command.arguments)} lines for {command.names[0]}")
    return command.answer(*given)


def _print(answer: Callable[[], Answer]) -> None:
    try:
        found = answer()
    except (InvalidValue, KeyMaterialRefused) as refusal:
        _refuse(str(refusal))
    except ContentUnreadable as failure:
        typer.echo(f"error: {failure}", err=True)
        raise typer.Exit(1) from None
    else:
        text = json.dumps(found, indent=2, ensure_ascii=False)
        # The two line separators that JSON allows and JavaScript did not: fidelius-cli's writer escapes them.
        typer.echo(text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _refuse(message: str) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(2)
