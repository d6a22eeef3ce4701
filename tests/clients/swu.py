"""Images for SWUpdate: a description, its signature and a payload in a cpio archive."""

import hashlib
from pathlib import Path

from tests.clients.debian import Programs
from tests.clients.keys import Signer
from tests.clients.page import block


def image(programs: Programs, signer: Signer, folder: Path, payload: bytes, target: Path) -> bytes:
    """A signed image that writes ``payload`` to the file ``target``."""
    folder.mkdir(parents=True)
    (folder / "radar.img").write_bytes(payload)
    description = block("software = {", sha256=hashlib.sha256(payload).hexdigest(), slot_b=str(target))
    (folder / "sw-description").write_text(description)
    signer.sign_in(folder)
    programs.run("bash", "-euc", block("openssl cms"), cwd=folder)
    return (folder / "radar-1.4.0.swu").read_bytes()
