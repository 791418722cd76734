"""A stub of the Kubernetes API on loopback, with a stub of the Dask operator.

It is no Kubernetes: it has no images, nodes, volumes or rights, and a pod is a process on this
machine. What it does have are the calls that the cluster class makes, answered as the real API
answers them, and a scheduler and workers that run the commands of the pods they stand for.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

READY = {
    "phase": "Running",
    "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")],
}
PENDING: dict[str, dict[str, Any]] = {
    "no image": {
        "phase": "Pending",
        "containerStatuses": [
            {
                "image": "no/such:image",
                "state": {
                    "waiting": {
                        "reason": "ImagePullBackOff",
                        "message": 'Back-off pulling image "no/such:image"',
                    }
                },
            }
        ],
    },
    "no node": {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient memory.",
            }
        ],
    },
}


def kinds(version: str, *names: str) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "groupVersion": version,
        "resources": [
            {
                "name": f"{name.lower()}s",
                "singularName": name.lower(),
                "kind": name,
                "namespaced": True,
                "verbs": ["get", "list", "create", "patch", "delete"],
            }
            for name in names
        ],
    }


GROUP = {"groupVersion": "kubernetes.dask.org/v1", "version": "v1"}
DISCOVERY: dict[str, Any] = {
    "/version": {"gitVersion": "v1.35.0", "major": "1", "minor": "35"},
    "/api": {"versions": ["v1"]},
    "/api/v1": kinds("v1", "Pod", "Service", "Event"),
    "/apis": {
        "groups": [
            {"name": "kubernetes.dask.org", "versions": [GROUP], "preferredVersion": GROUP},
        ]
    },
    "/apis/kubernetes.dask.org/v1": kinds(
        "kubernetes.dask.org/v1", "DaskCluster", "DaskWorkerGroup", "DaskAutoscaler"
    ),
}
QUOTA = 'pods "x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=5'
PATH = re.compile(r"/apis?/(?:[^/]+/)?v1/namespaces/(\w+)/(\w+)(?:/([\w.-]+))?")


class KubernetesApi:
    """Serves until it is closed. `mode` is what happens to clusters that are made."""

    def __init__(self, folder: Path, mode: str = "") -> None:
        self.mode = mode
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.calls: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.lock = threading.Lock()
        self.log = folder / "pods.log"
        self.port = free_port()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"null")
                with api.lock:
                    code, content = api.answer(self.command, self.path, body)
                text = content if isinstance(content, str) else json.dumps(content)
                self.send_response(code)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "stub",
                    "contexts": [
                        {"name": "stub", "context": {"cluster": "stub", "user": "stub"}},
                    ],
                    "clusters": [
                        {
                            "name": "stub",
                            "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"},
                        }
                    ],
                    "users": [{"name": "stub", "user": {"token": "not-for-any-log"}}],
                }
            )
        )

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.end_pods()

    def end_pods(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        url = urlsplit(path)
        if (known := DISCOVERY.get(url.path.rstrip("/"))) is not None:
            return 200, known
        match = PATH.fullmatch(url.path)
        if not match:
            return 404, failure(404, f"the stub has no {url.path}")
        _, kind, name = match.groups()
        self.calls.append(f"{method} {kind}")
        there = self.objects.setdefault(kind, {})
        if kind == "daskclusters" and self.mode == "no definition":
            return 404, "404 page not found\n"
        if kind == "daskclusters" and self.mode == "forbidden":
            user = "system:serviceaccount:default:snakemake"
            return 403, failure(403, f'{kind}.kubernetes.dask.org is forbidden: User "{user}"')
        match method:
            case "POST":
                body["metadata"].setdefault("creationTimestamp", "2020-01-01T00:00:00Z")
                body["metadata"].setdefault("namespace", "default")
                there[body["metadata"]["name"]] = body
                if kind == "daskclusters":
                    self.operate(body)
                if kind == "daskautoscalers":
                    cluster = self.objects["daskclusters"][body["spec"]["cluster"]]
                    self.start_workers(cluster, body["spec"]["maximum"])
                return 201, body
            case "GET" if name is None:
                found = [o for o in there.values() if selected(o, parse_qs(url.query))]
                return 200, {"kind": "List", "items": found, "metadata": {}}
        if name not in there:
            return 404, failure(404, f'{kind} "{name}" not found')
        if method == "PATCH":
            there[name]["spec"] |= body.get("spec", {})
        if method == "DELETE":
            del there[name]
            if kind == "daskclusters":
                self.end_pods()
                self.objects["pods"] = {}
            return 200, {"kind": "Status", "status": "Success"}
        return 200, there[name]

    def operate(self, cluster: dict[str, Any]) -> None:
        """Do what the operator does with a new cluster."""
        if self.mode in ("no operator", "quota"):
            if self.mode == "quota":
                self.objects["events"] = {
                    "x": {
                        "metadata": {"name": "x"},
                        "type": "Warning",
                        "reason": "FailedCreate",
                        "message": QUOTA,
                        "involvedObject": {"name": f"{cluster['metadata']['name']}-scheduler-1"},
                    }
                }
            return
        name = cluster["metadata"]["name"]
        # The phase stays at Pending now and then, with a real operator too.
        cluster["status"] = {"phase": "Pending"}
        if self.mode in PENDING:
            self.add_pod(name, "scheduler", PENDING[self.mode])
            return
        spec = cluster["spec"]["scheduler"]
        command = spec["spec"]["containers"][0]["args"]
        arguments = ["--port", str(self.port), "--dashboard-address", "127.0.0.1:0"]
        self.run(spec["spec"], [*command[:-1], "127.0.0.1", *arguments])
        self.add_pod(name, "scheduler", READY)
        service = spec["service"]
        for port in service["ports"]:
            port["port"] = self.port
        self.objects["services"] = {
            f"{name}-scheduler": {
                "metadata": {"name": f"{name}-scheduler", "namespace": "default"},
                "spec": service,
                "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}},
            }
        }
        if self.mode == "no worker":
            self.add_pod(name, "worker", PENDING["no node"])
        else:
            self.start_workers(cluster, cluster["spec"]["worker"]["replicas"])

    def start_workers(self, cluster: dict[str, Any], count: int) -> None:
        name, spec = cluster["metadata"]["name"], cluster["spec"]["worker"]["spec"]
        there = [pod for pod in self.objects["pods"] if "worker" in pod]
        for number in range(len(there), count):
            values = {"$(DASK_WORKER_NAME)": f"{name}-{number}", "8788": "127.0.0.1:0"}
            command = [values.get(word, word) for word in spec["containers"][0]["args"]]
            self.run(spec, [*command, "--host", "127.0.0.1", "--nthreads", "1"])
            self.add_pod(name, f"worker-{number}", READY)

    def add_pod(self, cluster: str, role: str, status: dict[str, Any]) -> None:
        labels = {
            "dask.org/cluster-name": cluster,
            "dask.org/component": role.partition("-")[0],
        }
        name = f"{cluster}-{role}"
        metadata = {"name": name, "namespace": "default", "labels": labels}
        self.objects.setdefault("pods", {})[name] = {"metadata": metadata, "status": status}

    def run(self, spec: dict[str, Any], command: list[str]) -> None:
        env = {entry["name"]: entry["value"] for entry in spec["containers"][0]["env"]}
        env["DASK_SCHEDULER_ADDRESS"] = f"tcp://127.0.0.1:{self.port}"
        program = shutil.which(command[0], path=str(Path(sys.executable).parent))
        assert program
        # A pod has files of its own.
        folder = self.log.parent / f"pod-{len(self.processes)}"
        folder.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    [program, *command[1:]],
                    cwd=folder,
                    env=os.environ | env,
                    stdout=log,
                    stderr=log,
                )
            )


def selected(thing: dict[str, Any], query: dict[str, list[str]]) -> bool:
    metadata = thing["metadata"]
    fields = {"metadata.name": metadata["name"]}
    fields["status.phase"] = thing.get("status", {}).get("phase", "")
    for selector, values in (
        ("labelSelector", metadata.get("labels", {})),
        ("fieldSelector", fields),
    ):
        for term in filter(None, ",".join(query.get(selector, [])).split(",")):
            key, _, value = term.partition("=")
            if values.get(key) != value.lstrip("="):
                return False
    return True


def failure(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message}


def free_port() -> int:
    """Return a port that the system gives to nobody until the scheduler takes it."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
