"""The image of envs/Dockerfile, built and entered: run as root with -m image.

It is built on a Debian of debootstrap's, without a registry. `podman run` needs rights that a
sandbox may not give; so what is in the image is run by what the image itself says (its user,
environment and entry point) on a root that is mounted read-only, in a mount namespace and a chroot.
There are no limits of resources, no dropped capabilities and no other namespaces: those are the
cluster's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, copy_checkout
from object_storage import ObjectStorage, serving

pytestmark = pytest.mark.image

TAG = "deriv-ops:test"
BASE = "localhost/base:test"
MOST_BYTES = 1_500_000_000
DEPENDENCIES = "RUN python3 -m venv"


@dataclass
class Builder:
    """A storage of podman's own, and the context of the builds in it."""

    folder: Path

    @property
    def context(self) -> Path:
        return self.folder / "context"

    def podman(self, *arguments: str | Path, **keywords: Any) -> str:
        where = ("--root", self.folder / "store", "--runroot", self.folder / "run")
        driver = ("--storage-driver", "overlay")  # with another each layer is a copy of them all
        return run("podman", *where, *driver, *arguments, **keywords)

    def build(self) -> str:
        """Build the image as a person would, of wheels that are already here. Returns the log."""
        wheels = f"{self.folder / 'wheels'}:/wheels:ro"
        return self.podman(
            *("build", "--isolation", "chroot", "--layers", "--volume", wheels),
            *("--build-arg", f"BASE={BASE}", "--file", "envs/Dockerfile", "--tag", TAG, "."),
            cwd=self.context,
        )

    def inspect(self) -> dict[str, Any]:
        return json.loads(self.podman("image", "inspect", TAG))[0]

    def enter(
        self, *command: str, check: bool = True, user: str | None = None, **environment: str
    ) -> str:
        """Run a command in the image, as its user, on a root that can't be written to."""
        config = self.inspect()["Config"]
        user = user or config["User"]
        variables = [*config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        inside = shlex.join([*config["Entrypoint"], *command])
        as_user = ["chroot", f"--userspec={user}:{user}", ".", "env", "-i"]
        as_user += [*variables, "sh", "-c", f"cd {config['WorkingDir']} && exec {inside}"]
        root = self.podman("image", "mount", TAG).strip()
        script = f"""
            mount --bind {root} {self.folder}/root
            mount -o remount,bind,ro {self.folder}/root
            cd {self.folder}/root
            mount -t tmpfs -o mode=1777 tmpfs tmp
            mount -t proc proc proc
            mount --rbind /dev dev
            exec {shlex.join(as_user)}
        """
        try:
            return run("unshare", "--mount", "sh", "-ec", script, check=check)
        finally:
            self.podman("image", "unmount", TAG)


class Failed(Exception):
    """A command ended with an error; what it printed."""


def run(*command: str | Path, check: bool = True, timeout: int = 900, **keywords: Any) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        **keywords,
    )
    if check and done.returncode:
        raise Failed(done.stdout)
    return done.stdout


@pytest.fixture(scope="session")
def builder() -> Iterator[Builder]:
    missing = [name for name in ("podman", "debootstrap", "unshare") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root, and of Debian's packages: {', '.join(missing) or 'nothing'}")
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the base has Python 3.11, and so must have what fetches its wheels")
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    builder = Builder(folder)
    try:
        (folder / "root").mkdir()
        try:
            builder.podman("info")
        except Failed as error:
            pytest.skip(f"podman can't keep layers here: {error}")
        make_base(builder)
        fetch_wheels(folder / "wheels")
        copy_checkout(builder.context)
        plugin = "snakemake-executor-plugin-dask"
        shutil.copytree(ROOT / plugin, builder.context / plugin)
        for file in (*ROOT.glob("*.lock"), ROOT / ".dockerignore"):
            shutil.copy2(file, builder.context)
        yield builder
    finally:
        # Podman mounts its storage on itself.
        subprocess.run(["umount", "--quiet", "--recursive", folder / "store/overlay"], check=False)
        shutil.rmtree(folder)


def make_base(builder: Builder) -> None:
    """Make an image of the smallest Debian with Python, whose pip asks no index."""
    base = builder.folder / "base"
    packages = "--include=python3,python3-venv"
    try:
        run("debootstrap", "--variant=minbase", packages, "bookworm", base)
    except Failed as error:
        pytest.skip(f"there is no base: {str(error).strip().splitlines()[-1]}")
    (base / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    with subprocess.Popen(["tar", "-C", base, "-c", "."], stdout=subprocess.PIPE) as tar:
        builder.podman("import", "--quiet", "-", BASE, stdin=tar.stdout)
    assert tar.returncode == 0
    shutil.rmtree(base)


def fetch_wheels(folder: Path) -> None:
    """Fetch what the Dockerfile installs, by the settings that pip has here."""
    dockerfile = (ROOT / "envs/Dockerfile").read_text()
    [packages] = re.findall(r"^ +(dask-kubernetes [^$]*)", dockerfile, re.MULTILINE)
    [storage] = re.findall(r'^ARG STORAGE="(.*)"', dockerfile, re.MULTILINE)
    locks = ("--requirement", ROOT / "requirements.lock")
    locks += ("--constraint", ROOT / "requirements-dev.lock")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--wheel-dir",
        folder,
        *locks,
        *packages.split(),
        *storage.split(),
    )


@pytest.fixture(scope="session")
def image(builder: Builder) -> Builder:
    start = time.monotonic()
    log = builder.build()
    assert "Using cache" not in log
    size = builder.inspect()["Size"]
    print(f"\nThe image is of {size / 1e9:.2f} GB, built in {time.monotonic() - start:.0f} s")
    return builder


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStorage]:
    with serving() as server:
        server.client("s3").create_bucket(Bucket="market")
        yield server


def test_it_is_no_larger_than_is_said(image: Builder):
    assert image.inspect()["Size"] < MOST_BYTES


def test_its_user_has_a_name_and_is_not_root(image: Builder):
    assert image.enter("id").startswith("uid=1000(snakemake) gid=1000")


def test_another_user_has_a_name_too(image: Builder):
    ask = ("python", "-c", "import getpass, os; print(os.getuid(), getpass.getuser())")
    assert image.enter(*ask, user="4321") == "4321 snakemake\n"


def test_nothing_can_be_written_but_the_scratch(image: Builder):
    script = (
        "for f in / /opt /opt/deriv-ops /var/tmp /tmp; do touch $f/x 2>/dev/null && echo $f; done"
    )
    assert image.enter("sh", "-c", script, check=False) == "/tmp\n"


def test_it_has_snakemake_and_no_compilers_or_installers(image: Builder):
    [pin] = [x for x in (ROOT / "requirements.lock").read_text().split() if x[:11] == "snakemake=="]
    assert image.enter("snakemake", "--version").strip() == pin.removeprefix("snakemake==")
    tools = "cc c++ gcc g++ clang ld as make rustc pip"
    assert image.enter("sh", "-c", f"command -v python {tools}", check=False).split() == [
        "/opt/venv/bin/python"
    ]


def test_the_job_of_the_manifests_plans_in_it(image: Builder, server: ObjectStorage):
    job = yaml.safe_load((ROOT / "profiles/kubernetes/manifests/job.yaml").read_text())
    [container] = job["spec"]["template"]["spec"]["containers"]
    arguments = [*container["command"], *container["args"]]
    # A Job of the toy model without inputs has a sample market made.
    arguments = [x for x in arguments if not x.startswith("inputs_dir=")]
    state = arguments.index("--directory=/state")
    arguments[state] = "--directory=/tmp/state"
    told = image.enter(*arguments, "--dry-run", "--quiet", "rules", **server.environment)
    assert "fin_pricedevz1d_byvol" in told


def test_derivations_are_computed_in_it(image: Builder, server: ObjectStorage):
    snakemake = "snakemake --profile profiles/local --directory /tmp/state fin_pricez1d"
    snakemake += " --configfile config/config.yaml"
    snakemake += " --config results_dir=s3://market/results sample_dates=300 sample_shares=12"
    compiled = "echo kernels:; find $NUMBA_CACHE_DIR -newer /tmp/start"
    script = f"touch /tmp/start; {snakemake} 2>&1; {compiled}"
    told = image.enter("sh", "-c", script, **server.environment)
    assert "temporary/fin_pricez1d.parquet" in server.objects("market", "results/"), told
    # Those that came with the image were of use.
    assert told.endswith("kernels:\n"), told


def test_a_change_of_the_code_leaves_the_libraries_as_they_are(image: Builder):
    with (image.context / "deriv_ops/cli.py").open("a") as file:
        file.write("\n# changed\n")
    steps = image.build().split("STEP ")
    [libraries] = [step for step in steps if DEPENDENCIES in step]
    [code] = [step for step in steps if "COPY deriv_ops" in step]
    assert "Using cache" in libraries
    assert "Using cache" not in code
