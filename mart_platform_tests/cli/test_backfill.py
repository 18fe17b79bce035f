"""``mart backfill`` and the dry run of ``mart build``, as somebody types them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mart_platform_tests.runs.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


def command(shop: Shop, *words: str) -> list[str]:
    places = ["--warehouse", str(shop.folder), "--data", str(shop.places.data)]
    return [sys.executable, "-m", "mart_platform.cli", *places, *words]


def mart(shop: Shop, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(shop, *words), capture_output=True, text=True, check=False, timeout=300)


def change_logic(shop: Shop) -> None:
    shop.edit(
        "marts/orders/tables/order_line.sql", "quantity, net_amount", "quantity + 1 AS quantity, net_amount"
    )


def test_a_dry_run_tells_intervals_rows_and_bytes_and_does_nothing(shop: Shop) -> None:
    told = mart(
        shop,
        "backfill",
        "orders.order_line",
        "--from",
        "2026-10-01",
        "--to",
        "2026-10-31",
        "--dry-run",
        "--json",
    )
    [found] = json.loads(told.stdout)["tables"]
    assert found["intervals"] == ["2026-10-01"]
    assert found["rows"] > 0
    assert shop.platform.ledger.backfills() == []


def test_a_backfill_goes_to_the_end_and_says_what_it_made(shop: Shop) -> None:
    change_logic(shop)
    done = mart(shop, "backfill", "orders", "--from", "2026-01-01", "--to", "2026-12-31")
    assert done.returncode == 0, done.stderr
    assert "orders: publication 2" in done.stdout
    assert not shop.todo()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "yesterday", "--to", "2026-01-01"], "yesterday"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "before"),
        (["--from", "2026-01-01", "--to", "2026-01-31", "--hours", "25-99"], "22-06"),
        (["--from", "2026-01-01", "--to", "2026-01-31", "--memory", "lots"], "1GB"),
    ],
)
def test_what_cannot_be_understood_is_named_with_the_remedy(shop: Shop, words: list[str], told: str) -> None:
    refused = mart(shop, "backfill", "orders", *words)
    assert refused.returncode == 2
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_backfill_outside_of_its_hours_waits_and_can_be_interrupted(shop: Shop) -> None:
    change_logic(shop)
    hour = (time.localtime().tm_hour + 2) % 24
    hours = f"{hour:02}-{(hour + 1) % 24:02}"
    with subprocess.Popen(
        command(shop, "backfill", "orders", "--from", "2026-01-01", "--to", "2026-12-31", "--hours", hours),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as waiting:
        assert waiting.stderr is not None
        for line in waiting.stderr:
            if "Waiting" in line:
                break
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(60) == 130
    assert mart(shop, "backfill", "orders", "--from", "2026-01-01", "--to", "2026-12-31").returncode == 0
    assert len(shop.platform.ledger.backfills()) == 1


def test_the_dry_run_of_a_build_tells_extent_and_reason(shop: Shop) -> None:
    change_logic(shop)
    told = mart(shop, "build", "--dry-run")
    assert told.returncode == 0
    assert "all of it" in told.stdout
    assert "orders.order_line" in told.stdout


def test_a_shadow_is_compared_and_published_or_dropped(shop: Shop) -> None:
    change_logic(shop)
    before = shop.ask("SELECT * FROM orders.order_line ORDER BY ALL")
    assert mart(shop, "build", "--shadow").returncode == 0
    assert shop.ask("SELECT * FROM orders.order_line ORDER BY ALL") == before
    assert mart(shop, "diff", "orders", "live", "shadow", "--exit-code").returncode == 1
    assert mart(shop, "publish", "orders", "--version", "2").returncode == 0
    assert shop.ask("SELECT * FROM orders.order_line ORDER BY ALL") != before
