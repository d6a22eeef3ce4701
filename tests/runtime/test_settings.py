"""
Settings come from RINGMASTER_*; what is wrong is named with its cure, nothing becomes a default by accident.

Given a variable            | then one line
----------------------------|--------------------------------------------
not a number of seconds     | names it and shows a good value
a lease of 3 ticks or less  | names both variables
a name with a slip          | names the one that was meant
a password in a bad URL     | never holds the password
"""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.errors import SettingsError
from runtime.settings import Settings, load_settings


def test_without_any_variable_everything_runs_on_this_machine() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert settings.postgres_dir == Path(".ringmaster/postgres")
    assert settings.artifacts == Path(".ringmaster/artifacts")
    assert settings.gateway_url == "http://127.0.0.1:8484"
    assert (settings.poll_interval, settings.tick, settings.lease) == (
        timedelta(seconds=60),
        timedelta(seconds=2),
        timedelta(seconds=30),
    )


def test_durations_are_given_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_POLL_INTERVAL", "30")
    monkeypatch.setenv("RINGMASTER_TICK", "0.5")
    settings = load_settings()
    assert settings.poll_interval == timedelta(seconds=30)
    assert settings.tick == timedelta(milliseconds=500)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("POLL_INTERVAL", "soon", "RINGMASTER_POLL_INTERVAL: give a number of seconds, such as 30"),
        ("POLL_INTERVAL", "nan", "RINGMASTER_POLL_INTERVAL: give a number of seconds, such as 30"),
        ("POLL_INTERVAL", "inf", "RINGMASTER_POLL_INTERVAL: give a number of seconds, such as 30"),
        ("POLL_INTERVAL", "0", "RINGMASTER_POLL_INTERVAL: give a number of seconds greater than 0"),
        ("GATEWAY_PORT", "http", "RINGMASTER_GATEWAY_PORT: give a whole number"),
        ("GATEWAY_PORT", "0", "RINGMASTER_GATEWAY_PORT: Input should be greater than or equal to 1"),
        ("LOG_FORMAT", "xml", "RINGMASTER_LOG_FORMAT: give one of 'console' or 'json'"),
        ("UI_URL", "localhost", "RINGMASTER_UI_URL: give a URL that begins with http:// or https://"),
        ("TENANT", "a/b", "RINGMASTER_TENANT: give letters, digits, '_', '.' or '-': it is a part of a path"),
        (
            "NOTIFY_URLS",
            "ops@example.com",
            "RINGMASTER_NOTIFY_URLS: give Apprise URLs such as mailto://USER:PASSWORD@HOST, "
            "separated by commas",
        ),
        (
            "TRUSTED_PROXIES",
            "10.0.0.1/8",
            "RINGMASTER_TRUSTED_PROXIES: give networks such as 10.0.0.0/8, separated by commas: "
            "10.0.0.1/8 has host bits set",
        ),
        (
            "GATEWAY_TOKEN_SHA256",
            "s3cret",
            "RINGMASTER_GATEWAY_TOKEN_SHA256: give the sha256 of the token, 64 hex digits, never the token; "
            "separate by a comma",
        ),
        (
            "PROXY_AUTHORITY_HEADER",
            "X Authority",
            "RINGMASTER_PROXY_AUTHORITY_HEADER: give the name of a header: letters, digits and '-'",
        ),
        (
            "PROXY_AUTHORITIES",
            "Vehicles CA",
            "RINGMASTER_PROXY_AUTHORITIES has no effect without RINGMASTER_TRUSTED_PROXIES: "
            "give both or none",
        ),
        (
            "TLS_CLIENT_REQUIRED",
            "yes",
            "RINGMASTER_TLS_CLIENT_REQUIRED has no effect without RINGMASTER_TLS_CLIENT_CA: "
            "give both or none",
        ),
        (
            "DATABASE_URL",
            "sqlite:///x",
            "RINGMASTER_DATABASE_URL: give postgresql://USER:PASSWORD@HOST:PORT/DATABASE; "
            "sqlite is not supported",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"RINGMASTER_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == line


def test_each_wrong_value_gets_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_TICK", "x")
    monkeypatch.setenv("RINGMASTER_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "RINGMASTER_TICK",
        "RINGMASTER_LOG_LEVEL",
    ]


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_TRUSTED_PROXIES", "10.0.0.0/8, ::1,")
    monkeypatch.setenv("RINGMASTER_PROXY_AUTHORITIES", "Vehicles CA, a1b2")
    monkeypatch.setenv("RINGMASTER_GATEWAY_TOKEN_SHA256", f"{'A' * 64},{'0' * 64}")
    settings = load_settings()
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.proxy_authorities == ("Vehicles CA", "a1b2")
    assert settings.gateway_token_sha256 == (b"\xaa" * 32, bytes(32))


@pytest.mark.parametrize(("lease", "fits"), [("6", False), ("6.1", True)])
def test_a_lease_must_outlive_three_ticks(monkeypatch: pytest.MonkeyPatch, lease: str, fits: bool) -> None:
    monkeypatch.setenv("RINGMASTER_LEASE", lease)
    if fits:
        assert load_settings().lease == timedelta(seconds=6.1)
        return
    with pytest.raises(SettingsError, match=r"RINGMASTER_LEASE is 6 s: give more than 6 s.*RINGMASTER_TICK"):
        load_settings()


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_POLL_INTERVALL", "30")
    with pytest.raises(SettingsError, match=r"INTERVALL is not a setting: did you mean RINGMASTER_POLL_INT"):
        load_settings()


def test_what_kubernetes_sets_for_a_service_of_that_name_is_no_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("RINGMASTER_SERVICE_HOST", "10.0.0.1")
    assert load_settings() == Settings()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_DATABASE_URL", "")
    assert load_settings().database_url is None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_a_postgresql_url_leads_to_one_driver(scheme: str) -> None:
    settings = load_settings(database_url=f"{scheme}://ann:s3cret@db:5433/fleet?sslmode=require")
    assert settings.database_url == "postgresql+psycopg://ann:s3cret@db:5433/fleet?sslmode=require"


def test_secrets_are_not_in_the_printed_settings() -> None:
    settings = load_settings(
        database_url="postgresql://ann:s3cret@db/fleet", notify_urls=("slack://s3cret/channel",)
    )
    assert "s3cret" not in repr(settings)


def test_a_refused_url_keeps_its_password_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_DATABASE_URL", "mysql://ann:s3cret@db/fleet")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "s3cret" not in str(refused.value)


def test_only_a_comma_before_a_scheme_separates_notification_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "RINGMASTER_NOTIFY_URLS", "mailto://u:p@host?to=a@x.org,b@x.org, slack://token/channel"
    )
    assert load_settings().notify_urls == (
        "mailto://u:p@host?to=a@x.org,b@x.org",
        "slack://token/channel",
    )


def test_vehicles_are_sent_to_the_public_address_of_the_gateway() -> None:
    assert load_settings(gateway_public_url="https://ota.example/").gateway_url == "https://ota.example"
    assert load_settings(gateway_host="::1").gateway_url == "http://[::1]:8484"


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().gateway_port = 1  # type: ignore[misc]
