"""The stages of a delivery and their commands: the same for the pipeline and for GitHub's workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from infra.environments import ENVIRONMENTS, Deployment

PREPARE: Final = ("make .venv/demo.stamp",)
"""Fill the virtual environment from the lock."""

CHANGES: Final = (
    "feature_defs/**",
    "asof/**",
    "infra/**",
    "lambdas/**",
    "app.py",
    "cdk.json",
    "package-lock.json",
    "requirements.lock",
)
"""What a commit must touch to be delivered."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a delivery: its name and commands, whether it reads an environment, and which one it deploys."""

    name: str
    commands: tuple[str, ...]
    reads: bool = False
    deploys: Deployment | None = None


def plan_commands() -> tuple[str, ...]:
    """What would change where; a refused change of meaning ends the delivery here."""
    return (*PREPARE, *(f".venv/bin/asof plan --env {each.name}" for each in ENVIRONMENTS))


def deploy_commands(name: str) -> tuple[str, ...]:
    """Deploy the two stacks of an environment."""
    stacks = f"asof-{name}-storage asof-{name}-service"
    return (
        *PREPARE,
        "npm ci",
        f'PATH="$PWD/.venv/bin:$PATH" npx cdk deploy {stacks} -c env={name} --require-approval never',
    )


STEPS: Final = (
    Step("validate", (*PREPARE, ".venv/bin/asof validate")),
    Step("test", ("make test",)),
    Step("plan", plan_commands(), reads=True),
    *(Step(f"deploy-{each.name}", deploy_commands(each.name), deploys=each) for each in ENVIRONMENTS),
)
"""In order. Before a protected environment somebody approves."""
