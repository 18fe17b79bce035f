"""Landing: what a source delivered becomes rows of its raw table, or rows in quarantine; none is lost.

``pending`` says what there is to land without reading a byte of it, ``land`` lands it, ``landed_version``
says what can be read of the table afterwards. ``batch_of`` tells which batch an entry of the log added.
"""

from mart_platform.stages.landing.arrivals import pending
from mart_platform.stages.landing.deliveries import LandingReport, Refused, land
from mart_platform.stages.landing.recording import batch_of
from mart_platform.stages.landing.versions import landed_version

__all__ = ["LandingReport", "Refused", "batch_of", "land", "landed_version", "pending"]
