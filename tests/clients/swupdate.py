"""Debian's SWUpdate as a vehicle's update client: one start of its daemon, in suricatta mode."""

from dataclasses import dataclass
from pathlib import Path

from runtime.processes import Child, Processes
from tests.clients.debian import Programs
from tests.clients.keys import Signer
from tests.clients.page import block
from tests.clients.swu import image

_START = "env --ignore-signal=PIPE swupdate -f /etc/swupdate.cfg -H board:1.0 -u "
PLAINLY, AFTER_THE_REBOOT = _START + '"-e"', _START + '"-e -c 2"'


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

    def start(self, url: str, *, rebooted: bool = False) -> Child:
        """Start the daemon against a gateway; ``rebooted``: into the new software, which it then reports."""
        self.folder.mkdir(exist_ok=True)
        self.flash.touch()
        configuration = self.folder / "swupdate.cfg"
        configuration.write_text(
            block(
                "globals : {",
                address=url.removeprefix("http://"),
                vin=self.vin,
                token=self.token,
                swupdate_key=str(self.trusted.certificate),
                interval="polldelay = 1",
            )
        )
        command = block(AFTER_THE_REBOOT if rebooted else PLAINLY, swupdate_cfg=str(configuration))
        # Two daemons must not share their sockets.
        environment = {**self.programs.environment, "TMPDIR": str(self.folder)}
        return self.processes.start(
            f"swupdate-{self.vin}", ["bash", "-euc", f"exec {command}"], env=environment
        )
