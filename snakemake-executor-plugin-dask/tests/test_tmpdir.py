"""The folder for temporary files."""

from __future__ import annotations

from pathlib import Path

from conftest import Project

from snakemake_executor_plugin_dask.child import TMPDIR


def test_it_is_that_of_the_machine_and_nothing_else_is_made(project: Project, tmp_path: Path):
    project.write("tmpdir.py", "open(snakemake.output[0], 'w').write(snakemake.resources.tmpdir)")
    project.write(
        "Snakefile",
        """
        rule all:
            input: "script.txt", "shell.txt", "stated.txt"
        rule script:
            output: "script.txt"
            script: "tmpdir.py"
        rule shell:
            output: "shell.txt"
            shell: "echo {resources.tmpdir} > {output}"
        rule stated:
            output: "stated.txt"
            resources: tmpdir="own/tmp"
            script: "tmpdir.py"
        """,
    )
    folder = tmp_path / "machine"
    folder.mkdir()
    assert project.run(TMPDIR=str(folder)).code == 0
    read = {name: project.read(f"{name}.txt").strip() for name in ("script", "shell", "stated")}
    assert read == {"script": str(folder), "shell": str(folder), "stated": "own/tmp"}
    assert (project.path / "own/tmp").is_dir()
    # As root it would be, and others may not.
    assert not Path(TMPDIR).exists()
