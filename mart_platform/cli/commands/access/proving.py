"""``mart access prove``: queries on two lakes that must look alike to a role."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.endings import FAILED
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.versions import known_mart

if TYPE_CHECKING:  # the engines behind them are heavy, and `--help` needs none
    from mart_platform.ports import Platform
    from mart_platform.runs.proving.proving import Leak, Proof


@command(json=True)
@click.option(
    "--mart", "marts", multiple=True, help="Probe this mart; else all that have roles. May be repeated."
)
@click.option("--role", "roles", multiple=True, metavar="MART.ROLE", help="Probe this role. May be repeated.")
@click.option(
    "--probes", type=click.IntRange(min=1), default=400, show_default=True, help="Queries for each role."
)
@click.option("--seed", help="The same seed asks the same queries; else one is chosen, and told.")
def prove(
    session: Session,
    marts: tuple[str, ...],
    roles: tuple[str, ...],
    probes: int,
    seed: str | None,
) -> int:
    """Prove that no role can learn what it may not see.

    For each role two small lakes are made of what is live, which differ only in rows and values that the role
    may not see by the declarations. Generated queries must give the same rows and the same errors on both,
    through the same gate as the door. Somebody with all roles asks too, and somebody with none. A leak is
    told with the smallest query that shows it; the exit code is 1 then.
    """
    seed = seed or token_hex(4)
    found: list[tuple[str, Proof]] = []
    with _scratch(session) as scratch:
        for mart, named in _chosen(session, marts, roles).items():
            for proof in _proofs(session, scratch, mart, named, probes, seed):
                found.append((mart, proof))
                if not session.as_json and not session.quiet:
                    _tell(mart, proof)
    leaks = [(mart, leak) for mart, proof in found for leak in proof.leaks]
    if session.as_json:
        terminal.print_json(
            {"seed": seed, "proofs": [{"mart": mart, "proof": proof} for mart, proof in found]}
        )
    else:
        _tell_end(found, leaks, seed)
    return FAILED if leaks else 0


def _proofs(
    session: Session, scratch: "Platform", mart: str, roles: Sequence[str], probes: int, seed: str
) -> "Iterator[Proof]":
    from mart_platform.runs.proving.proving import prove as run

    return run(session.platform(), scratch, session.plan, mart, roles, probes, seed)


@contextmanager
def _scratch(session: Session) -> "Iterator[Platform]":
    """Give a platform below a folder of its own: the sample is as sensitive as the data it is of."""
    from mart_platform.assembly import Assembled

    temporary = session.platform().data.temporary
    temporary.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=temporary, prefix="proving-") as folder:
        scratch = Assembled(replace(session.places, data=Path(folder), ledger=None), session.plan.settings)
        try:
            yield scratch
        finally:
            scratch.queries.close()


def _chosen(session: Session, marts: Sequence[str], roles: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the roles to probe by mart; none stands for all roles of it."""
    chosen: dict[str, list[str]] = {}
    for role in roles:
        mart, dot, name = role.partition(".")
        if not dot:
            raise click.UsageError(f"--role: '{role}' is no role; write it as mart.role.")
        chosen.setdefault(mart, []).append(name)
    for mart in marts:
        chosen.setdefault(mart, [])
    if not chosen:
        chosen = {mart: [] for mart, rights in session.plan.rights.items() if rights.roles}
    for mart in chosen:
        known_mart(session.plan, mart)
    return chosen


def _tell(mart: str, proof: "Proof") -> None:
    rate = proof.probes / proof.seconds if proof.seconds else 0
    shares = f"{_share(proof.accepted, proof.probes)} accepted, {_share(proof.raised, proof.probes)} raised"
    unstable = f", {proof.unstable} gave one answer after another" if proof.unstable else ""
    leaks = f"{proof.leaking} LEAKING" if proof.leaking else "no leak"
    line = f"{mart}.{proof.role}: {leaks} in {terminal.counted(proof.probes, 'probe')}"
    style = "red" if proof.leaks else ""
    terminal.messages().print(Text(f"{line} ({rate:.0f} a second; {shares}{unstable})", style=style))
    if proof.alike:
        terminal.messages().print(
            Text(f"  not probed for hidden rows: {', '.join(proof.alike)}", style="dim")
        )


def _tell_end(found: "Sequence[tuple[str, Proof]]", leaks: "Sequence[tuple[str, Leak]]", seed: str) -> None:
    console = terminal.results()
    for mart, leak in leaks:
        console.print(Text(f"LEAK {mart}.{leak.role}: {leak.sentence}.", style="bold red"))
        console.print(terminal.indented(Text(leak.query)), soft_wrap=True)
    probes = terminal.counted(sum(proof.probes for _, proof in found), "probe")
    said = terminal.counted(len(leaks), "leak") if leaks else "No leak"
    console.print(Text(f"{said} in {probes} of {terminal.counted(len(found), 'asker')}; seed {seed}."))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"
