"""The part of the medium catalog that is about prices: one of a few hundred derivations."""

from deriv_ops.catalogs.medium import Liquidity, Prices, Returns, Risk

__all__ = ["Liquidity", "Prices", "Returns", "Risk"]
