"""A page to push, and certificates for a requester of the test's own."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hip.application.ports import PushedPage
from hip.domain.identifiers import TransactionId
from hip.domain.key_material import KeyMaterial, SealedPage

PAGE = PushedPage(
    transaction_id=TransactionId("d2a0f2de-5a3f-4f0d-8a5a-0d7e7f3c9b21"),
    number=1,
    page_count=3,
    references=("adm-5512",),
    checksums=("3b418167c5c3ba71cf24f4a08e4d74d8",),
    sealed=SealedPage(
        contents=("IhgJ7/XuiuKZUHO/Qdtuu9TgA0UDG3/wFvF4trcZgx5tv+Gs7PVB7pGSPzjyfzfVvrkKtzJxXt0jiRo=",),
        key_material=KeyMaterial(
            public_key="BBljjPAqvoDO2FCnsWUMPoSvzEfS6Xx4Dwu23rbNtxFAKMB8",
            nonce="HxpeV7DPFsGi0xCHEZ8Nsd4M9wg6GdMMAOAaYZ324Dw=",
            expires_at=datetime(2026, 3, 16, 6, 52, tzinfo=UTC),
        ),
    ),
)


class Authority:
    """A certificate authority of one test, and the contexts that trust or use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self._certificate = self._certify(self._name, self._key, None, authority=True)

    def trust(self) -> ssl.SSLContext:
        """A client's context that knows this authority and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self._certificate.public_bytes(serialization.Encoding.PEM).decode())
        return context

    def server(self, host: str) -> ssl.SSLContext:
        """A server's context with a certificate for ``host`` only."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._certify(name, key, host, authority=False)
        pem = self._folder / f"{host}.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    def _certify(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, host: str | None, *, authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
