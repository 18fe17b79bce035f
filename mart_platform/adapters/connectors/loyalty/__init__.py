"""A simulated source: the loyalty programme of real households, as its system would deliver it.

``households`` reads who there is, ``people`` lets them enrol, ``programme`` is what happened and its files,
and ``connector`` delivers these.
"""

from mart_platform.adapters.connectors.loyalty.connector import LoyaltyOptions, LoyaltySimulator, simulated

__all__ = ["LoyaltyOptions", "LoyaltySimulator", "simulated"]
