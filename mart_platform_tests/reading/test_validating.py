from typing import Any

import pytest

from mart_platform.reading.located_yaml import documents
from mart_platform.reading.validating import declared
from mart_platform.spec.access import Access
from mart_platform.spec.marts import Mart
from mart_platform.spec.problems import Problem
from mart_platform.spec.settings import Settings
from mart_platform.spec.sources import Source
from mart_platform.spec.tables import Contract
from mart_platform.spec.words import Word

SOURCE = "source: shop\ndescription: A shop.\nowner: {team: a, contact: a@b.de}\nconnector: files\ntables:\n"
TABLE = "table: canonical.x\ndescription: A table.\n"


def problems_of(kind: type[Word], text: str) -> list[str]:
    problems: list[Problem] = []
    assert declared(kind, documents(text, "a.yaml", [])[0], problems) is None
    return [str(problem) for problem in sorted(problems)]


def test_a_valid_document_becomes_its_declaration() -> None:
    problems: list[Problem] = []
    contract = declared(Contract, documents(TABLE + "key: [a]\n", "a.yaml", [])[0], problems)
    assert contract == Contract(table="canonical.x", description="A table.", key=("a",))
    assert problems == []


def test_everything_that_is_missing_is_named_with_the_block_that_lacks_it() -> None:
    text = "mart: sales\ntitle: Sales\nowner:\n  team: a\nquestions:\n  - ask: Why?\n"
    assert problems_of(Mart, text) == [
        "a.yaml:1: 'built_from' is missing. Add 'built_from: canonical | sources'.",
        "a.yaml:1: 'cadence' is missing. Add 'cadence: …' with a cadence: "
        'a cron line such as "30 4 * * *", "every 5m", or stream.',
        "a.yaml:1: 'consumers' is missing. Add 'consumers: […]'.",
        "a.yaml:1: 'lifecycle' is missing. Add 'lifecycle: development | testing | production | deprecated'.",
        "a.yaml:1: 'pattern' is missing. "
        "Add 'pattern: star | wide | aggregate | streaming | virtual | federated'.",
        "a.yaml:1: 'purpose' is missing. Add 'purpose: …'.",
        "a.yaml:1: 'quota' is missing. Add 'quota: {spend_per_day: …, rows_per_query: …}'.",
        "a.yaml:1: 'retention' is missing. Add 'retention: {keep: …}'.",
        "a.yaml:3: 'owner.contact' is missing. Add 'contact: …'.",
        "a.yaml:3: 'owner.on_call' is missing. Add 'on_call: …'.",
        "a.yaml:6: 'questions.0.sql' is missing. Add 'sql: …'.",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (
            Contract,
            TABLE + "columns:\n  a: {referencs: a.b.c}\n",
            "a.yaml:4: 'columns.a.referencs' is not a key that is known here. Did you mean 'references'?",
        ),
        (
            Contract,
            TABLE + "columns:\n  a: {comes_from: a.b}\n",
            "a.yaml:4: 'columns.a.comes_from' is not a key that is known here. There is: above, at_least, "
            "at_most, below, from, in, label, length, ….",
        ),
        (
            Contract,
            TABLE + "columns:\n  a: {meaning: Price, before tax}\n",
            "a.yaml:4: 'columns.a.before tax' is not a key that is known here. "
            "Quote a sentence in braces that holds a comma.",
        ),
        (
            Contract,
            TABLE + "columns:\n  Net Amount: {type: date}\n",
            "a.yaml:4: columns.Net Amount: 'Net Amount' is not a name in snake_case, such as sales_line.",
        ),
        (
            Contract,
            TABLE + "key: order_id\n",
            "a.yaml:3: 'key' is 'order_id'; it should be a list in brackets. Write [order_id].",
        ),
        (
            Contract,
            TABLE + "kind: incremental\n",
            "a.yaml:1: kind incremental needs 'partition: {column, grain}'.",
        ),
        (
            Contract,
            TABLE + "columns:\n  a: {type: text}\n",
            "a.yaml:4: columns.a.type: 'text' is not a type; there is: boolean, integer, bigint, double, "
            "string, date, timestamp, timestamptz, binary, decimal(p,s), list(t), struct(name t, …).",
        ),
        (
            Contract,
            TABLE + "checks:\n  - {name: a, says: b, severity: fatal, unique: [a]}\n",
            "a.yaml:4: 'checks.0.severity' cannot be 'fatal'. There is: error, warn.",
        ),
        (
            Contract,
            TABLE + "description_:\n",
            "a.yaml:3: 'description_' is not a key that is known here. Did you mean 'description'?",
        ),
        (
            Source,
            SOURCE + "  a:\n    description: b\n    columns: {c: {type: string, length: {at_lest: 2}}}\n",
            "a.yaml:8: 'tables.a.columns.c.length.at_lest' is not a key that is known here. "
            "Did you mean 'at_least'?",
        ),
        (
            Source,
            SOURCE + "  a:\n    description: b\n    columns: {c: {type: string, length: long}}\n",
            "a.yaml:8: 'tables.a.columns.c.length' is 'long'; "
            "it should be a whole number or a block of keys.",
        ),
        (
            Source,
            SOURCE + "  a:\n    description: b\n    columns: {c: {type: string, in: [x, [y]]}}\n",
            "a.yaml:8: 'tables.a.columns.c.in.1' is a list; "
            "it should be true or false, a whole number, a number or a text.",
        ),
        (
            Source,
            SOURCE + "  a:\n    description: 12\n    columns: {c: {type: string}}\n",
            "a.yaml:7: 'tables.a.description' is '12'; it should be a text. Put it in quotes.",
        ),
        (
            Source,
            SOURCE + "  a:\n    description:\n    columns: {c: {type: string}}\n",
            "a.yaml:7: 'tables.a.description' is empty. Write 'description: …'.",
        ),
        (
            Access,
            "roles:\n  a: {may_read: [x], masks: {email: redacted}}\n",
            "a.yaml:2: 'roles.a.masks.email' cannot be 'redacted'. Did you mean 'redact'?",
        ),
        (
            Settings,
            "engine: {threads: 0}\n",
            "a.yaml:1: 'engine.threads' is '0'; it should be greater than or equal to 1.",
        ),
        (
            Settings,
            "business_clock: 2018-01-01T12:00:00\n",
            "a.yaml:1: 'business_clock' is '2018-01-01T12:00:00'; "
            "it should be a moment with its zone, such as 2018-01-01T12:00:00Z.",
        ),
        (
            Settings,
            "currency: euro\n",
            "a.yaml:1: 'currency' is 'euro'; it should be of the form [A-Z]{3}.",
        ),
        (Settings, "- zone\n", "a.yaml:1: the file is a list; it should be a block of keys."),
    ],
)
def test_a_mistake_is_said_with_line_finding_and_remedy(kind: type[Word], text: str, problem: str) -> None:
    assert problems_of(kind, text) == [problem]


def test_a_country_called_no_stays_a_text() -> None:
    text = SOURCE + "  a:\n    description: b\n    columns: {c: {type: string, in: [DE, NO]}}\n"
    source: Any = declared(Source, documents(text, "a.yaml", [])[0], [])
    assert source.tables["a"].columns["c"].one_of == ("DE", "NO")
