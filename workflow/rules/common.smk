# What all rules share: the checked configuration and the catalog.

from deriv_ops.config import Config
from deriv_ops.errors import DerivOpsError
from deriv_ops.rules import rule_specs, targets
from deriv_ops.store import remove_unfinished
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

min_version("9.27")
validate(config, "../../config/schema.yaml")

try:
    CONFIG = Config.of(config)
    CATALOG = CONFIG.load_catalog()
    TARGETS = targets(CATALOG, CONFIG)
except DerivOpsError as error:
    # Told as it is written, without a traceback of the workflow.
    raise WorkflowError(str(error)) from None
