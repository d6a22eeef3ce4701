"""Debian's SWUpdate as a vehicle's update client: one start of its daemon, in suricatta mode."""

from dataclasses import dataclass
from pathlib import Path

from runtime.processes import Child, Processes
from tests.clients.debian import Programs
from tests.clients.keys import Signer
from tests.clients.swu import BOARD, REVISION, image

#: How the daemon is started after a reboot into the new software.
AFTER_THE_REBOOT = ("-c", "2")


@dataclass(frozen=True)
class SwUpdate:
    """A vehicle with SWUpdate; ``folder`` is its disk."""

    programs: Programs
    processes: Processes
    folder: Path
    vin: str
    token: str
    trusted: Signer

    @property
    def flash(self) -> Path:
        """Where an image is written to."""
        return self.folder / "flash"

    def image(self, payload: bytes, by: Signer | None = None) -> bytes:
        """An image that writes ``payload`` to the flash, signed by whom the vehicle trusts or by another."""
        folder = self.folder / "image"
        return image(self.programs, by or self.trusted, folder, payload, self.flash)

    def start(self, url: str, *options: str) -> Child:
        """Start the daemon against a gateway; ``options`` are suricatta's."""
        self.folder.mkdir(exist_ok=True)
        self.flash.touch()
        configuration = self.folder / "swupdate.cfg"
        configuration.write_text(self._configuration(url))
        # A download that is hung up must not kill the daemon, and two daemons must not share their sockets.
        return self.processes.start(
            f"swupdate-{self.vin}",
            [
                *("env", "--ignore-signal=PIPE", self.programs.program("swupdate")),
                *(
                    "-f",
                    str(configuration),
                    "-H",
                    f"{BOARD}:{REVISION}",
                ),
                *("-l", "5", "-u", " ".join(("-e", *options))),
            ],
            env={**self.programs.environment, "TMPDIR": str(self.folder)},
        )

    def _configuration(self, url: str) -> str:
        return f"""globals : {{
    public-key-file = "{self.trusted.certificate}";
    bootloader = "none";
    loglevel = 5;
}};
identify : (
    {{ name = "vin"; value = "{self.vin}"; }},
    {{ name = "hwRevision"; value = "{REVISION}"; }}
);
suricatta : {{
    tenant = "DEFAULT";
    url = "{url}";
    id = "{self.vin}";
    targettoken = "{self.token}";
    polldelay = 1;
    retry = 3;
    retrywait = 1;
}};
"""
