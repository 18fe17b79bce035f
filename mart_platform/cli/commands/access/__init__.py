"""``mart access``: who may ask, with what they prove it, and what they may see."""

from mart_platform.cli.commands.access.approving import approve
from mart_platform.cli.commands.access.credentials import revoke_token, secret, token, tokens
from mart_platform.cli.commands.access.granting import grant, revoke
from mart_platform.cli.commands.access.principals import add, disable, enable
from mart_platform.cli.commands.access.proving import prove
from mart_platform.cli.commands.access.reviewing import review, what_can, who_can
from mart_platform.cli.options import Group, shared_options

access = Group(
    "access",
    commands={
        "add": add,
        "disable": disable,
        "enable": enable,
        "secret": secret,
        "token": token,
        "tokens": tokens,
        "revoke-token": revoke_token,
        "grant": grant,
        "revoke": revoke,
        "approve": approve,
        "review": review,
        "who-can": who_can,
        "what-can": what_can,
        "prove": prove,
    },
    params=shared_options(),
    help="Say who may ask, prove it by secrets and tokens, and review who may see what.",
)
