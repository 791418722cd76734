"""Write the sample tables of the larger catalogs."""

from deriv_ops.sample_tables import write_tables

write_tables(snakemake.params.folder, **snakemake.params.market)  # noqa: F821
