"""A stub of the Kubernetes API on loopback, with a stub of the Dask operator.

It is no Kubernetes: it has no images, nodes, volumes or rights, and a pod is a process on this
machine. What it does have are the calls that the cluster class makes, answered as the real API
answers them, and a scheduler and workers that run the commands of the pods they stand for.
"""

from __future__ import annotations

import json
import re
import select
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes_operator import QUOTA, Operator
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event

__all__ = ["QUOTA", "KubernetesApi"]


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
PATH = re.compile(r"/apis?/(?:[^/]+/)?v1/namespaces/(\w+)/(\w+)(?:/([\w.-]+))?")
USER = "system:serviceaccount:default:snakemake"


class KubernetesApi:
    """Serves until it is closed. `mode` is what happens to clusters that are made."""

    def __init__(self, folder: Path, mode: str = "") -> None:
        self.mode = mode
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.operator = Operator(self.objects, folder)
        self.operator.mode = mode
        self.calls: list[str] = []
        # When each call came first.
        self.first: dict[str, float] = {}
        self.log = self.operator.log
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"null")
                if urlsplit(self.path).path.endswith("/portforward"):
                    api.calls.append("GET pods/portforward")
                    if api.mode != "no forwarding":
                        forward(self, api.operator.port)
                        return
                    code, content = 403, failure(403, f'User "{USER}" cannot get pods/portforward')
                elif api.mode == "slow creation" and self.command == "POST":
                    api.calls.append("slow POST")
                    time.sleep(3)
                    code, content = api.answer(self.command, self.path, body)
                else:
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
        self.operator.close()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        url = urlsplit(path)
        if (known := DISCOVERY.get(url.path.rstrip("/"))) is not None:
            return 200, known
        match = PATH.fullmatch(url.path)
        if not match:
            return 404, failure(404, f"the stub has no {url.path}")
        _, kind, name = match.groups()
        self.calls.append(f"{method} {kind}")
        self.first.setdefault(self.calls[-1], time.monotonic())
        if kind == "daskclusters" and self.mode == "no definition":
            return 404, "404 page not found\n"
        if kind == "daskclusters" and (
            self.mode == "forbidden" or (self.mode == "no deletion" and method == "DELETE")
        ):
            return 403, failure(403, f'{kind}.kubernetes.dask.org is forbidden: User "{USER}"')
        with self.operator.lock:
            return self.change(method, kind, name, body, parse_qs(url.query))

    def change(
        self, method: str, kind: str, name: str | None, body: Any, query: dict[str, list[str]]
    ) -> tuple[int, Any]:
        there = self.objects.setdefault(kind, {})
        if method == "POST":
            body["metadata"].setdefault("creationTimestamp", "2020-01-01T00:00:00Z")
            body["metadata"].setdefault("namespace", "default")
            there[body["metadata"]["name"]] = body
            if kind == "daskclusters":
                self.operator.make(body)
            return 201, body
        if name is None:
            found = [thing for thing in there.values() if selected(thing, query)]
            return 200, {"kind": "List", "items": found, "metadata": {}}
        if name not in there:
            return 404, failure(404, f'{kind} "{name}" not found')
        if method == "PATCH":
            there[name]["spec"] |= body.get("spec", {})
        if method == "DELETE":
            del there[name]
            if kind == "daskclusters":
                self.operator.delete_all()
            return 200, {"kind": "Status", "status": "Success"}
        return 200, there[name]


def forward(request: BaseHTTPRequestHandler, port: int) -> None:
    """Connect a request to a port of this machine, by the API's protocol for it."""
    here, protocol = request.connection, WSConnection(ConnectionType.SERVER)

    def send(event: Event) -> None:
        here.sendall(protocol.send(event))

    headers = [(key.encode(), value.encode()) for key, value in request.headers.items()]
    protocol.initiate_upgrade_connection(headers, request.path)
    send(AcceptConnection())
    request.close_connection = True
    # Of each message the first byte is a channel: data, and errors.
    begins = True
    # What doesn't listen yet ends the connection.
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as pod:
        for channel in (b"\0", b"\1"):
            send(BytesMessage(channel + port.to_bytes(2, "little")))
        while True:
            readable, _, _ = select.select([here, pod], [], [])
            if pod in readable:
                if not (data := pod.recv(2**16)):
                    return
                send(BytesMessage(b"\0" + data))
            if here in readable:
                if not (data := here.recv(2**16)):
                    return
                protocol.receive_data(data)
                for event in protocol.events():
                    if isinstance(event, CloseConnection):
                        return
                    if isinstance(event, BytesMessage):
                        pod.sendall(event.data[1:] if begins else event.data)
                        begins = event.message_finished


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
