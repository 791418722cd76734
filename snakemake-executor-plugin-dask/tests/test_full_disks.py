"""Where nothing more can be written: the reason is told, and nothing half-written stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Project


@pytest.fixture
def small_disk(project: Project) -> Iterator[Path]:
    """A file system of 2 MB, in a folder of the project."""
    if os.geteuid() != 0:
        pytest.skip("needs to mount a small file system")
    folder = project.path / "small"
    folder.mkdir()
    assert os.system(f"mount -t tmpfs -o size=2m tmpfs {folder}") == 0
    yield folder
    project.close()
    os.system(f"umount -l {folder}")


def test_full_disk(project: Project, small_disk: Path) -> None:
    project.write("Snakefile", "rule bad:\n    output: 'small/bad.bin'\n    script: 'bad.py'\n")
    project.write("bad.py", "open(snakemake.output[0], 'wb').write(bytes(2**22))\n")
    run = project.run()
    assert run.code == 1
    assert "No space left on device" in run.text
    assert not project.exists("small/bad.bin")


# The first job fills a disk, the others fail for it or not, and the run ends.
FILLED = """
    N = 4
    rule all:
        input: expand("out/{i}.txt", i=range(N)), "quiet.txt"
    rule fill:
        output: "filled.txt"
        shell: "test -e emptied || head -c 4000000 /dev/zero > small/fill || true; touch {output}"
    rule one:
        input: "filled.txt"
        output: "out/{i}.txt"
        log: LOG
        script: "one.py"
    rule quiet:
        input: "filled.txt"
        output: "quiet.txt"
        script: "quiet.py"
"""


@pytest.mark.parametrize("jobs", ["1", pytest.param("100", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("what", ["log", "temporary files"])
def test_full_disk_of_what_is_printed(
    project: Project, small_disk: Path, what: str, jobs: str
) -> None:
    """Each job that prints fails with the reason; what prints nothing is none the worse."""
    log = "small/{i}.log" if what == "log" else "{i}.log"
    project.write("Snakefile", FILLED.replace("LOG", f"'{log}'"))
    project.write("one.py", "print('x' * 10000)\nopen(snakemake.output[0], 'w').write('whole')\n")
    project.write("quiet.py", "open(snakemake.output[0], 'w').write('whole')\n")
    tmpdir = {"TMPDIR": str(small_disk)} if what != "log" else {}
    run = project.run("--keep-going", "--dask-jobs-per-process", jobs, **tmpdir)
    assert run.code == 1
    assert run.text.count("Error in rule one") == 4
    assert "No space left on device" in run.text
    assert project.read("quiet.txt") == "whole"
    assert not list(project.path.glob("out/*.txt"))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "100"])
def test_full_disk_of_notes(project: Project, small_disk: Path, jobs: str) -> None:
    """Without a note of its start no job begins; the run ends, and a next one does the rest."""
    (project.path / ".snakemake").symlink_to(small_disk)
    project.write("Snakefile", FILLED.replace("LOG", "'{i}.log'"))
    text = "open(snakemake.output[0], 'w').write('whole')\n"
    project.write("one.py", text)
    project.write("quiet.py", text)
    run = project.run("--keep-going", "--dask-jobs-per-process", jobs)
    assert run.code != 0
    assert "No space left on device" in run.text
    # Snakemake may not have been able to note that the disk was filled, and do that again.
    project.write("emptied", "")
    (small_disk / "fill").unlink()
    project.run("--unlock")
    run = project.run("--rerun-incomplete", "--rerun-triggers", "mtime")
    assert run.code == 0, run.text
    assert {path.read_text() for path in project.path.glob("out/*.txt")} == {"whole"}


@pytest.mark.slow
def test_file_size_limit(project: Project) -> None:
    project.write("Snakefile", "rule bad:\n    output: 'bad.bin'\n    script: 'bad.py'\n")
    project.write(
        "bad.py",
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        open(snakemake.output[0], "wb").write(bytes(2**22))
        """,
    )
    run = project.run()
    assert run.code == 1
    assert "File too large" in run.text
    assert not project.exists("bad.bin")
