# What the results hold, a page for each folder, for Snakemake's own report:
# `snakemake overview`, then `snakemake overview --report report.zip`.

from deriv_ops.overview import overview_pages, write_overview
from deriv_ops.digests import code_digest


# It is made where Snakemake runs, so that the pages are there even if the results are elsewhere.
localrules:
    overview,


rule overview:
    input:
        [stored(path) for path in TARGETS],
    output:
        [
            report(
                page,
                category="Results by folder",
                caption="../report/overview.rst",
                labels={"folder": Path(page).stem, "derivations": str(count)},
            )
            for page, count in overview_pages(CATALOG, CONFIG).items()
        ],
    log:
        "logs/overview.log",
    conda:
        "../../envs/environment.yaml"
    params:
        code=code_digest(write_overview),
    message:
        "overview of {CONFIG.catalog}"
    script:
        "../scripts/overview.py"
