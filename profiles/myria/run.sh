#!/bin/bash
# The whole run in one Slurm job, where a front-end must not carry a long process:
#
#     sbatch profiles/myria/run.sh                  # everything; or the arguments of snakemake
#     sbatch --nodes=4 profiles/myria/run.sh clustervol
#
# What the time was not enough for is done by the next submission. Several can be submitted at once:
# they run one after another.

# One task a node, with all its cores and its memory.
#SBATCH --partition=2tcourt
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=28
#SBATCH --mem=110G
#SBATCH --time=02:00:00

# One at a time of this name, so that they don't write the same files.
#SBATCH --job-name=deriv-ops
#SBATCH --dependency=singleton

# Two minutes before the end: begin nothing more, let finish what runs.
#SBATCH --signal=B:TERM@120

# A failed node ends the job; it isn't begun again without being asked.
#SBATCH --no-requeue
#SBATCH --output=logs/slurm-%j.out

if [ -f .venv/bin/activate ]; then source .venv/bin/activate; fi

# A run that was killed has left its lock. One that is at work keeps it, and ends this job.
python -P -m snakemake_executor_plugin_dask.owner || exit

# In place of this shell, which is whom Slurm signals.
exec snakemake --profile myria --dask-cluster srun "$@"
