"""The package as its users meet it: runnable examples, light imports."""

import doctest
import subprocess
import sys

import pytest

from esgml.features.store import store, views


@pytest.mark.parametrize("module", [store, views])
def test_the_examples_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_optional_libraries_are_not_imported():
    code = (
        "import sys, esgml.features.store; "
        "print([m for m in ('redis', 'torch', 'pandas', 'pint', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
