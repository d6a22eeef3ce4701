"""docs/clients.md as the tests use it: its files and commands, with our values in place of its examples."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
_FENCE = re.compile(r"^```(text|shell)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def block(beginning: str, **ours: str) -> str:
    """The block of the page that begins so; ``ours`` are values by the name of the example they replace."""
    bodies: list[str] = [found[2] for found in _FENCE.finditer(PAGE.read_text("utf-8"))]
    [found] = [body for body in bodies if body.startswith(beginning)]
    for name, value in ours.items():
        assert EXAMPLES[name] in found, f"the page's block {beginning!r} has no {EXAMPLES[name]}"
        found = found.replace(EXAMPLES[name], value)
    return found


#: What the page says, by the name we have for it.
EXAMPLES = {
    "address": "ota.example:8484",
    "vin": "5YJYGDEE0MF000001",
    "token": "s3cret-token",
    "sha256": "SHA256",
    "swupdate_key": "/etc/swupdate/trusted.pem",
    "swupdate_cfg": "/etc/swupdate.cfg",
    "rauc_key": "/etc/rauc/trusted.pem",
    "mounts": "/run/rauc",
    "slot_a": "/dev/mmcblk0p2",
    "slot_b": "/dev/mmcblk0p3",
    "download": "/var/cache/update.raucb",
    "interval": "polldelay = 60",
    "log_level": "log_level = info",
}
