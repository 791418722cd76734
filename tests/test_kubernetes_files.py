"""What is given to Kubernetes is what its own schemas, and the Dask operator's, allow."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from conftest import ROOT
from snakemake_executor_plugin_dask.clusters.kubernetes_spec import cluster_spec, read_settings

FOLDER = ROOT / "profiles/kubernetes"
FOLDERS = ("kubernetes/manifests", "kubernetes/shared", "kubernetes-jobs/manifests")
VERSION = "1.35"
MANIFESTS = [
    pytest.param(manifest, id=f"{folder}-{file.stem}-{manifest['kind']}")
    for folder in FOLDERS
    for file in sorted((ROOT / "profiles" / folder).glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text())
    if file.stem != "kustomization"
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_manifest_is_valid(manifest):
    kubernetes_validate.validate(manifest, VERSION, strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_kustomization_names_every_file_but_the_job(folder: str):
    folder = ROOT / "profiles" / folder
    named = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    there = {file.name for file in folder.glob("*.yaml")}
    assert {name for name in named if name.endswith(".yaml")} == there - {
        "kustomization.yaml",
        "job.yaml",
    }
    assert all((folder / name).exists() for name in named)


def test_the_pods_of_the_profile_are_valid_and_restricted():
    spec = cluster_spec(read_settings(FOLDER / "kubernetes.yaml"), "run", 1)
    for role in ("scheduler", "worker"):
        pod = spec["spec"][role]["spec"]
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}
        kubernetes_validate.validate(manifest, VERSION, strict=True)
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert pod["securityContext"]["runAsNonRoot"]


def test_the_lines_for_a_volume_are_valid_and_mount_it_where_the_job_does(tmp_path: Path):
    text = (FOLDER / "kubernetes.yaml").read_text()
    lines = [
        line.replace("# ", "", 1)
        if "project" in line and ("Claim" in line or "name:" in line)
        else line
        for line in text.splitlines()
    ]
    file = tmp_path / "kubernetes.yaml"
    file.write_text("\n".join(lines))
    spec = cluster_spec(read_settings(file), "run", 1)
    [claim] = load("shared/volume")
    [job] = load("shared/job")
    pods = [spec["spec"][role]["spec"] for role in ("scheduler", "worker")]
    for pod in (*pods, job["spec"]["template"]["spec"]):
        claims = [
            v["persistentVolumeClaim"]
            for v in pod["volumes"]
            if len(v) > 1 and v["name"] == "project"
        ]
        assert claims == [{"claimName": claim["metadata"]["name"]}]
        [container] = pod["containers"]
        assert {"name": "project", "mountPath": "/project"} in container["volumeMounts"]
    assert job["spec"]["template"]["spec"]["containers"][0]["workingDir"] == "/project"


def test_the_job_may_share_the_volume_that_the_profile_says():
    [job] = load("shared/job")
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    shared = set(arguments[arguments.index("--shared-fs-usage") + 1 :])
    comment = (FOLDER / "config.yaml").read_text()
    assert f"[{', '.join(sorted(shared, key=comment.index))}]" in comment


def test_the_accounts_that_are_named_are_there():
    accounts = names_of_accounts(load("manifests/accounts"))
    settings = read_settings(FOLDER / "kubernetes.yaml")
    used = {settings["pod"]["serviceAccountName"]}
    for file in ("manifests/job", "shared/job"):
        [job] = load(file)
        used.add(job["spec"]["template"]["spec"]["serviceAccountName"])
    assert used == accounts


def test_the_profile_of_pods_has_its_own_namespace_and_account():
    folder = ROOT / "profiles/kubernetes-jobs"
    profile = yaml.safe_load((folder / "config.yaml").read_text())
    namespace = yaml.safe_load((folder / "manifests/namespace.yaml").read_text())
    accounts = yaml.safe_load_all((folder / "manifests/accounts.yaml").read_text())
    assert profile["kubernetes-namespace"] == namespace["metadata"]["name"]
    assert profile["kubernetes-service-account-name"] in names_of_accounts([*accounts])


def names_of_accounts(manifests: list[dict]) -> set[str]:
    return {m["metadata"]["name"] for m in manifests if m["kind"] == "ServiceAccount"}


def load(name: str) -> list[dict]:
    return [*yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text())]


def test_the_image_copies_what_is_there():
    lines = (ROOT / "envs/Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    assert len(copied) > 5
    for names in copied:
        if not names[0].startswith("--from"):
            assert all(Path(ROOT, name).exists() for name in names if not name.startswith("--"))
