"""The real worker serves all that the workflow asks for."""

import ast
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from runtime.settings import Settings
from tests.workflows.world import World
from worker import SLOTS, build_engine, build_worker
from workflows.campaign import CampaignWorkflow

WORKFLOWS = Path(__file__).parents[2] / "workflows"
CLASSES = ("Targeting", "Delivery", "Supervision", "Notification")


def used() -> set[str]:
    """The activities that the code of the workflows names."""
    return {
        node.attr
        for path in WORKFLOWS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in CLASSES
    }


async def test_the_worker_serves_the_workflow_and_every_activity_it_uses(
    temporal_env: WorkflowEnvironment,
) -> None:
    # Nothing listens there: building a worker must not need the database.
    engine = build_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with ThreadPoolExecutor(SLOTS) as threads:
        worker = build_worker(temporal_env.client, engine, Settings(task_queue="other"), threads)
    config = worker.config()
    served = {getattr(each, "__temporal_activity_definition").name for each in config["activities"]}
    assert len(used()) >= 10
    assert served == used()
    assert config["workflows"] == [CampaignWorkflow]
    assert config["task_queue"] == "other"


def test_the_fake_world_of_these_tests_serves_the_same() -> None:
    assert {activity.__name__ for activity in World({1: 1}).activities} == used()
