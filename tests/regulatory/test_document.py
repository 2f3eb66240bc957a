import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, UsageError
from esgml.regulatory.document import MOST_BYTES, read
from esgml.regulatory.language import detect
from esgml.regulatory.offsets import Mapped


def places(text, words):
    """Return the evidence of words of the text as read."""
    document = read(text)
    at = document.text.index(words)
    return document.evidence(at, at + len(words))


def test_markup_goes_and_offsets_stay():
    text = (
        "<html><body><h1>Article&nbsp;5</h1><!-- by 1 May 2020 --><script>if (a < b) {}</script>"
        "<p>By 12&nbsp;February <b>2027</b>, Member States shall noti&shy;fy.</p></body></html>"
    )
    document = read(text)
    assert "By 12 February 2027, Member States shall notify." in document.text
    assert "2020" not in document.text and "if (a" not in document.text
    assert places(text, "12 February 2027")["text"] == "12&nbsp;February <b>2027"
    assert places(text, "notify")["text"] == "noti&shy;fy"


def test_broken_lines_are_joined_and_page_heads_dropped():
    text = (
        "Member States shall bring into\nforce the provi-\nsions by 12\nEN\n5.6.2024\n"
        "Official Journal of the European Union\nL 123/5\nFebruary 2027. They shall\nreport.\n"
        "1. Non-\nfinancial undertakings shall:\n(a) report;\n"
    )
    document = read(text)
    assert "bring into force the provisions by 12 February 2027. They shall report." in (
        document.text
    )
    assert "Non-financial" in document.text
    assert places(text, "provisions")["text"] == "provi-\nsions"
    assert places(text, "February 2027")["text"] == "February 2027"


def test_rows_of_a_table_and_lone_numbers_stay():
    text = "Limits\n\nNOx | 200 | mg/Nm3\nSO2 | 400 | mg/Nm3\n\n500\nMW"
    assert "200 | mg/Nm3\nSO2" in read(text).text and "500 MW" in read(text).text


def test_comparison_signs_are_no_markup():
    text = "Where a < b and c > d, operators shall report."
    assert read(text).text == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("See Article 5. Then report.", ["See Article 5.", "Then report."]),
        ("Penalties 1. Fines apply. 2. No fine, e.g. a fee, is due to Mr. Smith.",
         ["Penalties", "1. Fines apply.", "2. No fine, e.g. a fee, is due to Mr. Smith."]),
        ("Under 42 U.S.C. 7401 the rule holds. It ends.", ["Under 42 U.S.C. 7401 the rule holds.",
                                                           "It ends."]),
    ],
)  # fmt: skip
def test_sentences(text, wanted):
    document = read(text)
    assert [document.text[a:b] for a, b in document.sentences] == wanted


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_and_its_spans_are_its_own(text):
    try:
        document = read(text)
    except DataError as error:
        assert error.code == "empty" and not any(map(str.isalnum, text))
        return
    end = 0
    for first, last in document.sentences:
        assert end <= first < last <= len(document.text)
        end = last
        evidence = document.evidence(first, last)
        assert text[evidence["start"] : evidence["end"]] == evidence["text"] != ""


@given(st.text("ab<>&;\n -", max_size=60), st.data())
@settings(max_examples=150, deadline=None)
def test_edits_keep_every_place(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    edits = [(a, b, data.draw(st.sampled_from(["", "x", "yz"]))) for a, b in
             zip(cuts[::2], cuts[1::2], strict=False)]  # fmt: skip
    mapped = Mapped(text).edited(edits)
    slow, origin, at = [], [], 0
    for start, end, new in [*edits, (len(text), len(text), "")]:
        slow += text[at:start]
        origin += [(i, i + 1) for i in range(at, start)]
        slow += new
        origin += [(start, end)] * len(new)
        at = end
    assert mapped.text == "".join(slow)
    for i, place in enumerate(origin):
        assert mapped.source(i, i + 1) == place


@pytest.mark.parametrize("text", ["", "  \n", "<p></p><p></p>", "...", "\x00"])
def test_empty_is_refused(text):
    with pytest.raises(DataError) as caught:
        read(text)
    assert caught.value.code == "empty" and caught.value.remedy


@pytest.mark.parametrize("text", ["a" * (MOST_BYTES + 1), "€" * (MOST_BYTES // 3 + 1)])
def test_beyond_5_mb_is_refused(text):
    with pytest.raises(DataError) as caught:
        read(text)
    assert caught.value.code == "too_large" and caught.value.where == "text"


def test_what_is_no_text_is_refused():
    with pytest.raises(UsageError):
        read(b"bytes")


HOSTILE = {
    "comments": "<!--" * 100_000 + "a",
    "scripts": "<p><p><script>" * 30_000 + "a",
    "newlines": "\n" * 400_000 + "a",
    "spaces": " " * 400_000 + "a",
    "stops": "1. A " * 20_000,
    "heads": "EN\n" * 100_000 + "a",
    "one word": "a" * 400_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_layout_is_read_in_one_pass(name):
    document = read(HOSTILE[name])
    assert document.sentences[-1][1] <= len(document.text)


SAMPLES = {
    "en": "The operator shall submit a report to the competent authority by the end of the year.",
    "de": "Die Mitgliedstaaten stellen sicher, dass die Unternehmen der Behörde bis zum Ende des"
    " Jahres einen Bericht über die Emissionen vorlegen.",
    "fr": "Les États membres veillent à ce que les entreprises présentent un rapport sur les"
    " émissions à la fin de chaque année.",
    "es": "Los Estados miembros velarán por que las empresas presenten un informe sobre las"
    " emisiones al final de cada año.",
    "it": "Gli Stati membri provvedono affinché le imprese presentino una relazione sulle"
    " emissioni alla fine di ogni anno.",
    "nl": "De lidstaten zorgen ervoor dat de ondernemingen aan het einde van het jaar een verslag"
    " over de emissies indienen bij de bevoegde autoriteit.",
    "pl": "Państwa członkowskie zapewniają, aby przedsiębiorstwa przedstawiły sprawozdanie w"
    " sprawie emisji do końca roku oraz się do niego stosowały.",
    "el": "Τα κράτη μέλη διασφαλίζουν ότι οι επιχειρήσεις υποβάλλουν έκθεση.",
    "zh": "成员国应当确保企业在年底之前提交排放报告。",
    "ja": "加盟国は、企業が年末までに排出量報告書を提出することを確保しなければならない。",
    "cyrillic": "Държавите членки гарантират, че предприятията представят доклад за емисиите.",
}


@pytest.mark.parametrize("code", SAMPLES)
def test_language_is_told(code):
    assert detect(SAMPLES[code]).code == code
    assert detect(SAMPLES[code]).supported == (code == "en")


def test_too_little_text_has_no_language():
    assert detect("NOx 200 mg/Nm3").code == "und"
