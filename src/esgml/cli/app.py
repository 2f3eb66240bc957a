"""``esgml``: finds a command by name, runs it, and turns errors into exit codes."""

from __future__ import annotations

import importlib
import json
import os
import sys

from esgml.core.errors import EsgmlError, UsageError

#: Command -> (module that defines the typer application ``app``, help line).
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("esgml.cli.demo", "The whole road on a generated portfolio."),
    "check": ("esgml.cli.check", "Find every fault in a table."),
    "train": ("esgml.cli.train", "Train and register models."),
    "evaluate": ("esgml.cli.evaluate", "Backtest models from rolling origins."),
    "forecast": ("esgml.cli.forecast", "Forecast with intervals."),
    "detect": ("esgml.cli.detect", "Find wrong and wasteful readings, explained."),
    "target": ("esgml.cli.target", "Probability of hitting a reduction target."),
    "optimize": ("esgml.cli.optimize", "Plan for cost and carbon, with the limit shown."),
    "regulation": ("esgml.cli.regulation", "Read regulation; which acts apply, by when."),
    "models": ("esgml.cli.models", "The registry: list, show, compare, promote, roll back."),
    "serve": ("esgml.cli.serve", "Serve models over HTTP."),
    "trace": ("esgml.cli.trace", "Lineage of a prediction, recomputed."),
}


def usage() -> str:
    """Return the help text; imports no command."""
    lines = [
        "Usage: esgml COMMAND [OPTIONS]",
        "",
        "From raw sustainability data to trusted, served predictions.",
        "",
        "Commands:",
        *(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()),
        "",
        "esgml COMMAND --help explains a command; --version shows the version.",
        "Exit codes: 0 ok, 1 failure, 2 usage, 3 data invalid, 4 not found,"
        " 5 not allowed, 6 a gate was not met.",
    ]
    return "\n".join(lines)


def report(error: EsgmlError, as_json: bool) -> None:
    """Tell about an error: what, where, how to fix."""
    if as_json:
        json.dump({"schema": "esgml.error/1", "error": error.as_dict()}, sys.stdout)
        sys.stdout.write("\n")
    where = f"{error.where}: " if error.where else ""
    sys.stderr.write(f"error: {where}{error.message}\n")
    if error.remedy:
        sys.stderr.write(f"  fix: {error.remedy}\n")


def run(name: str, arguments: list[str]) -> None:
    """Run a command and exit with its code.

    Raises
    ------
    UsageError
        If there is no such command; and, where a program reads, if an option is wrong.
    """
    if name not in COMMANDS:
        raise UsageError(f"no command {name!r}.", remedy=f"one of {', '.join(COMMANDS)}.")
    app = importlib.import_module(COMMANDS[name][0]).app
    title = f"esgml {name}"
    if "--json" not in arguments:
        app(args=arguments, prog_name=title)  # tells people by itself what is wrong
    try:
        code = app(args=arguments, prog_name=title, standalone_mode=False)
    except Exception as error:
        # the parser keeps the class of its errors to itself
        words = getattr(error, "format_message", None)
        if words is None:
            raise
        raise UsageError(words(), remedy=f"See {title} --help.") from error
    raise SystemExit(code or 0)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # models run side by side, each on one thread: more threads inside them only get in the way.
    # Matrix products differ in the last bit with their number, and a trace compares bits, so
    # those have no choice
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        try:
            print(usage(), flush=True)
        except BrokenPipeError:  # whoever read this has seen enough (esgml --help | head)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0 if arguments else 2)
    if name == "--version":
        from esgml import __version__

        print(__version__)
        raise SystemExit(0)
    try:
        run(name, arguments[1:])
    except EsgmlError as error:
        report(error, "--json" in arguments)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None
