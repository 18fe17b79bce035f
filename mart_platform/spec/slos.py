"""Service level objectives in OpenSLO v1 (https://github.com/OpenSLO/OpenSLO), as far as marts use it."""

from typing import Annotated, Literal

from pydantic import Field

from mart_platform.spec.words import Word


class Metadata(Word):
    """Name and title of an OpenSLO object."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    displayName: str = ""


class TimeWindow(Word):
    """The window over which the error budget is counted."""

    duration: str
    isRolling: bool = True


class MartSli(Word):
    """Which indicator of the mart is measured."""

    sli: Literal["staleness", "success_rate", "latency", "accuracy"]


class MetricSource(Word):
    """Where the indicator comes from: the platform's own measurements."""

    type: Literal["mart"] = "mart"
    spec: MartSli


class ThresholdMetric(Word):
    """A measured value that is held against the objective's threshold."""

    metricSource: MetricSource


class IndicatorSpec(Word):
    """The body of an SLI."""

    thresholdMetric: ThresholdMetric


class Indicator(Word):
    """An SLI: a name and what is measured."""

    metadata: Metadata
    spec: IndicatorSpec


class Objective(Word):
    """The threshold, in seconds for staleness, and the share of time slices that must keep it."""

    displayName: str = ""
    op: Literal["lte", "lt", "gte", "gt"] = "lte"
    value: Annotated[float, Field(gt=0)]
    target: Annotated[float, Field(gt=0, lt=1)]
    timeSliceTarget: Annotated[float, Field(gt=0, le=1)] = 1
    timeSliceWindow: str = "1m"


class SloSpec(Word):
    """The body of an SLO."""

    service: str
    description: str = ""
    budgetingMethod: Literal["Timeslices", "Occurrences", "RatioTimeslices"] = "Timeslices"
    timeWindow: Annotated[tuple[TimeWindow, ...], Field(min_length=1, max_length=1)]
    indicator: Indicator
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)]


class Slo(Word):
    """One document of ``slos.yaml``."""

    apiVersion: Literal["openslo/v1"]
    kind: Literal["SLO"]
    metadata: Metadata
    spec: SloSpec

    @property
    def sli(self) -> str:
        """Which indicator this objective is about."""
        return self.spec.indicator.spec.thresholdMetric.metricSource.spec.sli
