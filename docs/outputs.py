"""Run the code blocks of Markdown pages and hold what they print against the page.

``python docs/outputs.py [--write] PAGE ...``

Executed are ``console`` blocks (lines that start with ``$ `` are commands, the rest is what
they print on standard output) and ``python`` blocks (a ``text`` block right after one is what
it prints). All blocks of a page share one empty folder and one Python namespace. A command that
ends with ``&`` runs until the page ends; port 8080 stands for a free one. A block after
``<!-- not run: why -->`` is left out.

In an expected output, ``...`` alone on a line stands for any lines and inside a line for any
text; decimals may differ by 5 %, so that another processor or a better calibration does not
make a page wrong. ``--write`` puts what was printed into the page wherever it differs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

PORT = "8080"
NOT_RUN = "<!-- not run:"
_WAIT_SECONDS = 120.0
CLOSE = 0.05
_DECIMAL = re.compile(r"-?\d[\d,]*\.\d+")


@dataclass
class Step:
    """A command or a piece of Python, and what it is to print.

    Attributes
    ----------
    kind : str
        ``console`` or ``python``.
    code : str
    line : int
        Line of the page it starts at, from 1.
    start, end : int
        Lines of the expected output, as indices with the end left out.
    """

    kind: str
    code: str
    line: int
    start: int
    end: int


@dataclass
class Page:
    """A page, its steps, and how many blocks it leaves out."""

    path: Path
    lines: list[str]
    steps: list[Step] = field(default_factory=list)
    left_out: int = 0


def fences(lines: list[str]) -> list[tuple[str, int, int]]:
    """Return language, first and last line (the fences themselves) of every block."""
    found, open_at, language = [], -1, ""
    for i, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if open_at < 0:
            open_at, language = i, line[3:].strip()
        else:
            found.append((language, open_at, i))
            open_at = -1
    if open_at >= 0:
        raise ValueError(f"the block that starts in line {open_at + 1} does not end")
    return found


def parse(path: Path) -> Page:
    """Return the steps of a page in order."""
    page = Page(path, path.read_text(encoding="utf-8").split("\n"))
    blocks = fences(page.lines)
    for at, (language, first, last) in enumerate(blocks):
        if language not in ("console", "python"):
            continue
        before = next((text for text in reversed(page.lines[:first]) if text.strip()), "")
        if before.startswith(NOT_RUN):
            page.left_out += 1
            continue
        if language == "python":
            start = end = last + 1
            if at + 1 < len(blocks) and blocks[at + 1][0] == "text":
                between = page.lines[last + 1 : blocks[at + 1][1]]
                if not any(text.strip() for text in between):
                    start, end = blocks[at + 1][1] + 1, blocks[at + 1][2]
            code = "\n".join(page.lines[first + 1 : last])
            page.steps.append(Step("python", code, first + 2, start, end))
        else:
            page.steps += _commands(page.lines, first, last)
    return page


def _commands(lines: list[str], first: int, last: int) -> list[Step]:
    found: list[Step] = []
    i = first + 1
    while i < last:
        begin = i
        if not lines[i].startswith("$ "):
            raise ValueError(f"line {i + 1}: a console block starts with '$ '")
        while lines[i].endswith("\\"):
            i += 1
        code = "\n".join([lines[begin][2:], *lines[begin + 1 : i + 1]])
        start = i + 1
        i = start
        while i < last and not lines[i].startswith("$ "):
            i += 1
        found.append(Step("console", code, begin + 1, start, i))
    return found


def matches(expected: list[str], printed: list[str]) -> bool:
    """Tell whether printed lines are what is expected; see the top of this file."""
    if not expected:
        return not printed
    if expected[0].strip() == "...":
        rest = expected[1:]
        return any(matches(rest, printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and _same(expected[0], printed[0]) and matches(expected[1:], printed[1:])


def _same(expected: str, printed: str) -> bool:
    expected, printed = expected.rstrip(), printed.rstrip()
    if expected == printed:
        return True
    numbers = _numbers(expected, printed)
    wanted = _DECIMAL.findall(expected)
    return numbers is not None and all(map(_close, wanted, numbers))


def _close(wanted: str, got: str) -> bool:
    digits = len(wanted.rpartition(".")[2])
    if len(got.rpartition(".")[2]) != digits:
        return False
    a, b = (float(text.replace(",", "")) for text in (wanted, got))
    return abs(a - b) <= max(CLOSE * abs(a), 2.01 * 10.0**-digits)


def merge(expected: list[str], printed: list[str]) -> list[str]:
    """Return what was printed, left open where the expected output is left open."""
    open_at = [i for i, line in enumerate(expected) if line.strip() == "..."]
    if not open_at and len(expected) != len(printed):
        return printed
    head = open_at[0] if open_at else len(expected)
    tail = len(expected) - open_at[-1] - 1 if open_at else 0
    if head + tail > len(printed):
        return printed
    first = map(_mend, expected[:head], printed[:head])
    last = map(_mend, expected[len(expected) - tail :], printed[len(printed) - tail :])
    return [*first, *expected[head : len(expected) - tail], *last]


def _mend(expected: str, printed: str) -> str:
    """Return the printed line, with the open parts of the expected one where they still fit."""
    numbers = _numbers(expected, printed)
    if "..." not in expected or numbers is None:
        return printed
    found = iter(numbers)
    return _DECIMAL.sub(lambda _: next(found), expected)


def _numbers(expected: str, printed: str) -> list[str] | None:
    """Return the decimals of a printed line that stand where the expected one has some.

    None where the lines differ in more than these and what is left open.
    """
    parts = [
        r"(-?\d[\d,]*\.\d+)".join(map(re.escape, _DECIMAL.split(part)))
        for part in expected.split("...")
    ]
    found = re.fullmatch(".*?".join(parts), printed)
    return None if found is None else list(found.groups())


class Runner:
    """Runs the steps of one page in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespace: dict[str, object] = {"__name__": "page"}
        self.background: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        bin_folder = str(Path(sys.executable).parent)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ESGML_")}
        path = os.pathsep.join([bin_folder, kept.get("PATH", "")])
        self.environment = {**kept, "PATH": path, "NO_COLOR": "1"}

    def run(self, step: Step) -> list[str]:
        """Run a step and return the lines it printed."""
        code = step.code.replace(PORT, self.port)
        text = self._python(code, step.line) if step.kind == "python" else self._console(code)
        lines = [line.rstrip() for line in text.replace(self.port, PORT).split("\n")]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _python(self, code: str, line: int) -> str:
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(compile("\n" * (line - 1) + code, "page", "exec"), self.namespace)
        except BaseException:
            out.write(traceback.format_exc())
        return out.getvalue()

    def _console(self, code: str) -> str:
        if code.endswith("&"):
            process = subprocess.Popen(
                ["sh", "-c", f"exec {code.removesuffix('&')}"],
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.background.append(process)
            return self._wait(process)
        done = subprocess.run(
            ["sh", "-c", code], env=self.environment, capture_output=True, check=False
        )
        text = done.stdout.decode()
        # what a command says on standard error is left out, unless it failed
        return text if done.returncode == 0 else text + done.stderr.decode()

    def _wait(self, process: subprocess.Popen[bytes]) -> str:
        """Wait until the background command answers on its port."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", int(self.port)), 1).close()
                return ""
            except OSError:
                time.sleep(0.1)
        return "the command in the background does not answer\n"

    def close(self) -> None:
        """End what runs in the background."""
        for process in self.background:
            process.send_signal(signal.SIGTERM)
        for process in self.background:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def check(path: Path, *, write: bool = False) -> list[str]:
    """Run a page and return what differs; with `write`, mend the page."""
    page = parse(path)
    faults: list[str] = []
    printed: list[tuple[Step, list[str]]] = []
    came_from = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        runner = Runner(Path(name))
        os.chdir(name)
        try:
            for step in page.steps:
                clock = time.perf_counter()
                lines = runner.run(step)
                seconds = time.perf_counter() - clock
                print(f"{path.name}:{step.line}: {seconds:.1f} s", file=sys.stderr)
                if not matches(page.lines[step.start : step.end], lines):
                    printed.append((step, lines))
                    faults.append(_difference(page, step, lines))
        finally:
            os.chdir(came_from)
            runner.close()
    if write:
        for step, lines in reversed(printed):
            if step.kind == "python" and step.start == step.end and lines:
                lines = ["", "```text", *lines, "```"]
            page.lines[step.start : step.end] = merge(page.lines[step.start : step.end], lines)
        path.write_text("\n".join(page.lines), encoding="utf-8")
    return faults


def _difference(page: Page, step: Step, lines: list[str]) -> str:
    wanted = "\n".join(f"  - {line}" for line in page.lines[step.start : step.end])
    got = "\n".join(f"  + {line}" for line in lines)
    return f"{page.path}:{step.line}: {step.code.splitlines()[0]}\n{wanted}\n{got}"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put what was printed into the page")
    chosen = parser.parse_args()
    faults = [fault for page in chosen.pages for fault in check(page.resolve(), write=chosen.write)]
    print("\n".join(faults))
    return 1 if faults and not chosen.write else 0


if __name__ == "__main__":
    raise SystemExit(main())
