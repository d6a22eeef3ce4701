"""Debian's RAUC with two slots that are files, and rauc-hawkbit from PyPI as its update client."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runtime.processes import Child, Processes
from tests.clients.debian import PATIENCE_SECONDS, NotAvailable, Programs
from tests.clients.keys import Signer
from tests.clients.page import block

LOCK = Path(__file__).parent / "requirements.lock"
#: A slot is a file of this size.
SLOT_BYTES = 1 << 20

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/> <allow user="*"/>
  </policy>
</busconfig>
"""


def needs_mounts() -> None:
    """RAUC mounts the bundles it installs. Raises NotAvailable where nobody may."""
    if os.getuid() != 0:
        raise NotAvailable("RAUC mounts its bundles, which only root may")
    if "squashfs" not in Path("/proc/filesystems").read_text() or not os.access("/dev/loop-control", os.W_OK):
        raise NotAvailable("RAUC mounts its bundles, and this kernel shows no squashfs or no loop devices")


def rauc_hawkbit(programs: Programs, folder: Path) -> str:
    """The program rauc-hawkbit-client, in an environment of its own under ``folder``.

    Raises:
        NotAvailable: the package index cannot be reached from here, or the Python of Debian is missing.
    """
    # PyGObject comes from Debian, so the Python must be Debian's too.
    steps = (
        ["/usr/bin/python3", "-m", "venv", "--without-pip", "--system-site-packages", str(folder)],
        [
            *(sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")),
            *("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"),
            *("-r", str(LOCK)),
        ],
        [str(folder / "bin" / "python"), "-c", "import gbulb, aiohttp, rauc_hawkbit.rauc_dbus_ddi_client"],
    )
    for step in steps:
        environment = programs.environment if step[0].startswith(str(folder)) else None
        try:
            done = subprocess.run(
                step, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotAvailable(f"rauc-hawkbit cannot be set up: {error}") from None
        if done.returncode:
            raise NotAvailable(f"rauc-hawkbit cannot be set up: {done.stderr.strip().splitlines()[-1]}")
    return str(folder / "bin" / "rauc-hawkbit-client")


@dataclass(frozen=True)
class Rauc:
    """A vehicle with RAUC; ``folder`` is its disk. It runs from slot A, and updates go to slot B."""

    programs: Programs
    processes: Processes
    folder: Path
    client: str
    vin: str
    token: str
    trusted: Signer

    @property
    def spare(self) -> Path:
        """The slot that an update is written to."""
        return self.folder / "slot-b"

    def bundle(self, payload: bytes, by: Signer | None = None) -> bytes:
        """A bundle with this payload, signed by whom the vehicle trusts or by another."""
        content = self.folder / "content"
        content.mkdir(parents=True)
        (content / "radar.img").write_bytes(payload)
        (content / "manifest.raucm").write_text(block("[update]"))
        (by or self.trusted).sign_in(self.folder)
        self.programs.run("bash", "-euc", block("rauc bundle"), cwd=self.folder)
        return (self.folder / "radar-1.4.0.raucb").read_bytes()

    def start(self, url: str) -> Child:
        """Start bus, RAUC and client; the client polls this gateway."""
        self.folder.mkdir(exist_ok=True)
        for slot in ("slot-a", "slot-b"):
            (self.folder / slot).write_bytes(bytes(SLOT_BYTES))
        (self.folder / "mnt").mkdir()
        system, client = self.folder / "system.conf", self.folder / "client.cfg"
        system.write_text(
            block(
                "[system]",
                mounts=str(self.folder / "mnt"),
                rauc_key=str(self.trusted.certificate),
                slot_a=str(self.folder / "slot-a"),
                slot_b=str(self.spare),
            )
        )
        client.write_text(
            block(
                "[client]\nhawkbit_server = ",
                address=url.removeprefix("http://"),
                vin=self.vin,
                token=self.token,
                download=str(self.folder / "update.raucb"),
                log_level="log_level = debug",
            )
        )
        socket = self.folder / "bus"
        (self.folder / "bus.conf").write_text(_BUS.format(socket=socket))
        environment = {**self.programs.environment, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={socket}"}

        def says(*words: str) -> bool:
            return not subprocess.run(
                [self.programs.program(words[0]), *words[1:]],
                env=environment,
                capture_output=True,
                timeout=PATIENCE_SECONDS,
            ).returncode

        bus = [
            self.programs.program("dbus-daemon"),
            "--nofork",
            f"--config-file={self.folder / 'bus.conf'}",
        ]
        self.processes.start("bus", bus, env=environment, ready=socket.exists)
        service = [*(self.programs.program("rauc"), f"--conf={system}", "--override-boot-slot=A", "service")]
        self.processes.start(
            "rauc", service, env=environment, ready=lambda: says("rauc", f"--conf={system}", "status")
        )
        return self.processes.start("rauc-hawkbit", [self.client, "-c", str(client)], env=environment)
