"""The Python API as resources: workflows, jobs and workers."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from lightflow.models.exceptions import WorkflowArgumentError, WorkflowImportError
from lightflow.queue.const import JobStatus, JobType
from lightflow.workers import list_workers
from lightflow.workflows import list_jobs, list_workflows, start_workflow, stop_workflow


def server(config):
    handler = type("Handler", (Requests,), {"config": config})
    return ThreadingHTTPServer(("127.0.0.1", config.extensions["http"]["port"]), handler)


class Requests(BaseHTTPRequestHandler):
    config = None

    def do_GET(self):
        resources = {"/workflows": self._workflows, "/active": self._active, "/workers": self._workers}
        self._answer(200, resources[self.path]())

    def do_POST(self):
        """Start the workflow that the path names, with the query as its arguments."""
        url = urlsplit(self.path)
        try:
            job_id = start_workflow(
                name=url.path.strip("/"),
                config=self.config,
                clear_data_store=False,
                store_args=dict(parse_qsl(url.query)),
            )
        except (WorkflowArgumentError, WorkflowImportError) as err:
            self._answer(400, {"error": str(err)})
        else:
            self._answer(201, {"id": job_id})

    def do_DELETE(self):
        """Stop the runs of the workflow that the path names."""
        stopped, failed = stop_workflow(self.config, names=[self.path.strip("/")])
        self._answer(200, {"stopped": [job.id for job in stopped], "failed": [job.id for job in failed]})

    def _workflows(self):
        return [
            {
                "name": workflow.name,
                "docs": workflow.docstring.split("\n")[0],
                "parameters": {option.name: option.type.__name__ for option in workflow.parameters},
            }
            for workflow in list_workflows(self.config)
        ]

    def _active(self):
        jobs = list_jobs(self.config, status=JobStatus.Active)
        return {kind: [job.to_dict() for job in jobs if job.type == kind] for kind in (JobType.Workflow, JobType.Task)}

    def _workers(self):
        return [
            {**worker.to_dict(), "jobs": len(list_jobs(self.config, filter_by_worker=worker.name))}
            for worker in list_workers(self.config, filter_by_queues=["task"])
        ]

    def _answer(self, status, document):
        body = json.dumps(document, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Say nothing on the terminal."""
