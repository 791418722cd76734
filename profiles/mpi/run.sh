#!/bin/bash
# The run in the first part of a heterogeneous Slurm job, workers under MPI in the second, where the
# one needs little and the others much:
#
#     sbatch profiles/mpi/run.sh                    # everything; or the arguments of snakemake
#
# Where all is to be one MPI context, or all nodes are alike, config.yaml says a simpler way.

# One at a time of this name, so that they don't write the same files.
#SBATCH --job-name=deriv-ops
#SBATCH --dependency=singleton
#SBATCH --output=logs/slurm-%j.out

# Two minutes before the end: begin nothing more, let finish what runs.
#SBATCH --signal=B:TERM@120
#SBATCH --no-requeue

# Snakemake: a few cores of one node.
#SBATCH --partition=2tcourt
#SBATCH --nodes=1 --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=02:00:00

#SBATCH hetjob

# Workers: one task a node, with all its cores and its memory. The first has the scheduler as well.
# By the same name they would wait for the run itself.
#SBATCH --job-name=deriv-ops-workers
#SBATCH --partition=2tcourt
#SBATCH --nodes=2 --ntasks-per-node=1
#SBATCH --cpus-per-task=28
#SBATCH --mem=110G
#SBATCH --time=02:00:00

if [ -f .venv/bin/activate ]; then source .venv/bin/activate; fi

# The network by which nodes see each other (`ip -brief address`); nothing listens on any other.
interface=ib0

# Keys for this job, so that nobody else can talk to its scheduler and workers.
keys=logs/mpi-$SLURM_JOB_ID
python -P -m snakemake_executor_plugin_dask.clusters.tls "$keys" || exit
export DASK_CONFIG=$keys

srun --het-group=1 --mpi=pmix python -P -m dask_mpi.cli --scheduler-file "$keys/scheduler.json" \
    --scheduler-port 0 --inclusive-workers --worker-class distributed.Worker --nthreads 28 \
    --memory-limit 110GB --protocol tls:// --interface $interface --no-dashboard &
until [ -s "$keys/scheduler.json" ]; do
    kill -0 $! || exit # it has said why
    sleep 1
done

# A run that was killed has left its lock. One that is at work keeps it, and ends this job.
python -P -m snakemake_executor_plugin_dask.owner || exit

# In place of this shell, which is whom Slurm signals. The workers end with the job.
exec snakemake --profile local --dask-cluster "$keys/scheduler.json" "$@"
