"""What a child Snakemake runs on the worker: same files as with the local executor."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import Check, Project
from snakemake.settings.types import DeploymentMethod

from snakemake_executor_plugin_dask.jobs import JobTranslator

pytestmark = pytest.mark.slow


def test_wrapper(check_same_files: Check) -> None:
    check_same_files(
        {
            "Snakefile": """
                rule one:
                    output: "one.txt"
                    params: text="wrapped"
                    log: "one.log"
                    wrapper: f"file:{workflow.basedir}/wrappers/write"
            """,
            "wrappers/write/environment.yaml": "dependencies: []\n",
            "wrappers/write/wrapper.py": """
                from snakemake.shell import shell
                log = snakemake.log_fmt_shell(stdout=False)
                shell("(echo {snakemake.params.text}; echo logged >&2) > {snakemake.output} {log}")
            """,
        },
    )


@pytest.mark.skipif(not shutil.which("Rscript"), reason="needs R")
def test_script_in_r(check_same_files: Check) -> None:
    files = check_same_files(
        {
            "Snakefile": """
                rule one:
                    output: "one.txt"
                    params: numbers=[1, 2, 3], name="sum"
                    threads: 2
                    script: "one.R"
            """,
            "one.R": """
                total <- sum(unlist(snakemake@params[["numbers"]]))
                line <- paste(snakemake@params[["name"]], total, snakemake@threads)
                writeLines(line, snakemake@output[[1]])
            """,
        },
    )
    assert files["one.txt"] == b"sum 6 2\n"


def notebook(*cells: str) -> str:
    """Return a Jupyter notebook."""
    return json.dumps(
        {
            "cells": [
                {"cell_type": "code", "execution_count": None, "id": f"cell{number}",
                 "metadata": {}, "outputs": [], "source": source}
                for number, source in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"display_name": "Python", "language": "python", "name": "python3"},
                "language_info": {"name": "python", "file_extension": ".py"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )  # fmt: skip


NOTEBOOK = {
    "Snakefile": """
        rule one:
            output: "one.txt"
            params: x=3
            notebook: "one.py.ipynb"
    """,
    "one.py.ipynb": notebook(
        "text = f'x is {snakemake.params.x}'", "open(snakemake.output[0], 'w').write(text)"
    ),
}


def test_notebook(check_same_files: Check) -> None:
    pytest.importorskip("nbconvert")
    pytest.importorskip("ipykernel")
    assert check_same_files(NOTEBOOK)["one.txt"] == b"x is 3"


def test_template(check_same_files: Check) -> None:
    check_same_files(
        {
            "Snakefile": """
                rule one:
                    input: "template.txt"
                    output: "one.txt"
                    params: names=["a", "b"]
                    template_engine: "jinja2"
            """,
            "template.txt": "{% for name in params.names %}{{ name }}\n{% endfor %}",
        },
    )


SERVICE = """
    rule all:
        input: expand("{i}.txt", i=range(config["users"]))
    rule serve:
        output: service("ready")
        shell: "echo served > {output}; exec sleep 1000"
    rule use:
        input: "ready"
        output: "{i,[0-9]}.txt"
        shell: "cat {input} > {output}"
"""


def test_service(check_same_files: Check) -> None:
    """It lives as long as the jobs that use it, and its job ends then."""
    check_same_files({"Snakefile": SERVICE}, "--config", "users=1")


def test_service_of_more_jobs_than_threads(project: Project) -> None:
    """They have to run at once, wherever that is."""
    project.write("Snakefile", SERVICE)
    run = project.run("--config", "users=3")
    assert run.code == 0, run.text
    assert [project.read(f"{i}.txt") for i in range(3)] == ["served\n"] * 3


def test_shadow(check_same_files: Check) -> None:
    check_same_files(
        {
            "Snakefile": """
                KINDS = ["shallow", "full", "minimal", "copy-minimal"]
                rule all:
                    input: expand("{kind}.txt", kind=KINDS)
                for kind in KINDS:
                    rule:
                        input: "in.txt"
                        output: f"{kind}.txt"
                        shadow: kind
                        script: "one.py"
            """,
            "in.txt": "text",
            "one.py": """
                open("litter.txt", "w").write("left in the shadow")
                open(snakemake.output[0], "w").write(open(snakemake.input[0]).read())
            """,
        },
    )


def test_run_that_uses_the_snakefile(check_same_files: Check) -> None:
    """Functions, config, resources and a shell command."""
    check_same_files(
        {
            "Snakefile": """
                config["made"] = "late"
                def text(number):
                    return f"{number} of {config['made']}"
                rule all:
                    input: expand("{i}.txt", i=range(3))
                rule one:
                    output: "{i}.txt"
                    threads: 2
                    resources: note="text"
                    log: "{i}.log"
                    run:
                        with open(output[0], "w") as file:
                            print(text(wildcards.i), threads, resources.note, file=file)
                        shell("echo shell >> {output}; echo logged > {log}")
            """,
        },
    )


def test_what_goes_wrong_is_shown_with_its_reason(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: "run.txt", "shadow.txt", "good.txt"
        rule run:
            output: "run.txt"
            run:
                raise ValueError("no such share")
        rule shadow:
            output: "shadow.txt"
            shadow: "shallow"
            shell: "echo said; true"
        rule good:
            output: "good.txt"
            group: "one"
            shell: "echo good > {output}"
        """,
    )
    run = project.run("--keep-going", "--latency-wait", "0")
    assert run.code == 1
    assert "ValueError in file" in run.text and ", line 7" in run.text
    assert "no such share" in run.text
    assert "missing locally" in run.text and "said" in run.text
    assert project.exists("good.txt")
    assert "RuntimeWarning" not in run.text
    # Of plans and progress only this Snakemake's own are shown.
    assert run.text.count("Building DAG of jobs") == 1


def test_group_has_no_more_threads_than_its_worker(check_same_files: Check) -> None:
    """Eight jobs at once ask for eight threads, and for 8000 MB that nobody has stated."""
    files = check_same_files(
        {
            "Snakefile": """
                rule all:
                    input: "sum.txt"
                rule part:
                    output: "part/{i}.txt"
                    group: "all"
                    shell: "echo {wildcards.i} > {output}"
                rule sum:
                    input: expand("part/{i}.txt", i=range(8))
                    output: "sum.txt"
                    group: "all"
                    threads: 8
                    shell: "cat {input} > {output}; echo {threads} >> {output}"
            """,
        },
        "--group-components",
        "all=1",
    )
    assert files["sum.txt"].split()[-1] == b"2"


def test_group_that_is_accounted_for(project: Project) -> None:
    project.write(
        "Snakefile",
        """
        rule all:
            input: expand("out/{i}.txt", i=range(8))
        rule one:
            output: "out/{i}.txt"
            group: "all"
            shell: "echo {wildcards.i} > {output}"
        """,
    )
    run = project.run(
        "--group-components", "all=8", "--dask-memory-mb", "2000", "--dask-records", "records"
    )
    assert run.code == 0, run.text
    [file] = (project.path / "records").glob("*.jsonl")
    _, submitted, *jobs, _ = (json.loads(line) for line in file.read_text().splitlines())
    assert submitted["rules"] == ["one"] * 8 and len(jobs) == 8
    assert {job["threads"] for job in jobs} == {2}


# Stands for the shell function that module systems install.
MODULE = '() { echo "module $*" >> modules; }'


def test_environment_modules(check_same_files: Check) -> None:
    files = check_same_files(
        {
            "Snakefile": """
                rule one:
                    output: "one.txt"
                    envmodules: "compiler/12", "tools"
                    shell: "echo x > {output}"
            """,
        },
        "--software-deployment-method",
        "env-modules",
        **{"BASH_FUNC_module%%": MODULE},
    )
    assert b"module load compiler/12 tools" in files["modules"]


# Stands for Apptainer, which has to be set up by an administrator: notes how it was called and
# runs the command, without a container.
APPTAINER = f"""#!{sys.executable}
import os, sys
if "--version" in sys.argv:
    print("apptainer version 1.3.0")
elif sys.argv[1] == "exec":
    image = next(each for each in sys.argv if each.endswith(".sif"))
    print(os.path.basename(image), file=open("containers", "a"))
    command = sys.argv[sys.argv.index(image) + 1:]
    os.execvp(command[0], command)
"""


def test_container(tmp_path: Path, check_same_files: Check) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("apptainer", "singularity"):
        (binaries / name).write_text(APPTAINER)
        (binaries / name).chmod(0o755)
    path = f"{binaries}:{os.environ['PATH']}"
    files = check_same_files(
        {
            "Snakefile": """
                rule one:
                    output: "one.txt"
                    container: "image.sif"
                    shell: "echo x > {output}"
            """,
            "image.sif": "an image",
        },
        "--software-deployment-method",
        "apptainer",
        PATH=path,
    )
    assert files["containers"] == b"image.sif\n"


def test_which_jobs_have_an_environment() -> None:
    """Of conda, which would have to be installed, only that the job isn't run in a fork."""
    translator = JobTranslator.__new__(JobTranslator)
    rules = {
        DeploymentMethod.CONDA: {"conda_env": "env.yaml"},
        DeploymentMethod.APPTAINER: {"container_img": "image.sif"},
        DeploymentMethod.ENV_MODULES: {"env_modules": ["tools"]},
    }
    nothing = {"conda_env": None, "container_img": None, "env_modules": None}
    for method in rules:
        translator.methods = {method}
        for other, directive in rules.items():
            job = SimpleNamespace(rule=SimpleNamespace(**nothing | directive))
            assert translator._in_environment(job) == (other == method)
