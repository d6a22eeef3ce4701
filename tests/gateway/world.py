"""Rows to test against: vehicles, campaigns and what became of them, written past the store's functions."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlmodel import Session, SQLModel

from campaign.action import action_id
from campaign.assignment import Target
from campaign.guards import PLAIN_GUARD
from campaign.lifecycle import State
from store.tables import (
    ArtifactRow,
    AssignmentRow,
    CampaignRow,
    ConfigurationRow,
    EcuRow,
    PackageRow,
    PhaseRow,
    VehicleRow,
)

CONTENT = bytes(range(256)) * 8  # 2,048 bytes, each known by its place
TOKEN = "s3cret"


@dataclass(frozen=True)
class File:
    """An artifact: registered, and in the folder."""

    id: int
    name: str
    content: bytes

    @property
    def sha1(self) -> str:
        return hashlib.sha1(self.content).hexdigest()

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def _module(number: int, file: File, version: str = "1.4.0") -> dict[str, Any]:
    return {
        "ecu": f"Radar{number or ''}",
        "hw_ids": ["R1"],
        "version": version,
        "artifact": {"filename": file.name, "size_bytes": len(file.content), "sha256": file.sha256},
    }


class World:
    """A database and an artifact folder."""

    def __init__(self, url: str, artifacts: Path) -> None:
        self.url = url
        self.artifacts = artifacts
        self._engine = create_engine(url, pool_pre_ping=True)  # a test may end every session

    def close(self) -> None:
        self._engine.dispose()

    def vehicle(self, vin: str, token: str | None = TOKEN) -> int:
        """A vehicle with a token of its own; its id."""
        digest = None if token is None else hashlib.sha256(token.encode()).digest()
        row = VehicleRow(
            vin=vin,
            model="Model_Y",
            lot=1,
            record_digest=b"",
            token_hash=digest,
            config_wanted=False,
            imported_at=datetime.now(UTC),
        )
        number = self._add(row)
        # The model writes an absent document as JSON's null, the import as SQL's.
        self.run("UPDATE vehicle SET reported = NULL, install_window = NULL WHERE id = :it", it=number)
        return number

    def report(self, vehicle: int, campaign: int, *details: str, times: int = 1) -> None:
        """What the vehicle has said of its first attempt, so many times."""
        self.run(
            "INSERT INTO report (vehicle_id, campaign_id, attempt, channel, execution, finished, details, "
            "effect) SELECT :v, :c, 1, 'deployment', 'proceeding', 'none', :d, 'installing' "
            "FROM generate_series(1, :n)",
            v=vehicle, c=campaign, d=list(details), n=times,
        )  # fmt: skip

    def package(self, *files: File, name: str = "radar", versions: tuple[str, ...] = ("1.4.0",)) -> None:
        """A registered package with a module per file, as `campaign` numbers their ECUs."""
        modules = [
            _module(number, file, versions[min(number, len(versions) - 1)])
            for number, file in enumerate(files)
        ]
        self._add(
            PackageRow(
                name=name,
                digest="",
                body={"name": name, "description": "", "modules": modules},
                registered_at=datetime.now(UTC),
            )
        )

    def ecu(self, vehicle: int, name: str = "Radar", version: str = "1.3.0", hw_id: str = "R1") -> None:
        """An ECU of the vehicle."""
        self._add(
            EcuRow(vehicle_id=vehicle, name=name, hw_id=hw_id, sw_version=version, built_version=version)
        )

    def file(self, name: str = "radar.swu", content: bytes = CONTENT) -> File:
        """An artifact."""
        file = File(0, name, content)
        (self.artifacts / file.sha256).write_bytes(content)
        row = ArtifactRow(sha256=file.sha256, sha1=file.sha1, md5=file.md5, size_bytes=len(content))
        return File(self._add(row), name, content)

    def campaign(
        self,
        *files: File,
        name: str = "radar",
        interaction: str = "silent",
        delivering: bool = True,
        allowance: int = 100,
    ) -> int:
        """A campaign with one released phase; its id. One module per file, for the ECUs Radar, Radar2, …"""
        modules = [_module(number, file) for number, file in enumerate(files)]
        campaign = self._add(
            CampaignRow(
                name=name,
                workflow_id=name,
                first_run_id="run",
                priority=1,
                definition={"interaction": interaction},
                digest="",
                package={"name": "radar", "description": "", "modules": modules},
                state=State.ROLLING_OUT.value,
                gate_open=delivering,
                lease_until=datetime.now(UTC) + timedelta(hours=1),
                in_flight=100,
                created_at=datetime.now(UTC),
                selected_at=datetime.now(UTC),
            )
        )
        self._add(
            PhaseRow(
                campaign_id=campaign,
                number=1,
                name="all",
                size=100,
                allowance=allowance,
                guards=[PLAIN_GUARD.model_dump(mode="json")],
                overdue_after=timedelta(hours=3),
                limits={},
            )
        )
        return campaign

    def set_terms(self, terms: dict[str, Any]) -> None:
        """Every campaign asks this of its vehicles before it is offered to them."""
        self.run("UPDATE campaign SET limited = true, terms = CAST(:it AS jsonb)", it=json.dumps(terms))

    def assign(
        self,
        vehicle: int,
        campaign: int,
        state: Target = Target.PENDING,
        configuration: int = 1,
        **columns: Any,
    ) -> int:
        """The vehicle becomes a target; returns the id of its first action."""
        attempt = 0 if state is Target.PENDING else 1
        if state is not Target.PENDING:
            columns.setdefault("offered_at", columns.get("fetched_at", datetime.now(UTC)))
        if "fetched_at" in columns:
            columns.setdefault("files", -1)
        self._add(
            AssignmentRow(
                vehicle_id=vehicle,
                campaign_id=campaign,
                phase=1,
                configuration_id=configuration,
                state=state.value,
                attempt=attempt,
                **columns,
            )
        )
        # Else a vehicle is selected before its gate opens, and the opening is what raises it.
        self.run("UPDATE epoch SET number = number + 1")
        return action_id(campaign, 1)

    def configuration(self, campaign: int, *, excluded: bool = False) -> int:
        """Facts that targets were selected by; its id."""
        row = ConfigurationRow(
            campaign_id=campaign, key=f"{excluded}", model="Model_Y", ecus={}, excluded=excluded
        )
        return self._add(row)

    def state(self, vehicle: int) -> Target:
        """The state of the vehicle's only assignment."""
        return Target(self.value("SELECT state FROM assignment WHERE vehicle_id = :it", it=vehicle))

    def value(self, statement: str, **values: Any) -> Any:
        """The only value of a query."""
        with self._engine.connect() as connection:
            return connection.execute(text(statement), values).scalar_one()

    @contextmanager
    def locked_campaigns(self) -> Iterator[Callable[[], int]]:
        """Holds the lock of every campaign; yields a question: how many wait for a lock?"""
        waiting = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with self._engine.begin() as connection:
            connection.execute(text("SELECT id FROM campaign FOR UPDATE"))
            yield lambda: int(self.value(waiting))

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Holds a table: whoever reads it waits."""
        with self._engine.begin() as connection:
            connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            yield

    def run(self, statement: str, **values: Any) -> None:
        """A statement, committed."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def _add(self, row: SQLModel) -> int:
        with Session(self._engine) as session:
            session.add(row)
            session.commit()
            return int(getattr(row, "id", None) or 0)
