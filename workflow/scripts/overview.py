"""Write what the results hold, a page for each folder."""

from deriv_ops.config import Config
from deriv_ops.overview import write_overview

results_dir = str(Config.of(snakemake.config).results_dir)  # noqa: F821
results = [str(path) for path in snakemake.input]  # noqa: F821
write_overview(results, results_dir, list(snakemake.output))  # noqa: F821
