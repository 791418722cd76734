"""Workflows of different shapes give the same files as with Snakemake's local executor."""

from __future__ import annotations

import shutil

import pytest
from conftest import Check

DUMP = """
    import json
    sm = snakemake
    everything = {
        "input": list(sm.input), "input names": sorted(sm.input.keys()),
        "output": list(sm.output), "log": list(sm.log), "wildcards": dict(sm.wildcards.items()),
        "params": [repr(p) for p in sm.params], "params names": sorted(sm.params.keys()),
        "threads": sm.threads, "config": sm.config, "rule": sm.rule, "scriptdir": sm.scriptdir,
        "iteration": sm.bench_iteration, "tmpdir": sm.resources.tmpdir,
        "resources": {k: v for k, v in sm.resources.items() if k in ("gpu", "note")},
        "file": __file__, "main": __name__, "type": type(sm).__name__,
    }
    with open(sm.output[0], "w") as file:
        json.dump(everything, file, default=repr, indent=1, sort_keys=True)
"""

WORKFLOWS: dict[str, dict[str, str]] = {
    "script": {
        "Snakefile": """
            configfile: "config.yaml"
            rule all:
                input: expand("out/{i}.json", i="abc"), "named.json"
            rule one:
                input: "Snakefile", conf="config.yaml"
                output: "out/{i}.json"
                log: "logs/{i}.log"
                params: 1, x=dict(a=[1, None]), f=lambda w: w.i * 2, t=(1, 2), s={3}
                threads: 2
                resources: gpu=1, note="text"
                script: "scripts/dump.py"
            rule named:
                input: rules.all.input[0]
                output: x="named.json"
                script: "scripts/dump.py"
        """,
        "config.yaml": "a: {b: [1, 2]}\n",
        "scripts/dump.py": DUMP,
    },
    "frames in params": {
        "Snakefile": """
            import numpy, pandas
            rule one:
                output: "one.txt"
                params: frame=pandas.DataFrame({"a": [1, 2]}), array=numpy.arange(3)
                script: "one.py"
        """,
        "one.py": """
            p = snakemake.params
            open(snakemake.output[0], "w").write(f"{type(p.frame)} {p.frame} {p.array}")
        """,
    },
    "shell": {
        "Snakefile": """
            shell.prefix("X=prefixed; ")
            rule all:
                input: "b.txt", "long.txt", "sh.txt"
            rule a:
                output: "a b.txt"
                params: text=lambda wildcards: "it's {braces}"
                threads: 2
                shell: "echo {params.text:q} {threads} $OMP_NUM_THREADS $X {wildcards} > {output:q}"
            rule b:
                input: "a b.txt"
                output: "b.txt"
                shell: "cat {input:q} | tr a-z A-Z > {output}; echo {resources.tmpdir} >> {output}"
            rule long:
                output: "long.txt"
                params: text="x" * 200_000
                shell: "echo {params.text} | wc -c > {output}"
            rule other_shell:
                output: "sh.txt"
                resources: shell_exec="sh"
                shell: "echo $0 > {output}"
        """,
    },
    "run, checkpoints and functions": {
        "Snakefile": """
            rule all:
                input: "sum.txt"
            checkpoint split:
                output: directory("parts")
                run:
                    import os
                    os.makedirs(output[0])
                    for i in range(3):
                        open(f"{output[0]}/{i}.part", "w").write(str(i))
            rule double:
                input: "parts/{i}.part"
                output: "doubled/{i}.txt"
                script: "double.py"
            def parts(wildcards):
                folder = checkpoints.split.get().output[0]
                ids = glob_wildcards(f"{folder}/{{i}}.part").i
                return expand("doubled/{i}.txt", i=sorted(ids))
            rule sum:
                input: parts
                output: "sum.txt"
                shell: "cat {input} > {output}"
        """,
        "double.py": """
            value = int(open(snakemake.input[0]).read())
            open(snakemake.output[0], "w").write(f"{value * 2}\\n")
        """,
    },
    "temp, protected, ensure, touch, directory": {
        "Snakefile": """
            rule all:
                input: "done", "kept.txt", "folder", "checked.txt"
            rule scratch:
                output: temp("scratch.txt")
                shell: "echo scratch > {output}"
            rule kept:
                input: "scratch.txt"
                output: protected("kept.txt")
                shell: "cat {input} > {output}"
            rule checked:
                output: ensure("checked.txt", non_empty=True)
                shell: "echo x > {output}"
            rule folder:
                output: directory("folder")
                script: "folder.py"
            rule mark:
                input: "folder"
                output: touch("done")
                shell: "true"
        """,
        "folder.py": """
            from pathlib import Path
            folder = Path(snakemake.output[0])
            folder.mkdir()
            (folder / "a").write_text("a")
        """,
    },
    "shadow, groups and a module": {
        "Snakefile": """
            module other:
                snakefile: "other.smk"
            use rule * from other as other_*
            rule all:
                input: "grouped.txt", "shadowed.txt", "from_module.txt"
                default_target: True
            rule first:
                output: "first.txt"
                group: "both"
                shell: "echo first > {output}"
            rule second:
                input: "first.txt"
                output: "grouped.txt"
                group: "both"
                script: "duplicate.py"
            rule shadowed:
                output: "shadowed.txt"
                shadow: "minimal"
                shell: "echo scratch > scratch.txt; cat scratch.txt > {output}"
        """,
        "other.smk": """
            rule made:
                output: "from_module.txt"
                script: "duplicate.py"
        """,
        "duplicate.py": """
            text = open(snakemake.input[0]).read() if snakemake.input else "nothing"
            open(snakemake.output[0], "w").write(text + " copied")
        """,
    },
    "pipes and services": {
        "Snakefile": """
            rule all:
                input: "piped.txt", "served.txt"
            rule server:
                output: service("address")
                shell: "echo 7 > {output}; sleep 1000"
            rule client:
                input: "address"
                output: "served.txt"
                shell: "cat {input} > {output}"
            rule source:
                output: pipe("numbers")
                shell: "seq 1000 > {output}"
            rule sink:
                input: "numbers"
                output: "piped.txt"
                shell: "tail -n 1 {input} > {output}"
        """,
    },
    "other languages": {
        "Snakefile": """
            rule all:
                input: "bash.txt", "kept.txt", "wrapped.txt"
            rule wrapped:
                output: "wrapped.txt"
                params: "wrapped"
                wrapper: "file:wrappers/write"
            rule bash:
                output: "bash.txt"
                params: x=3
                script: "script.sh"
            rule kept:
                output: "kept.txt"
                params: name="named"
                script: "{params.name}.py"
        """,
        "script.sh": 'echo "bash ${snakemake_params[x]}" > "${snakemake_output[0]}"\n',
        "wrappers/write/environment.yaml": "dependencies: [python]\n",
        "wrappers/write/wrapper.py": """
            open(snakemake.output[0], "w").write(snakemake.params[0])
        """,
        "named.py": 'open(snakemake.output[0], "w").write(snakemake.params.name)\n',
    },
    "imports beside the script and an included file": {
        "Snakefile": """
            rule all:
                input: "one.txt"
            include: "rules/one.smk"
        """,
        "rules/one.smk": """
            rule one:
                output: "one.txt"
                script: "../scripts/one.py"
        """,
        "scripts/one.py": """
            import helper
            import pickle, multiprocessing

            class Thing:
                pass

            def square(x):
                return x * x

            if __name__ == "__main__":
                with multiprocessing.Pool(2) as pool:
                    squares = pool.map(square, range(4))
                copy = pickle.loads(pickle.dumps(Thing()))
                # Never closed: an interpreter's ordinary end writes it out.
                unclosed = open(snakemake.output[0], "w")
                unclosed.write(f"{helper.VALUE} {squares} {type(copy).__name__}")
        """,
        "scripts/helper.py": "VALUE = 'helped'\n",
    },
    "retries, ancient, multiext, local rules": {
        "Snakefile": """
            localrules: here
            rule all:
                input: "retried.txt", "here.txt", multiext("m", ".a", ".b")
            rule flaky:
                output: "retried.txt"
                retries: 2
                resources: attempts=lambda wildcards, attempt: attempt
                shell: "test {resources.attempts} -eq 3; echo {resources.attempts} > {output}"
            rule here:
                input: ancient("Snakefile")
                output: "here.txt"
                shell: "echo here > {output}"
            rule multi:
                output: multiext("m", ".a", ".b")
                priority: 5
                script: "multi.py"
        """,
        "multi.py": """
            import atexit
            for name in snakemake.output:
                open(name, "w").write(name)
            atexit.register(lambda: open("at_exit", "w").write("called"))
        """,
    },
    "flags and helpers of files": {
        "Snakefile": """
            import hashlib
            configfile: "config.yaml"
            rule all:
                input:
                    "summed.txt", "chosen.txt",
                    collect("many/{x}.txt", x=["a", "b"]), "updated.txt",
            rule start:
                output: temp("raw.txt")
                shell: "echo 1 > {output}"
            rule update:
                input: "raw.txt", before_update("updated.txt")
                output: update("updated.txt")
                script: "update.py"
            rule chosen:
                input: branch(exists("raw.txt"), then="Snakefile", otherwise="config.yaml")
                output: "chosen.txt"
                params: base=subpath(output[0], basename=True), found=lookup("a/b", within=config)
                script: "chosen.py"
            rule summed:
                output: ensure("summed.txt", sha256=hashlib.sha256(b"sum").hexdigest())
                script: "summed.py"
            rule many:
                input: flags="update.py"
                output: "many/{x,[a-z]}.txt"
                script: "chosen.py"
        """,
        "config.yaml": "a: {b: found}\n",
        "updated.txt": "0\n",
        "update.py": """
            with open("updated.txt", "a") as file:
                file.write(open(snakemake.input[0]).read())
        """,
        "chosen.py": 'open(snakemake.output[0], "w").write(str(snakemake.params))\n',
        "summed.py": 'open(snakemake.output[0], "w").write("sum")\n',
    },
    "modules, inherited and handed over rules": {
        "Snakefile": """
            module other:
                snakefile: "other/Snakefile"
                prefix: "inner"
                config: {"word": "configured"}
            use rule * from other exclude spare as other_*
            use rule one from other as changed with:
                output: "changed.txt"
                threads: 2
            rule base:
                output: "base.txt"
                params: word="base"
                script: "other/one.py"
            use rule base as derived with:
                output: "derived.txt"
                params: word="derived"
            rule handed_over:
                output: "handed_over.txt"
                handover: True
                resources: gpu=1
                shell: "echo {threads} > {output}"
            rule all:
                default_target: True
                input:
                    "inner/one.txt", "changed.txt", "base.txt", "derived.txt",
                    "handed_over.txt",
        """,
        "other/Snakefile": """
            rule one:
                output: "one.txt"
                params: word=config["word"]
                script: "one.py"
            rule spare:
                output: "spare.txt"
                shell: "false"
        """,
        "other/one.py": """
            with open(snakemake.output[0], "w") as file:
                print(snakemake.params.word, snakemake.rule, snakemake.threads, file=file)
        """,
    },
}


WORKFLOWS["R"] = {
    "Snakefile": """
        rule all:
            input: "r.txt", "again.txt"
        rule r:
            output: "{name}.txt"
            params: x=[1, 2]
            script: "script.R"
    """,
    "script.R": "writeLines(paste(snakemake@params[['x']]), snakemake@output[[1]])\n",
}
QUICK = ("script", "temp, protected, ensure, touch, directory")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in WORKFLOWS],
)
def test_same_files(check_same_files: Check, name: str) -> None:
    if name == "R" and not shutil.which("Rscript"):
        pytest.skip("there is no R here")
    check_same_files(WORKFLOWS[name])
