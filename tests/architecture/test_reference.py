"""The generated pages are what the code says, and tell about everything that the contract calls public."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API = ROOT / "docs/api"
CONTRACT = {
    "lightflow": "Config default_config __version__",
    "lightflow.models": """
        Workflow Dag BaseTask TaskStatus TaskParameters Parameters Option Action TaskData MultiTaskData DataStore
        DataStoreDocument DataStoreDocumentSection TaskSignal DagSignal AbortWorkflow StopTask""",
    "lightflow.models.exceptions": """
        LightflowException ConfigLoadError ConfigOverwriteError ConfigNotDefinedError ConfigFieldError
        WorkflowArgumentError WorkflowImportError WorkflowDefinitionError DirectedAcyclicGraphInvalid
        DirectedAcyclicGraphUndefined DataInvalidIndex DataInvalidAlias DataStoreNotConnected DataStoreIDExists
        DataStoreIDInvalid DataStoreGridfsIdInvalid DataStoreDecodeUnknownType TaskReturnActionInvalid
        RequestActionUnknown RequestFailed DagNameUnknown EventTypeUnknown JobEventTypeUnsupported
        WorkerEventTypeUnsupported JobStatInvalid AbortWorkflow StopTask""",
    "lightflow.tasks": "PythonTask BashTask",
    "lightflow.queue": "DefaultJobQueueName JobType JobStatus JobEventName",
    "lightflow.queue.const": "DefaultJobQueueName JobType JobStatus JobEventName",
    "lightflow.config": "Config LIGHTFLOW_CONFIG_ENV LIGHTFLOW_CONFIG_NAME",
    "lightflow.logger": "get_logger",
    "lightflow.workflows": "start_workflow stop_workflow list_workflows list_jobs events",
    "lightflow.workers": "start_worker stop_worker list_workers",
    "lightflow.client": "Client Run",
    "lightflow.local": "run",
}


@pytest.mark.parametrize("tool", ["generate_reference.py", "generate_api.py"])
def test_a_generated_reference_is_what_the_code_says(tool: str) -> None:
    check = [sys.executable, ROOT / "tools" / tool, "--check"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIGHTFLOW_")}
    done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", CONTRACT)
def test_every_public_name_has_its_section(module: str) -> None:
    public = import_module(module).__all__
    assert set(CONTRACT[module].split()) <= set(public)
    headings = re.findall(r"^## `(.+)`$", (API / f"{module}.md").read_text(), re.MULTILINE)
    assert headings == list(public)


def test_every_section_explains_what_it_is_about() -> None:
    for page in API.glob("lightflow*.md"):
        text = re.sub(r"^```text\n.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for section in re.split(r"^##+ ", text, flags=re.MULTILINE)[1:]:
            title, *lines = section.splitlines()
            assert any(line and not line.startswith(("|", "A kind of")) for line in lines), f"{page.name}: {title}"


def test_every_error_that_a_page_names_can_be_imported() -> None:
    known = {*import_module("lightflow.models.exceptions").__all__, "AttributeError", "TypeError", "ValueError"}
    for page in API.glob("lightflow*.md"):
        for sentence in re.findall(r"\b[Rr]aises? ([^.|]*)", page.read_text()):
            errors = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", sentence)) - {"TimeoutError", "None"}
            assert errors <= known, page.name
