"""A kiosk to maintain: the sales of days, and a clock that stands still until it is moved."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from uuid import uuid4

from mart_platform.runs.maintaining import Maintained, maintain
from mart_platform.runs.worked import STEPS, Step
from mart_platform.spec.records import Version
from mart_platform_tests.runs.shop import ClockedShop

KIOSK = Path(__file__).parent.parent / "data" / "kiosk"


class Kiosk(ClockedShop):
    """A till whose sales are kept by their days, in a mart with a retention."""

    declared, mart = KIOSK, "kiosk"

    def sell(self, *days: date, product: str = "tea", quantity: int = 2, amount: str = "1.10") -> None:
        """Let the till deliver a file for each day, with two sales each."""
        (self.folder / "exports" / "sales").mkdir(parents=True, exist_ok=True)  # git keeps no empty folder
        for day in days:
            name = f"{day}-{product}"
            rows = [f"{name}-{n},{product},{quantity},{amount},{day}" for n in range(2)]
            text = "\n".join(["sale_id,product,quantity,amount,sold_on", *rows]) + "\n"
            self.deliver("sales", f"{name}.csv", text)

    def retain(self, declared: str) -> None:
        self.edit("marts/kiosk/mart.yaml", "retention: {keep: 60d}", f"retention: {declared}")

    def maintain(self, *only: Step, dry_run: bool = False) -> Maintained:
        steps = only or STEPS
        return maintain(self.platform, self.plan, uuid4().hex, only=steps, dry_run=dry_run)

    def version(self, table: str) -> Version:
        return self.present(table)[1]

    def on_disk(self, table: str) -> set[str]:
        """Return the data files of a table's folder."""
        return set(self.platform.lake.present(self.plan.tables[table].path))


def days(month: int, numbers: Iterable[int]) -> list[date]:
    """Return days of 2017."""
    return [date(2017, month, number) for number in numbers]
