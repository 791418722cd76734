"""Write the tables of the sample market."""

from pathlib import Path

from deriv_ops.sample import write_market

write_market(Path(snakemake.output[0]).parent, **snakemake.params.market)  # noqa: F821
