"""How messages are read: as pydantic does, but an operator's input is never lost for being unreadable.

The SDK drops a signal it cannot decode, with a line in the worker's log, and tells its sender that it
succeeded; an unreadable start input is tried again for ever. Where any value is welcome, such input becomes a
text that says so: a pause with a broken reason is still a pause, and a broken definition is refused.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

UNREADABLE = "(unreadable input)"


class LenientPayloadConverter(PydanticPayloadConverter):
    """Pydantic's converter, total for arguments of no particular type."""

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type[Any]] | None = None
    ) -> list[Any]:
        """One value per payload; those of a particular type raise as ever when they do not fit."""
        hints: list[Any] = list(type_hints or [])
        hints += [None] * (len(payloads) - len(hints))
        return [self._read(payload, hint) for payload, hint in zip(payloads, hints, strict=False)]

    def _read(self, payload: Payload, hint: Any) -> Any:
        try:
            return super().from_payloads([payload], None if hint is None else [hint])[0]
        except Exception:
            if hint in (None, Any):
                return UNREADABLE
            raise


class BriefFailureConverter(DefaultFailureConverter):
    """The SDK's, without a stack trace where nothing is wrong.

    Each tick that finds nothing ends with a benign error: writing down where it was raised took a tenth of
    the worker's time, and a quarter of what Temporal keeps of it.
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """As the SDK does."""
        if isinstance(exception, ApplicationError) and exception.category is ApplicationErrorCategory.BENIGN:
            exception = exception.with_traceback(None)
        super().to_failure(exception, payload_converter, failure)


data_converter = dataclasses.replace(
    pydantic_data_converter,
    payload_converter_class=LenientPayloadConverter,
    failure_converter_class=BriefFailureConverter,
)
