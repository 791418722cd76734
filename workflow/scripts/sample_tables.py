"""Write the sample tables of the larger catalogs."""

from pathlib import Path

from deriv_ops.sample_tables import write_tables

# The first file is market/open.parquet.
write_tables(Path(snakemake.output[0]).parents[1], **snakemake.params.market)  # noqa: F821
