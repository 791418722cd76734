"""Write the tables of the sample market."""

from deriv_ops.locations import location
from deriv_ops.sample import write_market

write_market(location(snakemake.output[0]).parent, **snakemake.params.market)  # noqa: F821
