# One rule for each variable of the catalog. The parameter holds all that the result depends on
# beside the inputs: operator, params, the order of the parents and the digest of the code. It is
# one dict because Snakemake compares the values of parameters without their names.

for spec in rule_specs(CATALOG, CONFIG):

    rule:
        name:
            spec.name
        input:
            [stored(path) for path in spec.input],
        output:
            stored(spec.output),
        log:
            spec.log,
        group:
            spec.group
        conda:
            "../../envs/environment.yaml"
        resources:
            mem_mb=spec.mem_mb,
        params:
            derivation=spec.derivation,
        message:
            spec.message
        script:
            "../scripts/derive.py"


# Snakemake keeps a function of every rule among the names of the Snakefile, and copies all names
# whenever it formats a text, such as a rule's message. The rules have their functions themselves.
for variable in CATALOG:
    globals().pop(f"__{variable.name}", None)

# The rules last as long as the run: the garbage collector shall not look through them again and
# again while Snakemake plans.
gc.freeze()
