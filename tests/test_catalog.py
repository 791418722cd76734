"""The words of a catalog: names, folders, order, subsets, maps."""

from __future__ import annotations

from pathlib import Path

import pytest

from deriv_ops import load_catalog
from deriv_ops.catalogs import toy
from deriv_ops.config import names_to_launch
from deriv_ops.errors import ConfigError

MAPS = """
    class Basic(AbstractDerivation):
        prices = FileVar("prices.csv")
        volumes = FileVar("volumes.csv")
        sectors = FileVar("sectors.csv")

    class Features(AbstractDerivation):
        means = Map(op.moving_average, [Basic.prices, Basic.volumes], {"window": [5, 20]})
        returns = Map(op.pctdelta, Basic.prices, {"period": [1, 5, 20]})
        deviations = Map(op.calc_dev_by, (returns, Basic.sectors))
        links = Map(op.correl, [(Basic.prices, Basic.volumes), (returns[1], Basic.volumes)],
                    {"window": 60})
        pairs = Map(op.correl, ([Basic.prices, Basic.volumes], [returns[1], returns[5]]),
                    {"window": 60})
        scores = Map(op.zscore, means)
        one = Var(op.zscore, means[Basic.prices, 20], {"minp": 5})
"""


def names(variables) -> list[str]:
    return [variable.name for variable in variables]


def test_the_toy_model_is_in_the_words_of_the_talk():
    catalog = load_catalog("deriv_ops.catalogs.toy")
    assert list(catalog.variables) == [
        *("all_prices", "marketcap", "sectors_isin", "fin_rdt_1d_all", "fin_rdt_1d_std"),
        *("clustervol", "fin_pricez1d", "fin_pricedevz1d_byvol", "fin_std260d_Z1d_bysectors"),
        *("fin_pricedevz1d_byuniver", "a"),
    ]
    assert catalog["fin_pricedevz1d_byvol"].parents == (
        toy.Temporary.fin_pricez1d,
        toy.Temporary.clustervol,
    )
    assert catalog["a"].label == "Temporary.a"
    assert (catalog["a"].folder, catalog["all_prices"].folder) == ("temporary", "basic")


def test_parents_come_before_children(catalog_of):
    catalog = catalog_of(MAPS)
    seen = set()
    for variable in catalog:
        assert seen.issuperset(getattr(variable, "parents", ()))
        seen.add(variable)


def test_members_of_maps_are_named_by_what_is_swept(catalog_of):
    maps = catalog_of(MAPS).maps
    assert names(maps["means"]) == [
        "means__prices__window_5",
        "means__prices__window_20",
        "means__volumes__window_5",
        "means__volumes__window_20",
    ]
    assert names(maps["returns"]) == [
        "returns__period_1",
        "returns__period_5",
        "returns__period_20",
    ]
    assert names(maps["deviations"])[0] == "deviations__returns__period_1"
    assert names(maps["links"]) == ["links__prices", "links__returns__period_1"]
    assert names(maps["pairs"])[:2] == [
        "pairs__prices__returns__period_1",
        "pairs__prices__returns__period_5",
    ]
    assert names(maps["scores"])[3] == "scores__means__volumes__window_20"


def test_members_of_maps_have_the_parents_and_params_of_their_point(catalog_of):
    catalog = catalog_of(MAPS)
    member = catalog["means__volumes__window_20"]
    assert (names(member.parents), member.params) == (["volumes"], {"window": 20})
    assert names(catalog["deviations__returns__period_5"].parents) == [
        "returns__period_5",
        "sectors",
    ]
    assert names(catalog["pairs__volumes__returns__period_1"].parents) == [
        "volumes",
        "returns__period_1",
    ]
    assert names(catalog["one"].parents) == ["means__prices__window_20"]


def test_a_map_is_indexed_by_its_axes(catalog_of):
    catalog = catalog_of(MAPS)
    means, returns, links = (catalog.maps[name] for name in ("means", "returns", "links"))
    assert means["prices", 5] is catalog["means__prices__window_5"]
    assert names(means[:, 5]) == ["means__prices__window_5", "means__volumes__window_5"]
    assert means["volumes", :] == means["volumes",] == tuple(means)[2:]
    assert returns[20].name == "returns__period_20"
    assert links["prices", "volumes"].name == "links__prices"
    with pytest.raises(KeyError, match="no member at"):
        means["prices", 6]
    with pytest.raises(KeyError, match="2 axes, got 3 keys"):
        means["prices", 5, 1]


def test_a_map_as_a_parent_stands_for_all_of_its_members(catalog_of):
    catalog = catalog_of(
        """
        @operator()
        def total(*frames: Frame) -> Frame:
            return sum(frames)

        class Basic(AbstractDerivation):
            prices = FileVar("prices.csv")
            lags = Map(op.pctdelta, prices, {"period": [1, 2]})
            sum = Var(total, [lags, prices])
        """.replace("@operator", "from deriv_ops import Frame\n        @operator", 1)
    )
    assert names(catalog["sum"].parents) == ["lags__period_1", "lags__period_2", "prices"]


def test_a_thousand_derivations_take_one_line(catalog_of):
    catalog = catalog_of(
        """
        class Basic(AbstractDerivation):
            prices = FileVar("prices.csv")
            means = Map(op.moving_average, prices, {"window": [*range(1, 1001)]})
        """
    )
    assert len(catalog) == 1001


def test_a_class_has_a_folder(catalog_of):
    catalog = catalog_of(
        """
        class BasicTables(AbstractDerivation):
            prices = FileVar("prices.csv")

        class Temporary(AbstractDerivation):
            persist_folder = "T_FOLDER"
            returns = Var(op.pctdelta, BasicTables.prices)

        class More(Temporary):
            again = Var(op.pctdelta, BasicTables.prices)
        """
    )
    assert [v.folder for v in catalog] == ["basic_tables", "T_FOLDER", "more"]


def test_classes_of_other_modules_come_with_the_variables_used(catalog_of, tmp_path: Path):
    (tmp_path / "tables.py").write_text(
        "from deriv_ops import AbstractDerivation, FileVar\n"
        "class Tables(AbstractDerivation):\n    prices = FileVar('prices.csv')\n"
    )
    catalog = catalog_of(
        """
        import tables

        class Features(AbstractDerivation):
            prices = tables.Tables.prices
            returns = Var(op.pctdelta, prices)
        """
    )
    assert [v.label for v in catalog] == ["Tables.prices", "Features.returns"]


def test_a_subset_is_a_list_a_text_or_a_file(tmp_path: Path):
    file = tmp_path / "vars.txt"
    file.write_text("clustervol  # the clusters\n\nfin_pricez1d\n")
    expected = ("clustervol", "fin_pricez1d")
    assert names_to_launch(["clustervol", "fin_pricez1d"]) == expected
    assert names_to_launch("clustervol\nfin_pricez1d") == expected
    assert names_to_launch(str(file)) == expected
    assert names_to_launch("clustervol") == ("clustervol",)
    assert names_to_launch("") == names_to_launch(None) == names_to_launch([]) == ()


def test_a_subset_may_name_maps_and_tells_every_unknown_name(catalog_of):
    catalog = catalog_of(MAPS)
    assert names(catalog.select(["returns", "one"])) == [*names(catalog.maps["returns"]), "one"]
    assert len(catalog.select([])) == len(catalog)
    with pytest.raises(ConfigError) as error:
        catalog.select(["retuns", "one", "nothing_like_it"])
    assert str(error.value).endswith("catalog.py: retuns; did you mean 'returns'?, nothing_like_it")
