# The sample market, made when no inputs of the user's are configured.

from deriv_ops.sample import MARKET_FILES, write_market
from deriv_ops.digests import code_digest

if CONFIG.sample:

    rule sample_market:
        output:
            [str(CONFIG.inputs_dir / name) for name in MARKET_FILES],
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
