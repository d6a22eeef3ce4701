"""The tables. migrations/ builds them and adds what a model cannot say: the tally trigger.

One lock orders everything that is admitted or counted: the campaign's row, by ascending id
(store/words.py). The tally is kept by a trigger, so it always equals what it counts. No row of tally and
slice is ever deleted (store/changed.py).

The fill factors leave room on a page for new versions of its rows, so that those that change no indexed
column stay there and write to no index: much of it where a few rows change all the time, some where each
changes a few times.
"""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from campaign.assignment import BAD, FAILURES, IN_FLIGHT, Target
from campaign.lifecycle import State
from campaign.permission import Consent
from campaign.vehicle import Preference


def _words(column: str, words: Any) -> str:
    return f"{column} IN ({', '.join(repr(str(word.value)) for word in words)})"


def _text(**options: Any) -> Any:
    """A text key: compared by bytes, which is faster and the same on every server."""
    return Column(Text(collation="C"), **options)


def _time(**options: Any) -> Any:
    return Column(DateTime(timezone=True), **options)


class EpochRow(SQLModel, table=True):
    """The epoch (store/epoch.py): one row, a number that only rises; triggers keep it."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("sole", name="epoch_sole"), {"postgresql_with": {"fillfactor": "10"}})

    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    sole: bool = Field(default=True, primary_key=True, sa_column_kwargs={"server_default": text("true")})


class VehicleRow(SQLModel, table=True):
    """A vehicle. ``lot`` is its fixed place in every random order (campaign/order.py)."""

    __tablename__ = "vehicle"
    __table_args__ = (
        CheckConstraint(_words("update_preference", Preference), name="vehicle_update_preference"),
    )

    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(), primary_key=True))
    vin: str = Field(sa_column=_text(nullable=False, unique=True))
    model: str = Field(sa_column=_text(nullable=False))
    build_date: date | None = None
    country: str | None = Field(default=None, sa_column=_text())
    region: str | None = Field(default=None, sa_column=_text())
    timezone: str | None = Field(default=None, sa_column=_text())
    groups: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    )
    install_window: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    update_preference: str | None = Field(default=None, sa_column=_text())
    attributes: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'"))
    )
    lot: int = Field(sa_column=Column(BigInteger, nullable=False))
    record_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    token_hash: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    former_token_hash: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    former_token_until: datetime | None = Field(default=None, sa_column=_time())
    reported: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    reported_at: datetime | None = Field(default=None, sa_column=_time())
    config_wanted: bool = Field(
        default=True, nullable=False, sa_column_kwargs={"server_default": text("true")}
    )
    imported_at: datetime = Field(sa_column=_time(nullable=False, server_default=text("now()")))


class AutoConfirmRow(SQLModel, table=True):
    """A vehicle whose installations need no confirmation any more, and who said so."""

    __tablename__ = "auto_confirm"

    vehicle_id: int = Field(primary_key=True, foreign_key="vehicle.id")
    initiator: str | None = Field(default=None, sa_column=Column(Text))
    remark: str | None = Field(default=None, sa_column=Column(Text))
    activated_at: datetime = Field(sa_column=_time(nullable=False, server_default=text("clock_timestamp()")))


class EcuRow(SQLModel, table=True):
    """An ECU as it is now; ``built_version`` is what it left the plant with."""

    __tablename__ = "ecu"

    vehicle_id: int = Field(primary_key=True, foreign_key="vehicle.id")
    name: str = Field(sa_column=_text(primary_key=True))
    hw_id: str = Field(sa_column=_text(nullable=False))
    sw_version: str = Field(sa_column=_text(nullable=False))
    built_version: str = Field(sa_column=_text(nullable=False))


class VariantRow(SQLModel, table=True):
    """What vehicles have in common by which most criteria tell them apart, once per distinct combination.

    ``ecus`` are hw_id and sw_version by the name of the ECU, as they are now. A variant stays when no vehicle
    is of it any more.
    """

    __tablename__ = "variant"

    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(), primary_key=True))
    model: str = Field(sa_column=_text(nullable=False))
    country: str | None = Field(default=None, sa_column=_text())
    region: str | None = Field(default=None, sa_column=_text())
    ecus: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    key: UUID | None = Field(
        default=None,
        sa_column=Column(
            Uuid, Computed("variant_key(model, country, region, ecus)", persisted=True), unique=True
        ),
    )


class CandidateRow(SQLModel, table=True):
    """A vehicle as a selection sees it: its lot and the variant it is of.

    Apart from ``vehicle``, so that a selection reads little and a report writes little. A trigger follows the
    software of ECUs; the import writes the rest (store/variants.py). No foreign keys, as for an assignment.
    """

    __tablename__ = "candidate"
    __table_args__ = ({"postgresql_with": {"fillfactor": "80"}},)

    vehicle_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    lot: int = Field(sa_column=Column(BigInteger, nullable=False))
    variant_id: int


class SoftwareChange(SQLModel, table=True):
    """The history of an ECU's software, append-only.

    No foreign keys, as for an assignment: to check two of them was a fifth of what a success costs.
    """

    __tablename__ = "software_change"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    vehicle_id: int = Field(index=True)
    ecu: str = Field(sa_column=_text(nullable=False))
    from_version: str | None = Field(default=None, sa_column=_text())
    to_version: str = Field(sa_column=_text(nullable=False))
    campaign_id: int | None = None
    source: str = Field(sa_column=_text(nullable=False))
    at: datetime = Field(sa_column=_time(nullable=False, server_default=text("now()")))


class VinListRow(SQLModel, table=True):
    """A named list of VINs, for criteria: a definition holds its name, so that no VIN enters history."""

    __tablename__ = "vin_list"

    name: str = Field(sa_column=_text(primary_key=True))
    vin: str = Field(sa_column=_text(primary_key=True))


class PackageRow(SQLModel, table=True):
    """A registered package; its name never changes its content."""

    __tablename__ = "package"

    name: str = Field(sa_column=_text(primary_key=True))
    digest: str = Field(sa_column=_text(nullable=False))
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    registered_at: datetime = Field(sa_column=_time(nullable=False, server_default=text("now()")))


class ArtifactRow(SQLModel, table=True):
    """A file of the artifact directory, with the hashes the protocol gives to vehicles."""

    __tablename__ = "artifact"

    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(), primary_key=True))
    sha256: str = Field(sa_column=_text(nullable=False, unique=True))
    sha1: str = Field(sa_column=_text(nullable=False))
    md5: str = Field(sa_column=_text(nullable=False))
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))


class CampaignRow(SQLModel, table=True):
    """A campaign and its delivery gate.

    The gate is a level with a fencing number: whoever writes it gives a ``gate_seq`` above the one stored.
    Delivery needs an open gate and a lease in the future; the lease runs out when nobody supervises.
    ``terms`` are what it asks of a vehicle and its owner (campaign/permission.py), small enough for every
    poll; ``limited`` says whether that is anything.
    """

    __tablename__ = "campaign"
    __table_args__ = (CheckConstraint(_words("state", State), name="campaign_state"),)

    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(), primary_key=True))
    name: str = Field(sa_column=_text(nullable=False, unique=True))
    workflow_id: str = Field(sa_column=_text(nullable=False, index=True))
    first_run_id: str = Field(sa_column=_text(nullable=False))
    priority: int = Field(sa_column=Column(SmallInteger, nullable=False))
    definition: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    digest: str = Field(sa_column=_text(nullable=False))
    package: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(default=State.DRAFT.value, sa_column=_text(nullable=False))
    gate_open: bool = Field(default=False, nullable=False)
    gate_seq: int = Field(default=0, nullable=False)
    lease_until: datetime | None = Field(default=None, sa_column=_time())
    in_flight: int = Field(default=0, nullable=False)
    shut_at: datetime | None = Field(default=None, sa_column=_time())
    window: int = Field(default=1, nullable=False)
    window_began_at: datetime | None = Field(default=None, sa_column=_time())
    breach: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    created_at: datetime = Field(sa_column=_time(nullable=False, server_default=text("now()")))
    selected_at: datetime | None = Field(default=None, sa_column=_time())
    finished_at: datetime | None = Field(default=None, sa_column=_time())
    cohorts: list[str] = Field(
        default_factory=list,
        sa_column=Column(ARRAY(Text(collation="C")), nullable=False, server_default=text("'{}'")),
    )
    excluded: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    )
    terms: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'"))
    )
    limited: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": text("false")})


class PhaseRow(SQLModel, table=True):
    """A phase: its size, how many may have been admitted so far, its guards and limits.

    ``pace_base`` had been admitted at ``pace_since``; the rate limit counts from there.
    """

    __tablename__ = "phase"

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    number: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    name: str = Field(sa_column=_text(nullable=False))
    size: int = Field(default=0, nullable=False)
    allowance: int = Field(default=0, nullable=False)
    released_at: datetime | None = Field(default=None, sa_column=_time())
    pace_since: datetime | None = Field(default=None, sa_column=_time())
    pace_base: int = Field(default=0, nullable=False)
    guards: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    limits: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    overdue_after: timedelta = Field(
        sa_column=Column(Interval, nullable=False, server_default=text("'3 hours'"))
    )


class ConfigurationRow(SQLModel, table=True):
    """The facts a selection was decided on, once per distinct combination; ``key`` is their md5.

    ``cohorts`` are what its vehicles are told apart by, in the words of campaign/cohorts.py.
    """

    __tablename__ = "configuration"
    __table_args__ = (
        UniqueConstraint("campaign_id", "key"),
        Index("configuration_excluded", "campaign_id", postgresql_where=text("excluded")),
    )

    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(), primary_key=True))
    campaign_id: int = Field(foreign_key="campaign.id")
    key: str = Field(sa_column=_text(nullable=False))
    model: str = Field(sa_column=_text(nullable=False))
    country: str | None = Field(default=None, sa_column=_text())
    region: str | None = Field(default=None, sa_column=_text())
    ecus: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    excluded: bool = Field(default=False, nullable=False, sa_column_kwargs={"server_default": text("false")})
    cohorts: list[str] | None = Field(
        default=None,
        sa_column=Column(
            ARRAY(Text(collation="C")), Computed("cohorts_of(model, country, ecus)", persisted=True)
        ),
    )


class AssignmentRow(SQLModel, table=True):
    """A vehicle selected for a campaign, frozen at selection; only state and attempt move.

    ``slice`` is the beginning of the slice of time in which it began to install, ``offer_until`` when the
    install window of its offer closes, ``deferral`` the reason it last put the update off and
    ``deferral_value`` what it measured.

    No foreign keys: one statement writes all rows of a selection out of the tables they would point to, and a
    check per row and key would cost more than the selection itself. Vehicles and campaigns are never deleted.
    """

    __tablename__ = "assignment"
    __table_args__ = (
        CheckConstraint(_words("state", Target), name="assignment_state"),
        Index(
            "one_offer_per_vehicle",
            "vehicle_id",
            unique=True,
            postgresql_where=text(_words("state", sorted(IN_FLIGHT))),
        ),
        Index(
            "assignment_in_flight",
            "campaign_id",
            "phase",
            "state",
            "offered_at",
            postgresql_where=text(f"CASE WHEN {_words('state', sorted(IN_FLIGHT))} THEN true ELSE false END"),
        ),
        Index(
            "assignment_offer_until",
            "campaign_id",
            "phase",
            "offer_until",
            postgresql_where=text("state = 'offered' AND offer_until IS NOT NULL"),
        ),
        Index(
            "assignment_failed",
            "campaign_id",
            postgresql_where=text(_words("state", sorted(FAILURES))),
        ),
        {"postgresql_with": {"fillfactor": "60"}},
    )

    vehicle_id: int = Field(primary_key=True)
    campaign_id: int = Field(primary_key=True)
    phase: int = Field(sa_column=Column(SmallInteger, nullable=False))
    configuration_id: int
    state: str = Field(default=Target.PENDING.value, sa_column=_text(nullable=False))
    attempt: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    offered_at: datetime | None = Field(default=None, sa_column=_time())
    fetched_at: datetime | None = Field(default=None, sa_column=_time())
    #: Which of them: a bit for each module of the package, the first the lowest.
    files: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    heard_at: datetime | None = Field(default=None, sa_column=_time())
    finished_at: datetime | None = Field(default=None, sa_column=_time())
    not_before: datetime | None = Field(default=None, sa_column=_time())
    slice: datetime | None = Field(default=None, sa_column=_time())
    cancel_wanted: bool = Field(default=False, nullable=False)
    code: int | None = None
    message: str | None = Field(default=None, sa_column=Column(Text))
    offer_until: datetime | None = Field(default=None, sa_column=_time())
    deferral: str | None = Field(default=None, sa_column=_text())
    deferral_value: str | None = Field(default=None, sa_column=Column(Text))


class TallyRow(SQLModel, table=True):
    """How many assignments of a phase and configuration are in a state; a trigger keeps it.

    ``acknowledged`` of them were known when the present evidence window began.
    """

    __tablename__ = "tally"
    __table_args__ = (
        Index(
            "tally_bad",
            "campaign_id",
            "phase",
            postgresql_where=text(_words("state", sorted(BAD))),
        ),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    campaign_id: int = Field(primary_key=True)
    phase: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    configuration_id: int = Field(primary_key=True)
    state: str = Field(sa_column=_text(primary_key=True))
    vehicles: int = Field(nullable=False)
    acknowledged: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))


class SliceRow(SQLModel, table=True):
    """How many assignments that began to install in a slice of time are in each state; a trigger keeps it."""

    __tablename__ = "slice"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    campaign_id: int = Field(primary_key=True)
    phase: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    began: datetime = Field(sa_column=_time(primary_key=True))
    installing: int = Field(nullable=False)
    succeeded: int = Field(nullable=False)
    failed: int = Field(nullable=False)
    rolled_back: int = Field(nullable=False)
    silent: int = Field(nullable=False)
    critical: int = Field(nullable=False)


class EditionRow(SQLModel, table=True):
    """The edition of a phase's counts: a random id, another one with every change of its rows in tally, slice
    and matured; triggers keep it. Who has counted in an edition need not count again. ``matured`` is such
    an id of the latter alone, and of outcomes that were corrected or taken back; there is none before the
    first."""

    __tablename__ = "edition"
    __table_args__ = ({"postgresql_with": {"fillfactor": "10"}},)

    campaign_id: int = Field(primary_key=True)
    phase: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    matured: UUID | None = Field(default=None, sa_column=Column(Uuid))


class MaturedRow(SQLModel, table=True):
    """A slice whose time is up: who had begun, and who of them was quiet or had failed at that moment.

    Where nobody had, it is looked at again once somebody has: an outcome may be told late.
    """

    __tablename__ = "matured"
    __table_args__ = (Index("matured_empty", "campaign_id", "phase", postgresql_where=text("vehicles = 0")),)

    campaign_id: int = Field(primary_key=True)
    phase: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    began: datetime = Field(sa_column=_time(primary_key=True))
    vehicles: int = Field(nullable=False)
    quiet: int = Field(nullable=False)
    failed: int = Field(nullable=False)


class EvidenceWindowRow(SQLModel, table=True):
    """An evidence window that a resume has ended: what was known then, a sentence per phase."""

    __tablename__ = "evidence_window"

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    number: int = Field(primary_key=True)
    ended_at: datetime = Field(sa_column=_time(nullable=False))
    sentences: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))


class WithdrawalRow(SQLModel, table=True):
    """A file that no campaign delivers any more: who withdrew it, and why."""

    __tablename__ = "withdrawal"

    sha256: str = Field(sa_column=_text(primary_key=True))
    at: datetime = Field(sa_column=_time(nullable=False, server_default=text("now()")))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))


class ConsentRow(SQLModel, table=True):
    """What an owner was asked or said, when, and of which version of the message; append-only."""

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint(_words("state", Consent), name="consent_state"),
        Index("consent_of_vehicle", "vehicle_id", "campaign_id", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    vehicle_id: int = Field(nullable=False)
    campaign_id: int = Field(nullable=False)
    state: str = Field(sa_column=_text(nullable=False))
    at: datetime = Field(sa_column=_time(nullable=False, server_default=text("clock_timestamp()")))
    message_version: str = Field(sa_column=Column(Text, nullable=False))
    details: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    )


class ReportRow(SQLModel, table=True):
    """What a vehicle said, word for word, and what it changed; append-only."""

    __tablename__ = "report"
    __table_args__ = (Index("report_of_vehicle", "vehicle_id", "campaign_id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    vehicle_id: int = Field(nullable=False)
    campaign_id: int = Field(nullable=False)
    attempt: int = Field(sa_column=Column(SmallInteger, nullable=False))
    received_at: datetime = Field(sa_column=_time(nullable=False, server_default=text("clock_timestamp()")))
    device_at: datetime | None = Field(default=None, sa_column=_time())
    channel: str = Field(sa_column=_text(nullable=False))
    execution: str = Field(sa_column=_text(nullable=False))
    finished: str = Field(sa_column=_text(nullable=False))
    code: int | None = None
    details: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    effect: str = Field(sa_column=_text(nullable=False))


class JournalRow(SQLModel, table=True):
    """What was decided, when, by whom and why; append-only. ``line`` makes a repeated write harmless."""

    __tablename__ = "journal"
    __table_args__ = (UniqueConstraint("campaign_id", "line"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    campaign_id: int = Field(foreign_key="campaign.id")
    line: str = Field(sa_column=_text(nullable=False))
    at: datetime = Field(sa_column=_time(nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    event: str = Field(sa_column=_text(nullable=False))
    text_: str = Field(sa_column=Column("text", Text, nullable=False))
