"""Runs on a real Slurm; `pytest -m slurm tests/slurm`."""
