"""Settings from the environment: what cannot be is said, and never shown."""

import pytest

from esgml.core.errors import UsageError
from esgml.core.settings import Settings


def test_a_bad_value_is_named_and_not_shown(monkeypatch):
    monkeypatch.setenv("ESGML_PORT", "secret")
    with pytest.raises(UsageError) as caught:
        Settings()
    assert caught.value.where == "ESGML_PORT"
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="max_rows"):
        Settings(port=1, max_rows=0)
    with pytest.raises(UsageError, match="'prot'"):
        Settings(port=1, prot=1)


def test_good_values_are_taken(monkeypatch):
    monkeypatch.setenv("ESGML_PORT", "8123")
    assert Settings().port == 8123
    assert Settings(port=1).port == 1
