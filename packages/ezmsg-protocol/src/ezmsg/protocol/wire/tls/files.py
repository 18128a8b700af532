"""Which certificates are meant: by argument, by the environment, or by lying beside the token's file.

Nothing here imports `ssl`, so that whoever asks whether TLS is wanted pays nothing if it is not.
"""

from collections.abc import Mapping
from pathlib import Path

from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import TlsUnusable

CERTIFICATE_VARIABLE = "EZMSG_TLS_CERT"
KEY_VARIABLE = "EZMSG_TLS_KEY"
AUTHORITY_VARIABLE = "EZMSG_TLS_CA"
"""The environment variables that name files in PEM: a certificate, its key, and the authority's certificate."""

CERTIFICATE_NAME = "tls-cert.pem"
KEY_NAME = "tls-key.pem"
AUTHORITY_NAME = "tls-ca.pem"
"""What these files are called in the folder of the token's file, where they are found by themselves."""


@declared
class TlsFiles:
    """Files in PEM. Without a certificate of its own, a side can check others and be checked by nobody.

    ``source`` says for people why TLS is spoken.
    """

    authority: str
    certificate: str = ""
    key: str = ""
    source: str = "an argument"

    @property
    def can_serve(self) -> bool:
        """Whether others can come and check this side."""
        return bool(self.certificate)


def find_files(
    environ: Mapping[str, str],
    token_file: str | None,
    *,
    authority: str | None = None,
    certificate: str | None = None,
    key: str | None = None,
) -> TlsFiles | None:
    """Return the files that arguments name, else the environment, else those beside the token's file.

    ``None`` means that nobody asked for TLS.

    :param token_file: the file that the token is read from, if it is from one.
    :raises TlsUnusable: if a certificate has no key or no authority.
    """
    places = (
        (authority, AUTHORITY_VARIABLE, AUTHORITY_NAME),
        (certificate, CERTIFICATE_VARIABLE, CERTIFICATE_NAME),
        (key, KEY_VARIABLE, KEY_NAME),
    )
    found = [_find(given, environ.get(variable), token_file, name) for given, variable, name in places]
    if not any(found):
        return None
    for (_, variable, name), file in zip(places, found, strict=True):
        if not file and (variable == AUTHORITY_VARIABLE or found[1] or found[2]):
            why = "others that belong to it are given, and it is not, nor does it lie beside the token's file"
            raise TlsUnusable(file=f"{variable} ({name})", reason=why)
    if any(given for given, _, _ in places):
        source = "an argument"
    else:
        source = next((variable for _, variable, _ in places if environ.get(variable)), found[0])
    return TlsFiles(found[0], found[1], found[2], source)


def _find(given: str | None, from_environment: str | None, token_file: str | None, name: str) -> str:
    if given or from_environment:
        return given or from_environment or ""
    if token_file:
        beside = Path(token_file).parent / name
        if beside.is_file():
            return str(beside)
    return ""
