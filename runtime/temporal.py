"""The connection to Temporal, made as the ``temporal`` CLI makes it: ``TEMPORAL_*``, then temporal.toml."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from runtime.converter import data_converter
from runtime.errors import AccessDenied, NamespaceMissing, ServerMissing, Unreachable
from runtime.settings import Settings

DEFAULT_ADDRESS = "127.0.0.1:7233"
DEFAULT_NAMESPACE = "default"

#: A person waits for the answer; the SDK alone would wait for as long as a silent server does.
PATIENCE = timedelta(seconds=4)

REFUSED = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)


async def connect(settings: Settings, **options: Any) -> Client:
    """A client whose server has answered and whose namespace exists, within 5 s.

    `options` go to ``Client.connect`` and win over the environment (``runtime=``, ``interceptors=``, ...).
    Raises ServerMissing, NamespaceMissing or AccessDenied, each one line with its cure.
    """
    target = _configured() | options
    address = str(target.setdefault("target_host", DEFAULT_ADDRESS))
    namespace = str(target.setdefault("namespace", DEFAULT_NAMESPACE))
    target.setdefault("data_converter", data_converter)
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            client = await Client.connect(**target)
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=namespace), timeout=PATIENCE
            )
    except (RuntimeError, ValueError, RPCError, TimeoutError) as error:
        raise _explained(error, address, namespace) from error
    return client


def _configured() -> dict[str, Any]:
    try:
        return dict(ClientConfig.load_client_connect_config())
    except OSError as error:
        raise AccessDenied(
            f"cannot read {error.filename}: {error.strerror}; check TEMPORAL_TLS_* and temporal.toml"
        ) from error
    except Exception as error:  # the SDK's ConfigError lives in its private extension module
        raise AccessDenied(
            f"the Temporal configuration is wrong: {error}; check TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE "
            "and temporal.toml"
        ) from error


def _explained(error: Exception, address: str, namespace: str) -> Unreachable:
    text = str(error)
    status = error.status if isinstance(error, RPCError) else None
    if status is RPCStatusCode.NOT_FOUND:
        return NamespaceMissing(
            f"namespace '{namespace}' does not exist on {address}; create it with "
            f"`temporal operator namespace create --address {address} --namespace {namespace}` "
            "or set TEMPORAL_NAMESPACE"
        )
    if status in REFUSED or "Unauthenticated" in text or "PermissionDenied" in text:
        return AccessDenied(
            f"the Temporal server at {address} refuses this client for namespace '{namespace}'; "
            "check TEMPORAL_API_KEY, TEMPORAL_TLS_* and TEMPORAL_NAMESPACE"
        )
    if any(sign in text for sign in ("InvalidMessage", "AlertReceived", "InvalidCertificate", "FRAME_SIZE")):
        return AccessDenied(
            f"{address} answers, but not as a Temporal server with this TLS setting would; "
            "check TEMPORAL_TLS, TEMPORAL_TLS_* and TEMPORAL_ADDRESS"
        )
    if isinstance(error, ValueError) or "certificate" in text.lower() or "private key" in text.lower():
        return AccessDenied(f"cannot use the TLS settings for {address}: {text}; check TEMPORAL_TLS_*")
    return ServerMissing(
        f"no Temporal server at {address}; start one with `python starter.py dev` or set TEMPORAL_ADDRESS"
    )


def ui_link(settings: Settings, namespace: str, workflow_id: str, run_id: str | None = None) -> str:
    """The page of a workflow (without `run_id`: of its latest run) in the Temporal UI."""
    parts = ["namespaces", namespace, "workflows", workflow_id, *([run_id, "history"] if run_id else [])]
    return "/".join([settings.ui_url, *(quote(part, safe="") for part in parts)])
