# The sample market, made when no inputs of the user's are configured: three tables for the toy
# model, and those of the larger catalogs.

from deriv_ops.sample import MARKET_FILES, write_market
from deriv_ops.sample_tables import TABLE_FILES, write_tables
from deriv_ops.digests import code_digest

if CONFIG.sample:

    rule sample_market:
        output:
            [stored(str(CONFIG.inputs_dir / name)) for name in MARKET_FILES],
        log:
            "logs/sample_market.log",
        conda:
            "../../envs/environment.yaml"
        params:
            market=CONFIG.sample,
            code=code_digest(write_market),
        message:
            "sample_market = {params.market[dates]} dates x {params.market[shares]} shares"
        script:
            "../scripts/sample_market.py"

    rule sample_tables:
        output:
            [stored(str(CONFIG.inputs_dir / name)) for name in TABLE_FILES],
        log:
            "logs/sample_tables.log",
        conda:
            "../../envs/environment.yaml"
        params:
            market=CONFIG.sample,
            code=code_digest(write_tables),
        message:
            "sample_tables = {params.market[dates]} dates x {params.market[shares]} shares"
        script:
            "../scripts/sample_tables.py"
