"""Keys that vehicles trust, and keys they do not."""

from dataclasses import dataclass
from pathlib import Path

from tests.clients.debian import Programs


@dataclass(frozen=True)
class Signer:
    """A self-signed certificate and its key."""

    certificate: Path
    key: Path


def signer(programs: Programs, folder: Path, name: str) -> Signer:
    """A new certificate for mail signing, which is the purpose update clients ask for."""
    made = Signer(folder / f"{name}.pem", folder / f"{name}.key")
    programs.run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-addext", "extendedKeyUsage=emailProtection", "-addext", "keyUsage=digitalSignature"),
        *("-keyout", made.key, "-out", made.certificate),
    )
    return made
