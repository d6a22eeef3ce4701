"""Settings: read once at the start of a process from ``RINGMASTER_*``, never changed after.

Where Temporal is (address, namespace, TLS, API key) is not asked here: ``TEMPORAL_*`` and temporal.toml
are shared with the ``temporal`` CLI, so that an operator and a worker cannot look at two clusters.
"""

import difflib
import ipaddress
import math
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from runtime.errors import SettingsError

PREFIX = "RINGMASTER_"

#: Read by the test suite, not by the program.
TEST_PREFIX = PREFIX + "TEST_"

#: A lease must outlive two missed renewals and the one that is under way, or a slow tick shuts the gate.
TICKS_PER_LEASE = 3

#: As alike as a slip of the keyboard. Looser would refuse what others put in the environment:
#: Kubernetes sets RINGMASTER_PORT and RINGMASTER_SERVICE_HOST for a service named ringmaster.
MISSPELT = 0.85


def seconds(value: object) -> timedelta:
    """A positive number of seconds as a duration; raises ValueError for anything else."""
    if isinstance(value, timedelta):
        duration = value
    else:
        try:
            number = float(value) if isinstance(value, str | int | float) else math.nan
            duration = timedelta(seconds=number)
        except (ValueError, OverflowError):
            raise ValueError("give a number of seconds, such as 30") from None
    if duration <= timedelta(0):
        raise ValueError("give a number of seconds greater than 0")
    return duration


def urls(value: object) -> object:
    """A comma separated list as a tuple; only a comma before the next ``scheme://`` separates."""
    if not isinstance(value, str):
        return value
    parts = tuple(part.strip() for part in re.split(r",(?=\s*[\w+.-]+://)", value) if part.strip())
    if any("://" not in part for part in parts):
        raise ValueError("give Apprise URLs such as mailto://USER:PASSWORD@HOST, separated by commas")
    return parts


def words(value: object) -> object:
    """A comma separated list as a tuple, without empty parts."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def networks(value: object) -> object:
    """A comma separated list of networks and addresses as a tuple; raises ValueError for anything else."""
    parts = words(value)
    if not isinstance(parts, tuple):
        return value
    try:
        return tuple(part if isinstance(part, Network) else ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        raise ValueError(f"give networks such as 10.0.0.0/8, separated by commas: {error}") from None


def hashes(value: object) -> object:
    """A comma separated list of sha256 sums in hex as a tuple of digests; raises ValueError for others."""
    parts = words(value)
    if not isinstance(parts, tuple):
        return value
    if not all(isinstance(part, bytes) or re.fullmatch("[0-9a-fA-F]{64}", part) for part in parts):
        raise ValueError("give the sha256 of the token, 64 hex digits, never the token; separate by a comma")
    return tuple(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(networks)]
Hashes = Annotated[tuple[bytes, ...], NoDecode, BeforeValidator(hashes)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
Seconds = Annotated[timedelta, BeforeValidator(seconds)]
Port = Annotated[int, Field(ge=1, le=65535)]
Urls = Annotated[tuple[str, ...], NoDecode, BeforeValidator(urls)]
Word = Annotated[str, Field(min_length=1)]
Bucket = Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?$")]
Tenant = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
HttpUrl = Annotated[
    str, Field(pattern=r"^https?://[^/\s]+", max_length=2000), AfterValidator(lambda url: url.rstrip("/"))
]


class Settings(BaseSettings):
    """What one process was told. Use `load_settings`, which words the errors for an operator."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    data_dir: Path = Path(".ringmaster")
    #: None starts the embedded PostgreSQL in `postgres_dir`.
    database_url: str | None = Field(default=None, repr=False)
    gateway_host: Word = "127.0.0.1"
    gateway_port: Port = 8484
    #: How vehicles reach the gateway when a proxy stands before it; download links are built on it.
    gateway_public_url: HttpUrl | None = None
    #: Whose word on addresses, hosts and certificates is believed; everybody else's headers are ignored.
    trusted_proxies: Networks = ()
    #: Sums of tokens that let in as any vehicle of the fleet; two while one replaces the other.
    gateway_token_sha256: Hashes = Field(default=(), repr=False)
    #: Who may have issued the certificates that trusted proxies have checked. Empty: they let nobody in.
    proxy_authorities: Words = ()
    proxy_controller_header: HeaderName = "X-Controller-Id"
    proxy_authority_header: HeaderName = "X-Authority"
    #: Own TLS; the key may stand in the file of the certificate.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    #: Whose certificates let vehicles in, by a common name that is the controller id.
    tls_client_ca: Path | None = None
    tls_client_required: bool = False
    #: Revoked certificates; every authority of `tls_client_ca` needs its list in this file.
    tls_client_crl: Path | None = None
    #: Requests one vehicle may make, on average; a burst may be four times as many.
    requests_per_second: Annotated[int, Field(ge=1)] = 100
    #: The tenant in the path of the DDI protocol.
    tenant: Tenant = "DEFAULT"
    artifacts_dir: Path | None = None
    #: Where vehicles fetch update files instead of from the gateway; ``AWS_*`` says how it is reached.
    artifact_store: Bucket | None = None
    #: How long a signed link to the store opens a file. More than seven days no signature lasts.
    artifact_link_expires: Annotated[Seconds, Field(le=timedelta(days=7))] = timedelta(minutes=15)
    #: How often a vehicle is asked to poll that has or awaits an action.
    poll_interval: Seconds = timedelta(seconds=60)
    #: How often any other one is; None: a fifth as often.
    poll_interval_idle: Seconds | None = None
    #: Apprise URLs; they carry tokens. Empty: notifications go to the log only.
    notify_urls: Urls = Field(default=(), repr=False)
    ui_url: HttpUrl = "http://127.0.0.1:8233"
    task_queue: Word = "ringmaster"
    #: How often a rolling phase is supervised.
    tick: Seconds = timedelta(seconds=2)
    #: How long the gate stays open after the last supervision.
    lease: Seconds = timedelta(seconds=30)
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _one_dialect(cls, value: str | None) -> str | None:
        if value is None:
            return None
        cure = "give postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError(cure) from None
        if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
            raise ValueError(f"{cure}; {url.drivername} is not supported")
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    @property
    def poll_interval_seldom(self) -> timedelta:
        """How often a vehicle is asked to poll for which there is nothing."""
        return self.poll_interval_idle or 5 * self.poll_interval

    @model_validator(mode="after")
    def _idle_ones_poll_less(self) -> Self:
        if self.poll_interval_idle is not None and self.poll_interval_idle < self.poll_interval:
            raise ValueError(
                f"RINGMASTER_POLL_INTERVAL_IDLE is {self.poll_interval_idle.total_seconds():g} s: give no "
                f"less than RINGMASTER_POLL_INTERVAL, {self.poll_interval.total_seconds():g} s"
            )
        return self

    @model_validator(mode="after")
    def _lease_outlives_ticks(self) -> Self:
        if self.lease <= TICKS_PER_LEASE * self.tick:
            shortest = f"{TICKS_PER_LEASE * self.tick.total_seconds():g}"
            raise ValueError(
                f"{PREFIX}LEASE is {self.lease.total_seconds():g} s: give more than {shortest} s, "
                f"{TICKS_PER_LEASE} times {PREFIX}TICK, or a slow supervision shuts the gate"
            )
        return self

    @model_validator(mode="after")
    def _nothing_half_configured(self) -> Self:
        needs = (
            ("tls_key", "tls_certificate"),
            ("tls_client_ca", "tls_certificate"),
            ("tls_client_required", "tls_client_ca"),
            ("tls_client_crl", "tls_client_ca"),
            ("proxy_authorities", "trusted_proxies"),
        )
        for given, needed in needs:
            if getattr(self, given) and not getattr(self, needed):
                name, missing = (PREFIX + field.upper() for field in (given, needed))
                raise ValueError(f"{name} has no effect without {missing}: give both or none")
        return self

    @property
    def postgres_dir(self) -> Path:
        """Where the embedded PostgreSQL keeps its files."""
        return self.data_dir / "postgres"

    @property
    def artifacts(self) -> Path:
        """Where update files are kept."""
        return self.artifacts_dir if self.artifacts_dir is not None else self.data_dir / "artifacts"

    @property
    def gateway_url(self) -> str:
        """How vehicles reach the gateway, without a slash at the end."""
        host = f"[{self.gateway_host}]" if ":" in self.gateway_host else self.gateway_host
        scheme = "https" if self.tls_certificate else "http"
        return self.gateway_public_url or f"{scheme}://{host}:{self.gateway_port}"


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` win. Raises SettingsError, one line for each fault."""
    _refuse_misspelt(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_line(fault) for fault in error.errors(include_url=False))) from error


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX) or name in known:
            continue
        alike = difflib.get_close_matches(name, known, n=1, cutoff=MISSPELT)
        if alike:
            raise SettingsError(f"{name} is not a setting: did you mean {alike[0]}?")


def _line(fault: Mapping[str, Any]) -> str:
    text = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:
        return text
    name = PREFIX + str(fault["loc"][0]).upper()
    pattern = "give a URL that begins with http:// or https://"
    if fault["loc"][0] == "tenant":
        pattern = "give letters, digits, '_', '.' or '-': it is a part of a path"
    if str(fault["loc"][0]).endswith("_header"):
        pattern = "give the name of a header: letters, digits and '-'"
    cures = {
        "literal_error": f"give one of {fault.get('ctx', {}).get('expected', '')}",
        "string_pattern_mismatch": pattern,
        "int_parsing": "give a whole number",
        "extra_forbidden": "there is no such setting",
        "string_too_short": "give at least one character",
    }
    return f"{name}: {cures.get(fault['type'], text)}"
