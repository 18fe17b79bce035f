import sys
from importlib.metadata import version

import pytest

from mart_platform.reading.python_models import python_model
from mart_platform.spec.problems import Problem
from mart_platform_tests.reading.conftest import Shop


def problems_of(text: str) -> list[str]:
    problems: list[Problem] = []
    python_model("a.py", text, problems)
    return [str(problem) for problem in problems]


def test_a_model_names_its_inputs_and_the_versions_of_its_libraries() -> None:
    text = "import datetime\nimport duckdb\nfrom yaml import nodes\nimport polars as pl\n\n\n"
    model = python_model("a.py", text + "def model(orders, customers):\n    return orders\n", [])
    assert model is not None
    assert model.parameters == ("orders", "customers")
    assert model.imports == (
        f"PyYAML=={version('pyyaml')}",
        f"duckdb=={version('duckdb')}",
        f"polars=={version('polars')}",
    )


def test_a_model_is_read_without_being_run() -> None:
    text = "import sys\nsys.was_run = True\nraise SystemExit\n\ndef model(a):\n    return a\n"
    assert python_model("a.py", text, []) is not None
    assert not hasattr(sys, "was_run")


def test_what_a_function_imports_counts_too() -> None:
    model = python_model("a.py", "def model(a):\n    import polars\n    return a\n", [])
    assert model is not None
    assert model.imports == (f"polars=={version('polars')}",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def model(a:\n", "a.py:1: this is not Python: "),
        ("def modle(a):\n    return a\n", "a.py:1: there is no function 'model' at the top of the file."),
        ("class A:\n    def model(self):\n        pass\n", "a.py:1: there is no function 'model' at the top"),
        (
            "def model(a):\n    return a\n\n\ndef model(b):\n    return b\n",
            "a.py:5: 'model' is defined again, after line 1. Keep one of them.",
        ),
        ("async def model(a):\n    return a\n", "a.py:1: 'model' is async."),
        ("def model(*tables):\n    return 1\n", "a.py:1: 'model' takes its inputs by '*', '**' or '/'."),
        ("def model(a, **more):\n    return a\n", "a.py:1: 'model' takes its inputs by '*', '**' or '/'."),
        ("from . import other\n\ndef model(a):\n    return a\n", "a.py:1: a model stands alone"),
        ("from ..marts.x import y\n\ndef model(a):\n    return a\n", "a.py:1: a model stands alone"),
        (
            "from mart_platform.spec import words\n\ndef model(a):\n    return a\n",
            "a.py:1: a model stands alone",
        ),
        (
            "import order_line\n\ndef model(a):\n    return a\n",
            "a.py:1: 'order_line' belongs to no installed",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, problem: str) -> None:
    problems = problems_of(text)
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_the_parameters_are_the_inputs_of_the_contract(shop: Shop) -> None:
    shop.change("canonical/customer.yaml", "{customers: shop.customers}", "{customer: shop.customers}")
    assert shop.problems() == [
        "canonical/customer.yaml:3: the function 'model' has no parameter 'customer'. "
        "Did you mean 'customers'?",
        "canonical/customer.yaml:3: the model takes 'customers', which is not among the inputs. "
        "Did you mean 'customer'?",
    ]


def test_each_column_needs_its_type(shop: Shop) -> None:
    shop.change("canonical/customer.yaml", "{type: string, from: customers.email}", "{from: customers.email}")
    assert shop.problems() == [
        "canonical/customer.yaml:8: column 'email' of a Python model needs its type. "
        "Write 'email: {type: …}'."
    ]


def test_columns_are_declared(shop: Shop) -> None:
    text = (shop.root / "canonical/customer.yaml").read_text()
    shop.add("canonical/customer.yaml", text[: text.index("columns:")])
    assert shop.problems() == [
        "canonical/customer.yaml:1: a Python model needs its columns declared. "
        "Add 'columns:', each with a type."
    ]


@pytest.mark.parametrize("kind", ["view", "upsert", "scd2"])
def test_what_is_put_into_other_sql_is_made_of_sql(shop: Shop, kind: str) -> None:
    order_by = "" if kind == "view" else "\norder_by: country"
    shop.change("canonical/customer.yaml", "key:", f"kind: {kind}{order_by}\nkey:")
    assert shop.problems() == [
        f"canonical/customer.yaml:4: a table of kind {kind} is made of SQL."
        " Choose another kind, or write the model in SQL."
    ]
