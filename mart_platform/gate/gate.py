"""The gate: a question passes if it is parsed, allowed and rewritten. The same in, the same out."""

from collections.abc import Mapping

from mart_platform.gate.allowing import allow
from mart_platform.gate.inferring import Parameters
from mart_platform.gate.parsing import parse
from mart_platform.gate.policies import Policy
from mart_platform.gate.questions import Checked, Found, Named, Question
from mart_platform.gate.rewriting import rewrite


def check(
    asked: str | Question, policy: Policy, found: Mapping[Named, Found], parameters: Parameters = ()
) -> Checked:
    """Return the query that may run in the place of the one that is asked.

    ``found`` holds the tables that the question names. Raises Refused.
    """
    question = parse(asked) if isinstance(asked, str) else asked
    allow(question.tree)
    return rewrite(question, policy, found, parameters)
