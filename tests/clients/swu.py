"""Images for SWUpdate: a description, its signature and a payload in a cpio archive."""

import hashlib
from pathlib import Path

from tests.clients.debian import Programs
from tests.clients.keys import Signer

BOARD, REVISION = "board", "1.0"


def image(programs: Programs, signer: Signer, folder: Path, payload: bytes, target: Path) -> bytes:
    """A signed image that writes ``payload`` to the file ``target``, for our board."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "payload").write_bytes(payload)
    (folder / "sw-description").write_text(
        f"""software = {{
    version = "1.4.0";
    {BOARD} = {{
        hardware-compatibility: [ "{REVISION}" ];
        images: ( {{
            filename = "payload";
            device = "{target}";
            type = "raw";
            sha256 = "{hashlib.sha256(payload).hexdigest()}";
        }} );
    }};
}}
"""
    )
    programs.run(
        *("openssl", "cms", "-sign", "-nosmimecap", "-binary", "-outform", "DER"),
        *("-in", "sw-description", "-out", "sw-description.sig"),
        *("-signer", signer.certificate, "-inkey", signer.key),
        cwd=folder,
    )
    names = b"sw-description\nsw-description.sig\npayload\n"
    return programs.run("cpio", "-o", "-H", "crc", cwd=folder, text=names)
