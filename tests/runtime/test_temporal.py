"""
Connecting to Temporal either works or says in one line what to do.

Given                          | then within 5 s
-------------------------------|--------------------------------------
nothing listens                | how to start a server, or to name one
something silent listens       | the same
a namespace that is not there  | how to create it
a TLS file that is not there   | which file
TLS to a server without        | to check TLS
"""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from runtime.errors import AccessDenied, NamespaceMissing, ServerMissing, Unreachable
from runtime.processes import free_port
from runtime.search_attributes import ensure_search_attributes
from runtime.settings import Settings, load_settings
from runtime.temporal import connect, ui_link

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
DOUBLE = IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE


@pytest.fixture
def settings() -> Settings:
    return load_settings()


@pytest.fixture
def server(temporal_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch) -> str:
    address = temporal_env.client.service_client.config.target_host
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    return address


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


async def test_a_running_server_and_its_namespace_are_found_from_the_environment(
    settings: Settings, server: str
) -> None:
    client = await connect(settings)
    assert (client.service_client.config.target_host, client.namespace) == (server, "default")


async def test_when_nothing_listens_it_says_how_to_start_a_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    with pytest.raises(ServerMissing) as refused:
        await connect(settings)
    assert str(refused.value) == (
        f"no Temporal server at {address}; start one with `python starter.py dev` or set TEMPORAL_ADDRESS"
    )


async def test_a_silent_server_is_given_up_within_five_seconds(
    settings: Settings, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{silent_port}")
    async with asyncio.timeout(5):
        with pytest.raises(ServerMissing, match="no Temporal server at"):
            await connect(settings)


async def test_a_namespace_that_does_not_exist_is_named_with_the_way_to_create_it(
    settings: Settings, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "fleet-eu")
    with pytest.raises(NamespaceMissing) as refused:
        await connect(settings)
    assert str(refused.value) == (
        f"namespace 'fleet-eu' does not exist on {server}; create it with "
        f"`temporal operator namespace create --address {server} --namespace fleet-eu` "
        "or set TEMPORAL_NAMESPACE"
    )


async def test_tls_to_a_server_without_it_is_told_apart_from_a_missing_server(
    settings: Settings, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    with pytest.raises(AccessDenied, match="check TEMPORAL_TLS"):
        await connect(settings)


async def test_a_certificate_file_that_is_missing_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(tmp_path / "client.pem"))
    with pytest.raises(AccessDenied, match=r"cannot read .*client\.pem: No such file or directory"):
        await connect(settings)


async def test_a_profile_that_does_not_exist_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_PROFILE", "prod")
    with pytest.raises(AccessDenied, match=r"configuration is wrong: .*prod.*; check TEMPORAL_PROFILE"):
        await connect(settings)


@pytest.mark.parametrize(
    ("variables", "family"),
    [({"TEMPORAL_NAMESPACE": "nowhere"}, Unreachable), ({"TEMPORAL_TLS": "true"}, Unreachable)],
)
async def test_each_fault_is_one_line_of_one_family(
    settings: Settings,
    server: str,
    variables: dict[str, str],
    family: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(family) as refused:
        await connect(settings)
    assert "\n" not in str(refused.value)


async def test_missing_search_attributes_are_registered_once(
    settings: Settings, server: str, temporal_env: WorkflowEnvironment
) -> None:
    client = await connect(settings)
    keys = {"CampaignState": KEYWORD, "RuntimeTestRate": DOUBLE}
    assert await ensure_search_attributes(client, keys) == ("RuntimeTestRate",)
    assert await ensure_search_attributes(client, keys) == ()


async def test_a_search_attribute_of_another_type_is_refused_in_one_line(
    settings: Settings, server: str
) -> None:
    client = await connect(settings)
    with pytest.raises(Unreachable, match="CampaignState of namespace 'default' is Keyword, not Double"):
        await ensure_search_attributes(client, {"CampaignState": DOUBLE})


async def test_who_may_not_register_search_attributes_is_told_the_commands(
    temporal_env: WorkflowEnvironment,
) -> None:
    from temporalio.service import RPCError, RPCStatusCode

    class Forbidden:
        async def list_search_attributes(self, *_: object, **__: object) -> None:
            raise RPCError("no", RPCStatusCode.PERMISSION_DENIED, b"")

    class Guest:
        namespace = "fleet"
        operator_service = Forbidden()

    with pytest.raises(AccessDenied) as refused:
        await ensure_search_attributes(Guest(), {"CampaignState": KEYWORD})  # type: ignore[arg-type]
    assert str(refused.value).endswith(
        "`temporal operator search-attribute create --namespace fleet --name CampaignState --type Keyword`"
    )


@pytest.mark.parametrize(
    ("workflow_id", "run_id", "path"),
    [
        ("campaign/4711", None, "/namespaces/default/workflows/campaign%2F4711"),
        ("a b?c#d%", "r-1", "/namespaces/default/workflows/a%20b%3Fc%23d%25/r-1/history"),
    ],
)
def test_a_link_to_the_ui_survives_any_workflow_id(workflow_id: str, run_id: str | None, path: str) -> None:
    settings = load_settings(ui_url="http://ui.example:8080/")
    assert ui_link(settings, "default", workflow_id, run_id) == "http://ui.example:8080" + path


async def test_time_skipping_workflows_start_on_a_server_with_the_campaigns_search_attributes(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    client: Client = time_skipping_env.client
    assert await ensure_search_attributes(client, {"CampaignState": KEYWORD}) == ()
    assert time_skipping_env.supports_time_skipping_v2
