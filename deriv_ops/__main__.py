"""`python -m deriv_ops` is the command `deriv-ops`."""

from deriv_ops.cli import main

main(prog_name="deriv-ops")
