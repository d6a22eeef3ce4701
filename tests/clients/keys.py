"""Keys that vehicles trust, and keys they do not, in folders as the page's commands want them."""

from dataclasses import dataclass
from pathlib import Path

from tests.clients.debian import Programs
from tests.clients.page import block


@dataclass(frozen=True)
class Signer:
    """A folder with a key and its certificate."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "trusted.pem"

    def sign_in(self, folder: Path) -> None:
        """Put key and certificate where a command is to sign."""
        for name in ("trusted.pem", "trusted.key"):
            (folder / name).write_bytes((self.folder / name).read_bytes())


def signer(programs: Programs, folder: Path) -> Signer:
    """A new key with a certificate."""
    programs.run("bash", "-euc", block("openssl req"), cwd=folder)
    return Signer(folder)
