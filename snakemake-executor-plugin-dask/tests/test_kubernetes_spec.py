"""What a run asks of the Dask operator, and the mistakes in the file that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_common.exceptions import WorkflowError

pytest.importorskip("dask_kubernetes")

from snakemake_executor_plugin_dask.clusters.kubernetes_spec import (
    check,
    cluster_spec,
    read_settings,
)


def spec_of(tmp_path: Path, text: str) -> dict[str, Any]:
    file = tmp_path / "kubernetes.yaml"
    file.write_text(text)
    return cluster_spec(read_settings(file), "run", 1)["spec"]


@pytest.mark.parametrize(
    "config, told",
    [
        ("kubernetes: {}", "kubernetes.yaml: has no section `kubernetes` with the key `image`"),
        ("kubernetes: {image: a, imge: b}", "kubernetes: there is no key imge; there are contai"),
        ("kubernetes: [", "kubernetes.yaml: can't be read: "),
        (
            "kubernetes: {image: a, pod: {tolerations: all}}",
            "spec.scheduler.spec.tolerations: 'all' is not of type 'array'",
        ),
        ("kubernetes: {image: a, pod: []}", r"kubernetes: pod: [] is not of type 'object'"),
        ("kubernetes: {image: a, env: x}", "env: 'x' is not of type 'object', 'array'"),
        ("kubernetes: {image: a, env: [x]}", "env.0: 'x' is not of type 'object'"),
        ("kubernetes: {image: a, env: {A: 1}}", "value: 1 is not of type 'string'"),
        ("kubernetes: {image: a, pod: {containers: []}}", "pod.containers: is made of the other"),
        ("kubernetes: {image: a, container: {args: [x]}}", "container.args: is made of the other"),
        ("kubernetes: {image: a, container: {enfFrom: []}}", "('enfFrom' was unexpected)"),
        ("kubernetes: {image: a, pod: {nodeSelectr: {}}}", "('nodeSelectr' was unexpected)"),
        ("kubernetes: {image: a, resources: {limit: {}}}", "resources: Additional properties a"),
        (
            "kubernetes: {image: a, resources: {limits: {memory: 16GBs}}}",
            "spec.worker.spec.containers.0.resources.limits.memory: '16GBs' is no quantity",
        ),
        ("kubernetes: {image: a, resource-timeout: soon}", "resource-timeout: 'soon' is not of t"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(
    tmp_path: Path, config: str, told: str
) -> None:
    with pytest.raises(WorkflowError) as error:
        spec_of(tmp_path, config)
    assert told in str(error.value)


def test_variables_are_merged_by_their_names(tmp_path: Path) -> None:
    text = """
    kubernetes:
      image: a
      env: {TEAM: quant, REGION: west}
      container:
        env:
          - {name: REGION, value: east}
          - name: PASSWORD
            valueFrom: {secretKeyRef: {name: storage, key: password}}
    """
    for role in ("scheduler", "worker"):
        [container] = spec_of(tmp_path, text)[role]["spec"]["containers"]
        env = {entry.pop("name"): entry for entry in container["env"]}
        assert env["TEAM"] == {"value": "quant"}
        assert env["REGION"] == {"value": "east"}
        assert env["PASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "password"
        assert env["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] == {"value": "1000"}


def test_the_scheduler_may_have_a_pod_of_its_own(tmp_path: Path) -> None:
    text = """
    kubernetes:
      image: a
      pod: {nodeSelector: {pool: spot}, serviceAccountName: worker}
      scheduler-pod: {nodeSelector: {pool: stable}}
    """
    spec = spec_of(tmp_path, text)
    assert spec["scheduler"]["spec"]["nodeSelector"] == {"pool": "stable"}
    assert spec["worker"]["spec"]["nodeSelector"] == {"pool": "spot"}
    for role in ("scheduler", "worker"):
        assert spec[role]["spec"]["serviceAccountName"] == "worker"


@pytest.mark.parametrize("timeout, expected", [("", 3600), ("idle-timeout: 60", 60)])
def test_an_idle_cluster_has_an_end(tmp_path: Path, timeout: str, expected: int) -> None:
    text = f"kubernetes:\n  image: a\n  {timeout}\n"
    assert spec_of(tmp_path, text)["idleTimeout"] == expected


def test_keys_with_hyphens_can_be_given_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kubernetes.yaml"
    file.write_text("kubernetes: {image: a, idle-timeout: 5}")
    monkeypatch.setenv("DASK_KUBERNETES__RESOURCE_TIMEOUT", "70")
    monkeypatch.setenv("DASK_KUBERNETES__IDLE_TIMEOUT", "6")
    monkeypatch.setenv("DASK_KUBERNETES__IMAGE", "b")
    assert read_settings(file) == {"image": "b", "idle-timeout": 6, "resource-timeout": 70}


def test_an_autoscaler_as_it_is_made_is_valid() -> None:
    check({"spec": {"cluster": "run", "minimum": 1, "maximum": 3}}, "daskautoscaler")
    with pytest.raises(WorkflowError, match=r"spec: 'minimum' is a required property"):
        check({"spec": {"cluster": "run", "maximum": 3}}, "daskautoscaler")
