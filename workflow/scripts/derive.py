"""Compute one derivation: the script of every rule that the catalog makes.

By hand, from the project's folder: python workflow/scripts/derive.py fin_pricez1d
"""

import sys

from deriv_ops.job import run_script
from deriv_ops.rules import mock_snakemake

if "snakemake" not in globals():
    snakemake = mock_snakemake(sys.argv[1])

run_script(snakemake)
