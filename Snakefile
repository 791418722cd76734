# The derivations of a catalog, one rule each. The catalog, the inputs and the results are named in
# config/config.yaml; `deriv_ops` checks the catalog and says which rules there are.


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


rule all:
    input:
        [stored(path) for path in TARGETS],


include: "workflow/rules/sample.smk"
include: "workflow/rules/derivations.smk"
include: "workflow/rules/overview.smk"


# No other run writes to these results now: Snakemake has locked them.
onstart:
    remove_unfinished(CONFIG.results_dir)


onsuccess:
    ended(ok=True)


onerror:
    ended(ok=False)


# What `snakemake --report` says of the workflow as a whole.
report: "workflow/report/catalog.rst"
