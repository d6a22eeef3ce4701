"""A stage for campaigns: in real time, or where time can be skipped."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.campaigns import Stage


@pytest.fixture
async def stage(temporal_env: WorkflowEnvironment) -> AsyncIterator[Stage]:
    """Campaigns in real time."""
    stage = Stage(temporal_env)
    yield stage
    await stage.clear()


@pytest.fixture
async def skipping(time_skipping_env: WorkflowEnvironment) -> AsyncIterator[Stage]:
    """Campaigns whose time can be skipped; an idle one does not skip by itself."""
    stage = Stage(time_skipping_env)
    yield stage
    await stage.clear()
