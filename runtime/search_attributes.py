"""Search attributes: what the Temporal UI can filter on must be registered before a workflow sets it."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from runtime.errors import AccessDenied, Unreachable

PATIENCE = timedelta(seconds=10)


async def ensure_search_attributes(
    client: Client, keys: Mapping[str, "IndexedValueType.ValueType"]
) -> tuple[str, ...]:
    """Register those of `keys` the namespace lacks, and name them. A workflow that sets an unknown one hangs.

    Raises AccessDenied with the commands to run when this client may not do it, and Unreachable when one
    exists with another type, or the server is gone.
    """
    namespace = client.namespace
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=namespace), timeout=PATIENCE
        )
        for name, kind in keys.items():
            present = known.custom_attributes.get(name)
            if present is not None and present != kind:
                raise Unreachable(
                    f"search attribute {name} of namespace '{namespace}' is {cli_word(present)}, "
                    f"not {cli_word(kind)}; use another namespace: a type cannot be changed"
                )
        missing = {name: kind for name, kind in keys.items() if name not in known.custom_attributes}
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=namespace, search_attributes=missing), timeout=PATIENCE
            )
    except RPCError as error:
        if error.status in (
            RPCStatusCode.PERMISSION_DENIED,
            RPCStatusCode.UNAUTHENTICATED,
            RPCStatusCode.UNIMPLEMENTED,
        ):
            raise AccessDenied(
                "this client may not register search attributes; have it done once with "
                + " && ".join(
                    f"`temporal operator search-attribute create --namespace {namespace} "
                    f"--name {name} --type {cli_word(kind)}`"
                    for name, kind in keys.items()
                )
            ) from error
        if error.status is RPCStatusCode.ALREADY_EXISTS:  # another worker was faster
            return ()
        raise Unreachable(
            f"cannot register search attributes in namespace '{namespace}': {error.message}"
        ) from error
    return tuple(missing)


def cli_word(kind: "IndexedValueType.ValueType") -> str:
    """The CLI's word for a type: ``KeywordList`` for ``INDEXED_VALUE_TYPE_KEYWORD_LIST``."""
    name = IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_")
    return "".join(part.capitalize() for part in name.split("_"))
