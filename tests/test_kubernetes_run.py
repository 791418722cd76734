"""The profile `kubernetes` and its Job: the plugin's stub of the API, and an S3 server on loopback.

A pod is a process of this machine here, and the image this checkout: see the stub for what that is
and isn't. The commands are those of the manifests.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from conftest import ROOT, copy_checkout, edit
from object_storage import SECRET, ObjectStorage, serving

PLUGIN = ROOT / "snakemake-executor-plugin-dask"
sys.path.append(str(PLUGIN / "tests"))

from kubernetes_api import KubernetesApi  # noqa: E402

pytestmark = pytest.mark.slow
# By zscore.
RESULT = "temporary/fin_pricez1d.parquet"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    with serving() as server:
        # Its memory is that of this process, with what other tests have left.
        requests.post(f"{server.url}/moto-api/reset", timeout=10)
        server.client("s3").create_bucket(Bucket="market")
        # Pods have them of the Secret.
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[KubernetesApi]:
    stub = KubernetesApi(tmp_path)
    yield stub
    stub.close()


def image_of(folder: Path) -> dict[str, str]:
    """Return what lets pods have the code in a folder."""
    return {"DASK_KUBERNETES__ENV": str({"PYTHONPATH": f"{folder}:{PLUGIN}"})}


class Project:
    """A checkout in the place of the image, and what the Job does there."""

    def __init__(self, folder: Path, stub: KubernetesApi) -> None:
        self.folder = copy_checkout(folder / "project")
        toy = self.folder / "deriv_ops/catalogs/toy.py"
        edit(toy, "fin_pricez1d, {})", "fin_pricez1d, {'seconds': 0})")
        self.state = folder / "state"
        self.environment = {
            "KUBECONFIG": str(stub.kubeconfig),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.folder}:{PLUGIN}",
            **image_of(self.folder),
        }

    def start(self, *more: str, **environment: str) -> subprocess.Popen[str]:
        """Start the Job's command, with the small sample market as its inputs."""
        job = yaml.safe_load((self.folder / "profiles/kubernetes/manifests/job.yaml").read_text())
        [container] = job["spec"]["template"]["spec"]["containers"]
        command = container["command"][1:]  # the entry point is the image's
        words = [*command, *container["args"], "sample_dates=300", "sample_shares=12", *more]
        places = {"/state": str(self.state), "/opt/deriv-ops": str(self.folder)}
        for there, here in places.items():
            words = [word.replace(f"={there}", f"={here}") for word in words]
        words = [word for word in words if not word.startswith("inputs_dir=")]
        variables = {entry["name"]: entry["value"] for entry in container["env"]}
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=os.environ | variables | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *more: str, code: int = 0, **environment: str) -> str:
        started = self.start(*more, **environment)
        told, _ = started.communicate(timeout=600)
        assert started.returncode == code, told
        return told


@pytest.fixture
def project(tmp_path: Path, stub: KubernetesApi) -> Project:
    return Project(tmp_path, stub)


def test_the_toy_model_and_nothing_to_be_done_afterwards(
    server: ObjectStorage, stub: KubernetesApi, project: Project, tmp_path: Path
):
    project.run()
    objects = server.objects("market", "results/")
    assert len([name for name in objects if name.startswith("temporary/")]) == 8
    assert stub.objects["daskclusters"] == {}
    assert "POST daskautoscalers" in stub.calls
    assert "Nothing to be done" in project.run()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
    assert SECRET not in str(stub.objects)


def test_a_run_that_was_killed_is_followed_by_another(
    server: ObjectStorage, stub: KubernetesApi, project: Project
):
    started = project.start()
    deadline = time.monotonic() + 400
    while "basic/all_prices.parquet" not in server.objects("market", "results/"):
        assert time.monotonic() < deadline and started.poll() is None
        time.sleep(0.1)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    [name] = stub.objects["daskclusters"]
    # As Kubernetes does with what the pod of the run owns.
    stub.change("DELETE", "daskclusters", name, None, {})
    assert any((project.state / ".snakemake/locks").iterdir())
    project.run()
    assert RESULT in server.objects("market", "results/")


def test_workers_with_the_code_of_an_old_image_write_nothing(
    server: ObjectStorage, project: Project, tmp_path: Path
):
    old = tmp_path / "old"
    shutil.copytree(project.folder / "deriv_ops", old / "deriv_ops")
    operator = project.folder / "deriv_ops/operators/zscore.py"
    edit(operator, "return like(x, windows", "return 2 * like(x, windows")
    told = project.run(code=1, **image_of(old))
    assert "deriv_ops.operators.zscore:zscore has other code on " in told, told
    assert "rebuild the image" in told
    assert RESULT not in server.objects("market", "results/")
    # With the image rebuilt.
    project.run()
    assert RESULT in server.objects("market", "results/")
