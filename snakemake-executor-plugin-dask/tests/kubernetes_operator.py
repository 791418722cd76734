"""A stub of the Dask operator, and of what runs its pods: each is a process of this machine."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY = {
    "phase": "Running",
    "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")],
}


def waiting(reason: str, message: str, **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    container = {"name": "scheduler", "image": "no/such:image", "state": state, **more}
    return {"phase": "Pending", "containerStatuses": [container]}


NO_IMAGE = waiting("ImagePullBackOff", 'Back-off pulling image "no/such:image"')
CRASHED = {"terminated": {"reason": "Error", "exitCode": 127, "message": "no dask here"}}
CRASHING = waiting("CrashLoopBackOff", "back-off 10s restarting", lastState=CRASHED)
NO_NODE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }
    ],
}
QUOTA = 'pods "x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=5'
# What becomes of the scheduler's pod, and of the workers', in a mode.
SCHEDULERS = {"no image": NO_IMAGE, "no node": NO_NODE, "crash loop": CRASHING}
SLOW_SECONDS = 7


@dataclass
class Process:
    """A pod's container, which is started again when it has ended."""

    command: list[str]
    env: dict[str, str]
    folder: Path
    log: Path
    now: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.now = subprocess.Popen(
                self.command, cwd=self.folder, env=os.environ | self.env, stdout=log, stderr=log
            )

    def end(self, number: int = signal.SIGKILL) -> None:
        self.now.send_signal(number)
        self.now.wait()


class Operator:
    """Does what the operator does with the objects of an API; `mode` is what happens to pods.

    `prefix` stands before the commands of workers, `most` is how many of them there have been.
    """

    def __init__(self, objects: dict[str, dict[str, dict[str, Any]]], folder: Path) -> None:
        self.objects = objects
        self.folder = folder
        self.mode = ""
        self.prefix: list[str] = []
        self.most = 0
        self.log = folder / "pods.log"
        self.port, self.http_port = free_port(), free_port()
        self.pods: dict[str, Process] = {}
        self.lock = threading.RLock()
        self.closing = threading.Event()
        threading.Thread(target=self.tend, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.delete_all()

    def delete_all(self) -> None:
        with self.lock:
            for process in self.pods.values():
                process.end()
            self.pods.clear()
            self.objects["pods"] = {}

    def make(self, cluster: dict[str, Any]) -> None:
        """Begin to make what a new cluster consists of."""
        if self.mode == "no operator":
            return
        name = cluster["metadata"]["name"]
        if self.mode == "quota":
            self.warn(f"{name}-scheduler-1", "FailedCreate", QUOTA)
            return
        # The phase stays at Pending now and then, with a real operator too.
        cluster["status"] = {"phase": "Pending"}
        if self.mode in SCHEDULERS:
            self.add_pod(name, "scheduler", SCHEDULERS[self.mode])
            return
        spec = cluster["spec"]["scheduler"]
        command = spec["spec"]["containers"][0]["args"]
        ports = ["--port", str(self.port), "--dashboard-address", f"127.0.0.1:{self.http_port}"]
        pod = self.add_pod(name, "scheduler", READY)
        self.run(pod, spec["spec"], [*command[:-1], "127.0.0.1", *ports])
        self.add_service(name, spec["service"])
        if self.mode == "slow scheduler":
            pod["status"] = {"phase": "Pending"}
            threading.Timer(SLOW_SECONDS, lambda: pod.update(status=READY)).start()
        self.start_workers(cluster, cluster["spec"]["worker"]["replicas"])

    def warn(self, about: str, reason: str, message: str) -> None:
        """Have Kubernetes say something of an object."""
        event = {"type": "Warning", "reason": reason, "message": message}
        event |= {"metadata": {"name": "x"}, "involvedObject": {"name": about}}
        self.objects["events"] = {"x": event}

    def add_service(self, cluster: str, service: dict[str, Any]) -> None:
        for port in service["ports"]:
            port["port"] = self.port if port["name"] == "tcp-comm" else self.http_port
        ingress = {} if self.mode == "no address" else {"ingress": [{"ip": "127.0.0.1"}]}
        self.objects["services"] = {
            f"{cluster}-scheduler": {
                "metadata": {"name": f"{cluster}-scheduler", "namespace": "default"},
                "spec": service,
                "status": {"loadBalancer": ingress},
            }
        }

    def start_workers(self, cluster: dict[str, Any], count: int) -> None:
        name, spec = cluster["metadata"]["name"], cluster["spec"]["worker"]["spec"]
        for number in range(count):
            role = f"worker-{number}"
            if f"{name}-{role}" in self.objects["pods"]:
                continue
            first = number == 0
            has_node = self.mode not in ("no worker", "slow scheduler", "one node") or (
                self.mode == "one node" and first
            )
            pod = self.add_pod(name, role, READY if has_node else NO_NODE)
            if self.mode == "dead worker":
                # Of its beginning.
                self.warn(f"{name}-{role}", "Unhealthy", "Readiness probe failed")
            if has_node and self.mode != "dead worker":
                values = {"$(DASK_WORKER_NAME)": f"{name}-{role}", "8788": "127.0.0.1:0"}
                command = [values.get(word, word) for word in spec["containers"][0]["args"]]
                self.run(pod, spec, [*command, "--host", "127.0.0.1", "--nthreads", "1"])
        self.most = max(self.most, len(self.workers()))

    def workers(self) -> list[str]:
        return [name for name in self.pods if "-worker-" in name]

    def add_pod(self, cluster: str, role: str, status: dict[str, Any]) -> dict[str, Any]:
        labels = {
            "dask.org/cluster-name": cluster,
            "dask.org/component": role.partition("-")[0],
        }
        name = f"{cluster}-{role}"
        metadata = {"name": name, "namespace": "default", "labels": labels}
        pod = {"metadata": metadata, "status": status}
        self.objects.setdefault("pods", {})[name] = pod
        return pod

    def run(self, pod: dict[str, Any], spec: dict[str, Any], command: list[str]) -> None:
        variables = spec["containers"][0]["env"]
        env = {entry["name"]: entry["value"] for entry in variables}
        env["DASK_SCHEDULER_ADDRESS"] = f"tcp://127.0.0.1:{self.port}"
        program = shutil.which(command[0], path=str(Path(sys.executable).parent))
        assert program
        name = pod["metadata"]["name"]
        prefix = self.prefix if "worker" in command else []
        words = [*prefix, program, *command[1:]]
        # A pod has files of its own.
        self.pods[name] = Process(words, env, self.folder / f"pod-{len(self.pods)}", self.log)

    def tend(self) -> None:
        """Start containers again that have ended, and scale what has an autoscaler."""
        while not self.closing.wait(0.3):
            with self.lock:
                for name, process in self.pods.items():
                    if process.now.poll() is not None:
                        code = process.now.returncode
                        ended = {"reason": "Error", "exitCode": code % 256}
                        status = {"name": "dask", "state": {"running": {}}}
                        status["lastState"] = {"terminated": ended}
                        self.objects["pods"][name]["status"] = READY | {
                            "containerStatuses": [status]
                        }
                        process.start()
            for scaler in [*self.objects.get("daskautoscalers", {}).values()]:
                # A scheduler that isn't there yet is asked again.
                with suppress(OSError, KeyError):
                    self.scale(scaler["spec"])

    def scale(self, spec: dict[str, Any]) -> None:
        """Scale as the operator does, by what the scheduler says."""
        cluster = self.objects["daskclusters"][spec["cluster"]]
        wanted = self.ask("adaptive_target")["workers"]
        wanted = min(max(wanted, spec["minimum"]), spec["maximum"])
        there = len(self.workers())
        # The real one waits for 15 seconds after each change, by which they mostly have come.
        if self.ask("get_workers")["num_workers"] < there:
            return
        if wanted > there:
            with self.lock:
                self.start_workers(cluster, wanted)
        elif wanted < there:
            for worker in self.ask("retire_workers", n=there - wanted).values():
                with self.lock:
                    self.pods.pop(worker["name"]).end()
                    del self.objects["pods"][worker["name"]]

    def ask(self, what: str, **params: Any) -> Any:
        data = json.dumps(params).encode() if params else None
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/api/v1/{what}",
            data,
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def free_port() -> int:
    """Return a port that the system gives to nobody until the scheduler takes it."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
