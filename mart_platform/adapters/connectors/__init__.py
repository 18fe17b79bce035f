"""Connectors: how sources are reached. A new one is a module beside this file and a line in the table."""

from mart_platform.adapters.connectors.files import FilesConnector
from mart_platform.adapters.connectors.loyalty import LoyaltySimulator
from mart_platform.ports import Connector

CONNECTORS: dict[str, type[Connector]] = {"files": FilesConnector, "simulated_loyalty": LoyaltySimulator}
