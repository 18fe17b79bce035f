"""A policy as it is kept beside the audit log: what it was made of, so that an answer can be made again."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from mart_platform.gate.policies import Asker, Policy, policy_of
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.access.granting import mart_of
from mart_platform.spec.principals import Attribute
from mart_platform.spec.records import Record
from mart_platform.spec.rights import MartRights


class KeptPolicy(Record):
    """Roles, attributes (each with its type, which JSON would lose), and the rights that were approved."""

    principal: str
    roles: tuple[str, ...]
    attributes: dict[str, tuple[str, Any]]
    rights: dict[str, MartRights]


def policy_for(caller: Caller, rights: Mapping[str, MartRights]) -> Policy:
    """Return what a caller may see; a token's scope leaves out all other marts."""
    return policy_of(_in_scope(caller, rights), _asker(caller))


def kept_policy(caller: Caller, rights: Mapping[str, MartRights]) -> str:
    """Return the text by which the policy of a caller can be made again."""
    attributes = {name: (type(value).__name__, str(value)) for name, value in caller.attributes.items()}
    kept = KeptPolicy(
        principal=caller.principal,
        roles=caller.roles,
        attributes=attributes,
        rights={mart: its for mart, its in _in_scope(caller, rights).items() if _has_a_role(caller, mart)},
    )
    return kept.model_dump_json()


def policy_from(text: str) -> Policy:
    """Return the policy that was kept as ``text``."""
    kept = KeptPolicy.model_validate_json(text)
    attributes = {name: _READ[kind](value) for name, (kind, value) in kept.attributes.items()}
    return policy_of(kept.rights, Asker(kept.principal, kept.roles, attributes))


_READ: Mapping[str, Any] = {
    "bool": lambda text: text == "True",
    "int": int,
    "float": float,
    "date": date.fromisoformat,
    "str": str,
}


def _asker(caller: Caller) -> Asker:
    attributes: dict[str, Attribute] = dict(caller.attributes)
    return Asker(caller.principal, caller.roles, attributes)


def _in_scope(caller: Caller, rights: Mapping[str, MartRights]) -> dict[str, MartRights]:
    return {mart: its for mart, its in rights.items() if not caller.scope or mart in caller.scope}


def _has_a_role(caller: Caller, mart: str) -> bool:
    return any(mart_of(role) == mart for role in caller.roles)
