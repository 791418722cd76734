"""What is given to Kubernetes is what its own schemas, and the Dask operator's, allow."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from conftest import ROOT
from snakemake_executor_plugin_dask.clusters.kubernetes_spec import cluster_spec, read_settings

FOLDER = ROOT / "profiles/kubernetes"
VERSION = "1.35"
MANIFESTS = [
    pytest.param(manifest, id=f"{file.stem}-{manifest['kind']}")
    for file in sorted((FOLDER / "manifests").glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text())
    if file.stem != "kustomization"
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_manifest_is_valid(manifest):
    kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_the_kustomization_names_every_file_but_the_job():
    named = yaml.safe_load((FOLDER / "manifests/kustomization.yaml").read_text())["resources"]
    there = {file.name for file in (FOLDER / "manifests").glob("*.yaml")}
    assert set(named) == there - {"kustomization.yaml", "job.yaml"}


def test_the_pods_of_the_profile_are_valid_and_restricted():
    spec = cluster_spec(read_settings(FOLDER / "kubernetes.yaml"), "run", 1)
    for role in ("scheduler", "worker"):
        pod = spec["spec"][role]["spec"]
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}
        kubernetes_validate.validate(manifest, VERSION, strict=True)
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert pod["securityContext"]["runAsNonRoot"]


def test_the_accounts_that_are_named_are_there():
    accounts = {m["metadata"]["name"] for m in load("accounts") if m["kind"] == "ServiceAccount"}
    job = yaml.safe_load((FOLDER / "manifests/job.yaml").read_text())
    settings = read_settings(FOLDER / "kubernetes.yaml")
    used = {
        job["spec"]["template"]["spec"]["serviceAccountName"],
        settings["pod"]["serviceAccountName"],
    }
    assert used == accounts


def load(name: str) -> list[dict]:
    return [*yaml.safe_load_all((FOLDER / f"manifests/{name}.yaml").read_text())]


def test_the_image_copies_what_is_there():
    lines = (ROOT / "envs/Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    assert len(copied) > 5
    for names in copied:
        if not names[0].startswith("--from"):
            assert all(Path(ROOT, name).exists() for name in names if not name.startswith("--"))
