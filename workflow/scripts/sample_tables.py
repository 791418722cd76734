"""Write the sample tables of the larger catalogs."""

from deriv_ops.locations import location
from deriv_ops.sample_tables import write_tables

# The first file is market/open.parquet.
write_tables(location(snakemake.output[0]).parents[1], **snakemake.params.market)  # noqa: F821
