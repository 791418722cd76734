"""Write environment.yaml, the conda environment of the rules, with the pins of the lock.

`make lock` runs it; a test sees that the two agree.
"""

from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PYTHON = "3.11"
HEADER = """\
# Written by envs/pin.py from requirements.lock; used by rules under `--software-deployment-method
# conda`, or by hand: conda env create --file envs/environment.yaml
"""


def environment() -> str:
    """Return the environment's text."""
    platform = {
        "python_version": PYTHON,
        "python_full_version": f"{PYTHON}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
    }
    locked = (Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines())
    pins = [
        f"      - {requirement.name}{requirement.specifier}"
        for requirement in locked
        if requirement.marker is None or requirement.marker.evaluate(platform)
    ]
    head = f"channels:\n  - conda-forge\ndependencies:\n  - python={PYTHON}\n  - pip\n  - pip:\n"
    return HEADER + head + "\n".join(pins) + "\n"


if __name__ == "__main__":
    (ROOT / "envs" / "environment.yaml").write_text(environment())
