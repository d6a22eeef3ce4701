"""A fleet of one vehicle, the campaign for it, and what the system knows of both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.client import Campaigns, Launched
from tests.system.garage import Garage, Vehicles, definition, eventually, launch, stage, until
from workflows.status import Status


@dataclass(frozen=True)
class OneVehicle:
    """The system's side of a client's test."""

    campaigns: Campaigns
    garage: Garage
    vehicles: Vehicles

    @property
    def vin(self) -> str:
        return self.vehicles.vins[0]

    @property
    def token(self) -> str:
        return self.vehicles.tokens[self.vin]

    async def offer(self, content: bytes, **more: Any) -> Launched:
        """A campaign that delivers this file; ``more`` goes into its definition."""
        package = self.garage.package(f"for-{self.vehicles.model}", content)
        launched = await launch(self.campaigns, definition(self.vehicles, package=package, **more))
        await until(self.campaigns, launched.workflow_id, stage("Active"))
        return launched

    async def becomes(self, launched: Launched, state: str) -> None:
        """Returns once the vehicle is in this state."""
        number = launched.status.campaign_id
        await eventually(lambda: self.garage.states(number) == {state: 1})

    async def order(self, launched: Launched, word: str) -> Status:
        """Pause, resume or abort."""
        return await self.campaigns.command(launched.workflow_id, word, "test", "")

    async def pause(self, launched: Launched) -> None:
        """Returns once the gate is shut and what was not started is withdrawn."""
        await self.order(launched, "pause")
        await until(self.campaigns, launched.workflow_id, lambda seen: seen.exposure is not None)

    def reported(self) -> Any:
        """What the vehicle has said of itself, by configData."""
        return self._value("SELECT reported FROM vehicle WHERE vin = %s", self.vin)

    def radar(self) -> Any:
        """The version of the radar's software, as the system has it."""
        return self._value(
            "SELECT e.sw_version FROM ecu e JOIN vehicle v ON v.id = e.vehicle_id "
            "WHERE v.vin = %s AND e.name = 'Radar'",
            self.vin,
        )

    def message(self, launched: Launched) -> Any:
        """What stands beside the vehicle's outcome."""
        return self._value(
            "SELECT message FROM assignment WHERE campaign_id = %s", launched.status.campaign_id
        )

    def stored(self, content: bytes) -> Path:
        """The file in the artifact folder."""
        import hashlib

        return self.garage.artifacts / hashlib.sha256(content).hexdigest()

    def _value(self, query: str, *values: Any) -> Any:
        with self.garage.database() as connection:
            row = connection.execute(query.encode(), values).fetchone()
        assert row is not None
        return row[0]
