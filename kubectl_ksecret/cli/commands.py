"""All commands, each imported when it is called."""

import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import click
from click.exceptions import Exit

from ..errors import InputError, Mistake

# The module of each command; one called list would hide the builtin from this package.
COMMANDS = {
    "certificate": "certificate",
    "check": "check",
    "cluster": "cluster",
    "diff": "diff",
    "doctor": "doctor",
    "import": "importing",
    "init": "init",
    "list": "inventory",
    "migrate": "migrate",
    "pin-versions": "versions",
    "render": "render",
    "rotate": "rotate",
    "seal": "seal",
    "status": "status",
    "sync": "sync",
    "unseal": "unseal",
}


class Commands(click.Group):
    """Imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which they are met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"{__package__}.{COMMANDS[cmd_name]}").command
        assert isinstance(command, click.Command)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The same; click itself would end with 1 when nobody reads the help any more."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError:
            _forget_standard_output()
            raise Exit(0) from None
        except KeyboardInterrupt:
            raise Exit(130) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click itself would end with 1 when interrupted, or when nobody reads any more."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _forget_standard_output()
            ctx.exit(0)
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(130)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; an unknown one is reported with the nearest name."""
        from ..errors import nearest

        if args and args[0] not in COMMANDS:
            ctx.fail(" ".join(filter(None, (f'no command is named "{args[0]}".', nearest(args[0], COMMANDS)))))
        return super().resolve_command(ctx, args)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="kubectl-ksecret", prog_name="kubectl ksecret")
def group() -> None:
    """Declare each Kubernetes Secret once, render it for every environment.

    OVERLAY is an overlay's name, a ksecret.yaml, or a folder (every ksecret.yaml beneath it); left out, it means
    all overlays of the project.

    Exit codes: 0 done; 1 findings or differences; 2 wrong usage or input; 3 a source or tool failed or refused;
    130 interrupted.

    \b
    Examples:
      kubectl ksecret init overlays/test --backend externalSecret --namespace shop-test \\
        --vault-url https://shop-test.vault.azure.net
      kubectl ksecret render --write
      kubectl ksecret seal prod
      kubectl ksecret list
    """


def _forget_standard_output() -> None:
    """The reader has seen enough; Python would complain when it flushes on the way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> int:
    """Run a command; mistakes become messages and exit codes here alone."""
    try:
        group(prog_name="kubectl ksecret")
    except SystemExit as done:  # as click ends each command
        return done.code if isinstance(done.code, int) else 0
    except InputError as error:
        return _fail(error, error.exit_code)
    except (
        OSError
    ) as error:  # files are reported by whoever opens them; what is left is a full disk or a folder that is gone
        return _fail(Mistake(": ".join(filter(None, (error.filename, error.strerror)))), 3)
    return 0


def _fail(said: object, code: int) -> int:
    with suppress(OSError):  # there is nowhere to print it; the exit code says it
        click.echo(said, err=True)
    return code
