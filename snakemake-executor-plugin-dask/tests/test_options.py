"""Options of Snakemake's that choose what runs, and how, do what they do with its own executor."""

from __future__ import annotations

import pytest
from conftest import Check, Project

WORKFLOW = {
    "Snakefile": """
        localrules: here
        rule all:
            input: expand("second/{i}.txt", i=range(3)), "here.txt"
        rule first:
            output: temp("first/{i}.txt")
            resources: gpu=1
            script: "first.py"
        rule second:
            input: "first/{i}.txt"
            output: "second/{i}.txt"
            resources: gpu=2
            params: note=config.get("note")
            shell: "(cat {input}; echo {threads} {resources.gpu} {params.note}) > {output}"
        rule here:
            output: "here.txt"
            shell: "echo $PWD > {output}"
    """,
    "first.py": """
        with open(snakemake.output[0], "w") as file:
            print(snakemake.wildcards.i, snakemake.threads, snakemake.resources.gpu, file=file)
    """,
}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "options",
    [
        "--until first --forcerun first --drop-metadata",
        "--omit-from second --jobs 1 --rerun-triggers mtime",
        "--batch all=1/2 --notemp",
        "--prioritize second/2.txt --resources gpu=2 --scheduler-subsample 1",
        "--set-threads first=2 --set-resources first:gpu=2 --default-resources mem_mb=10 gpu=1",
        "--set-resource-scopes gpu=local --config note=noted",
        "--groups first=pair second=pair --group-components pair=2",
        "--directory elsewhere --cores all",
        "--local-cores 1 --scheduler ilp --max-jobs-per-timespan 2/1s",
    ],
)
def test_same_files(check_same_files: Check, options: str) -> None:
    check_same_files(WORKFLOW, *options.split())


@pytest.mark.thorough
@pytest.mark.parametrize(
    "command",
    [
        "--dry-run",
        "--summary",
        "--dag",
        "--rulegraph",
        "--d3dag",
        "--list-rules",
        "--lint",
        "--touch",
        "--unlock",
        "--containerize",
        "--cleanup-metadata here.txt",
        "--delete-all-output",
        "--report report.html",
        "--list-input-changes",
        "--conda-cleanup-envs",
        "--print-compilation",
        # For local execution only.
        "--edit-notebook here.txt",
    ],
)
def test_commands_that_run_nothing_start_nothing(project: Project, command: str) -> None:
    for name, text in WORKFLOW.items():
        project.write(name, text)
    run = project.run(*command.split())
    assert "Dask:" not in run.text
    assert not project.exists(".snakemake/dask")
    assert not project.exists("here.txt")


@pytest.mark.slow
def test_no_more_jobs_at_once_than_asked_for(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(6))
        rule one:
            output: "out/{i}.txt"
            shell: "mkdir alone && sleep 0.1 && rmdir alone && touch {output}"
        """,
    )
    run = project.run("--jobs", "1")
    assert run.code == 0, run.text


@pytest.mark.slow
def test_resources_of_a_run_are_kept(project: Project) -> None:
    """No worker knows of a licence: Snakemake keeps account of it."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(6))
        rule one:
            output: "out/{i}.txt"
            resources: licence=1
            shell: "mkdir alone && sleep 0.1 && rmdir alone && touch {output}"
        """,
    )
    run = project.run("--resources", "licence=1")
    assert run.code == 0, run.text


@pytest.mark.slow
def test_priorities(project: Project) -> None:
    """What is urgent runs first, once there is a queue."""
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(8))
        for i in range(8):
            rule:
                output: f"out/{i}.txt"
                params: i=i
                priority: (i * 3) % 8
                shell: "echo {params.i} >> order; sleep 0.3; touch {output}"
        """,
    )
    run = project.run("--dask-threads", "1")
    assert run.code == 0, run.text
    _, *rest = [int(i) * 3 % 8 for i in project.read("order").split()]
    assert rest == sorted(rest, reverse=True)


COMMAND = "mkdir -p {output[1]}; touch {output[0]} {output[1]}/file"


@pytest.mark.parametrize("executor", [pytest.param("local", marks=pytest.mark.slow), "dask"])
@pytest.mark.parametrize(
    "way",
    [
        f"shell: '{COMMAND}'",
        pytest.param("script: 'one.py'", marks=pytest.mark.slow),
        pytest.param(f"run: shell('{COMMAND}')", marks=pytest.mark.slow),
    ],
)
def test_protected_outputs(project: Project, executor: str, way: str) -> None:
    project.write(
        "Snakefile",
        f"""
        rule one:
            output: protected("one.txt"), protected(directory("folder"))
            {way}
        """,
    )
    project.write(
        "one.py",
        """
        from pathlib import Path
        file, folder = map(Path, snakemake.output)
        file.touch()
        folder.mkdir(exist_ok=True)
        (folder / "file").touch()
        """,
    )
    run = project.run(executor=executor)
    assert run.code == 0, run.text
    modes = [(project.path / name).stat().st_mode & 0o777 for name in ("one.txt", "folder/file")]
    assert modes == [0o444, 0o555]
