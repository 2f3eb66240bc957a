import re
from html.parser import HTMLParser

import pytest

from esgml.registry.bundle import Bundle
from esgml.registry.card import markdown, page
from esgml.registry.fingerprint import Fingerprint

EVIL = "<script>alert(1)</script> [x](javascript:y) ![i](http://z) | `"


@pytest.fixture
def full():
    return Bundle(
        "emissions",
        "lstm",
        {"model.json": b"{}"},
        {
            "wape": 0.0812,
            "mase": 0.7,
            "naive": {"wape": 0.12, "mase": 1.0},
            "coverage": {"80": 0.803, "90": None},
            "width": {"80": 12.5},
            "errors": {"s": [1.0, 2.0]},
        },
        {"units": 128, "layers": [128, 64]},
        card={
            "description": "Daily emissions.",
            "limits": ["Not for hourly data.", "No holidays outside the EU."],
            "layers": "lstm(128)\n  dense(3)",
        },
        data_fingerprint=Fingerprint(
            "ab" * 32, 1234, "2020-01-01", "2024-12-31", {"x": ["f", "0"]}
        ),
        code_version="0.1.0+abc",
    ).registered("emissions", "3", "2026-01-01T00:00:00+00:00")


def test_markdown_says_what_how_good_on_what_and_where_it_ends(full):
    text = markdown(full)
    for part in (
        "# emissions 3 (lstm)",
        "Daily emissions.",
        "| wape | 0.0812 | 0.12 |",
        "beats the naive baseline",
        "| 80 % | 80.3% | 12.5 |",
        "| 90 % | not known | - |",
        "## Limits",
        "Not for hourly data.",
        "2020-01-01 to 2024-12-31",
        "ab" * 32,
        full.digest,
        "lstm(128)\n  dense(3)",
    ):
        assert part in text
    assert "[1, 2]" not in text


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_whole_and_needs_nothing_else(full):
    text = page(full)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "link", "img", "iframe", "a", "object"}
    assert not any({"src", "href", "onload"} & attrs.keys() for _, attrs in tags.seen)
    assert "<pre>lstm(128)\n  dense(3)</pre>" in text
    assert "default-src 'none'" in text


def test_hostile_text_shows_as_text():
    evil = Bundle(
        EVIL,
        EVIL,
        {},
        {"wape": 1.0, EVIL: 2.0, "naive": {"wape": EVIL}, "coverage": {EVIL: EVIL}},
        {EVIL: EVIL},
        card={"description": EVIL, EVIL: EVIL, "layers": "```\n" + EVIL},
        data_fingerprint=Fingerprint(EVIL, 1, EVIL, EVIL, {EVIL: ["x", "y"]}),
    )
    text = page(evil)
    assert "<script" not in text
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not {tag for tag, _ in tags.seen} & {"script", "img", "a"}
    outside = re.sub(r"```.*?```", "", markdown(evil), flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<script", outside)
    assert not re.search(r"(?<!\\)\]\(", outside)
    for line in outside.splitlines():
        if line.startswith("| wape"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 4


def test_a_bare_bundle_has_a_card_too():
    text = markdown(Bundle("t", "m", {}))
    assert "No scores were recorded." in text
    assert "No fingerprint" in text
