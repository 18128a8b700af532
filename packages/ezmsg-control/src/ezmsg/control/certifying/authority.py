"""A small authority of certificates, for the hosts of a laboratory; with `cryptography`, which is in an extra.

It decides names, times and what a certificate is for, and touches no file.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEGINS_BEFORE = timedelta(days=1)
"""How long before it is made a certificate begins to be valid, as clocks differ."""

AUTHORITY_LIFE = timedelta(days=3652)

OF_EVERY_HOST = ("localhost", "127.0.0.1", "::1")
"""By which every host is reached from itself."""

_USES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
"""A host is reached, and shows who it is where both ends must, as routers of Zenoh want it."""


@frozen
class Certified:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, for everybody."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key, for its owner alone."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def ends(self) -> datetime:
        """Until when it is valid."""
        return self.certificate.not_valid_after_utc

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> "Certified":
        """Read both.

        :raises ValueError: if one is no such thing, or they do not belong together.
        """
        read = x509.load_pem_x509_certificate(certificate)
        secret = load_pem_private_key(key, None)
        if not isinstance(secret, ec.EllipticCurvePrivateKey) or secret.public_key() != read.public_key():
            raise ValueError("the key is another certificate's")
        return cls(read, secret)


def make_authority(name: str, now: datetime) -> Certified:
    """Return an authority: whoever has its certificate trusts what it makes."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _called(name)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _valid(subject, subject, key, now - BEGINS_BEFORE, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Certified(builder.sign(key, SHA256()), key)


def make_certificate(authority: Certified, names: Sequence[str], begins: datetime, ends: datetime) -> Certified:
    """Return a certificate for a host, of the first of its names and addresses.

    It ends with its authority at the latest.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    held = [_general(name) for name in dict.fromkeys((*names, *OF_EVERY_HOST))]
    ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _valid(_called(names[0]), issuer.subject, key, begins, min(ends, authority.ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(held), critical=False)
        .add_extension(x509.ExtendedKeyUsage(_USES), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Certified(builder.sign(authority.key, SHA256()), key)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _valid(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
