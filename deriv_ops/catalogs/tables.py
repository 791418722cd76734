"""The input tables of the `medium` and the `full` catalog: 276 files of different kinds.

`deriv_ops.sample_tables` makes them; your own, of the same names, do as well.
"""

from deriv_ops import AbstractDerivation, FileMap

MARKET = (
    "open", "high", "low", "close", "vwap", "volume", "traded", "marketcap", "outstanding",
    "free_float", "short_interest", "spread",
)  # fmt: skip
ITEMS = (
    "sales", "costs", "margin", "ebitda", "ebit", "interest", "taxes", "earnings", "dividends",
    "buybacks", "assets", "cash", "inventory", "receivables", "payables", "debt", "equity",
    "investment", "cash_flow", "employees", "orders",
)  # fmt: skip
FUNDAMENTALS = tuple(
    f"{item}_{form}" for item in ITEMS for form in ("reported", "expected", "revised", "surprise")
)
TOPICS = (
    "value", "quality", "growth", "momentum", "risk", "credit", "climate", "water", "waste",
    "labour", "safety", "privacy", "board", "audit", "pay", "tax", "lobbying", "supply",
    "patents", "brand", "litigation", "ownership", "analysts", "insiders",
)  # fmt: skip
SCORES = tuple(f"{topic}_{provider}" for topic in TOPICS for provider in "abcde")
SOURCES = (
    "news", "filings", "calls", "social", "search", "jobs", "cards", "traffic", "apps", "shipping",
    "satellite", "weather", "energy", "freight", "prices", "reviews", "options", "lending",
    "flows",
)  # fmt: skip
SIGNALS = tuple(f"{source}_{kind}" for source in SOURCES for kind in ("level", "tone", "count"))
STATIC = ("Sectors", "Industries", "Countries")


class Inputs(AbstractDerivation):
    """What is known of each share from elsewhere."""

    # Each business day: prices and what goes with them, and signals of alternative data.
    market = FileMap("market/{}.parquet", MARKET)
    signals = FileMap("signals/{}.parquet", SIGNALS)
    # The last value known on each business day, a new one each quarter.
    fundamentals = FileMap("fundamentals/{}.parquet", FUNDAMENTALS)
    # At the end of each month.
    scores = FileMap("scores/{}.parquet", SCORES)
    # One row a share.
    static = FileMap("static/{}.parquet", STATIC)
