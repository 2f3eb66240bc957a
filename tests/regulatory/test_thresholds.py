import pytest

from esgml.regulatory.document import read
from esgml.regulatory.measures import NORMAL, normal, symbol
from esgml.regulatory.numerals import decimal_comma, value_of, whole
from esgml.regulatory.thresholds import thresholds


def found(text):
    return [(one["comparator"], one["value"], one["unit"]) for one in thresholds(read(text))[0]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("more than 1 000 employees", [(">", 1000, "employees")]),
        ("at least 250 employees or EUR 50 million turnover", [(">=", 250, "employees"),
                                                               (">=", 50_000_000, "EUR")]),
        ("shall not exceed 5 % of turnover", [("<=", 5, "%")]),
        ("no fewer than three Member States", [(">=", 3, "Member States")]),
        ("a net power of 19 kW or more but not more than 560 kW", [(">=", 19, "kW"),
                                                                   ("<=", 560, "kW")]),
        ("between 6 and 40 km/h", [(">=", 6, "km/h"), ("<=", 40, "km/h")]),
        ("revenues in excess of $1,000,000,000", [(">", 1e9, "USD")]),
        ("facilities emitting 25,000 metric tons of CO2e or more", [(">=", 25000, "tCO2e")]),
        ("a value of at least: (a) EUR 5 186 000 for works; (b) EUR 134 000 for services",
         [(">=", 5186000, "EUR"), (">=", 134000, "EUR")]),
        ("levels shall not exceed the following levels: (a) 89 dB(A) for cars; (b) 85 dB(A)",
         [("<=", 89, "dB"), ("<=", 85, "dB")]),
        ("EUR 7,125 million for the only Union programme", [("=", 7125000, "EUR")]),
        ("a global warming potential of 150 or more", [(">=", 150, "GWP")]),
        ("emissions below 95 g CO2/km", [("<", 95, "gCO2e/km")]),
        ("a limit of 200 mg/Nm3", [("<=", 200, "mg/Nm3")]),
        ("two thirds of the votes", [("=", 0.666667, "share")]),
        ("twenty-five per cent of members", [("=", 25, "%")]),
        ("persons under the age of 25 or aged 15 to 24", [("<", 25, "years of age"),
                                                          (">=", 15, "years of age"),
                                                          ("<=", 24, "years of age")]),
        ("Two or more Member States", [(">=", 2, "Member States")]),
        ("more than three times the average price", [(">", 3, "times")]),
        ("at least 10 % by 2020 and 15 % by 2030", [(">=", 10, "%"), (">=", 15, "%")]),
        ("a share of 20% by 2020 and 30% by 2030", [("=", 20, "%"), ("=", 30, "%")]),
        ("use exceeds or is equal to 2,000 tonnes of oil equivalent", [(">=", 2000, "toe")]),
        ("a minimum of EUR 10 000 000 or 20 % of it", [(">=", 10_000_000, "EUR"), (">=", 20, "%")]),
        ("a gross tonnage of less than 500", [("<", 500, "GT")]),
        ("shall not be below 25 or above 90. It", [(">=", 25, ""), ("<=", 90, "")]),
        ("entities with 50 to 249 workers", [(">=", 50, "workers"), ("<=", 249, "workers")]),
        ("exceeding the average number of 500 employees", [(">", 500, "employees")]),
        ("fewer than 150 natural or legal persons", [("<", 150, "persons")]),
        ("fines of up to twice the benefit, at least half the size", [("<=", 2, "times"),
                                                                      (">=", 0.5, "share")]),
        ("below –50 °C and 288K (15 °C)", [("<", -50, "°C"), ("<", 288, "K"), ("=", 15, "°C")]),
        ("more than 15 % and less than 65 %", [(">", 15, "%"), ("<", 65, "%")]),
        ("ships of 24 metres in length and above", [(">=", 24, "m")]),
        ("greater than EUR 6 242 000. Advertising", [(">", 6242000, "EUR")]),
        ("reduced by two-thirds in all cells", [("=", 0.666667, "share")]),
        ("up to 100 million EU ETS allowances", [("<=", 100_000_000, "allowances")]),
        ("a pH value above 5,5.", [(">", 5.5, "pH")]),
        ("€1.5 million or £20m", [("=", 1_500_000, "EUR"), ("=", 20_000_000, "GBP")]),
    ],
)  # fmt: skip
def test_what_is_found(text, wanted):
    assert found(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Article 5(2) and paragraph 3 of Regulation (EU) No 525/2013",
        "at least one of the following, within 30 days, for five years",
        "in Annex II, point 3, Table 4",
        "below 2005 levels",
        "Articles 48k and 48l of Directive 2013/36/EU",
        "in the first half of the period, in one third country, aged from 12 months",
        "the Commission shall, by 2030, report twice",
    ],
)
def test_what_is_no_quantity_is_left(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "comma", "wanted"),
    [
        ("1,250", True, 1.25), ("1,250", False, 1250), ("1.250", True, 1250),
        ("1.250", False, 1.25),
        ("0,035", None, 0.035), ("12 500,75", None, 12500.75), ("1,234,567.8", None, 1234567.8),
        ("162 000", None, 162000), ("181,207 million", True, 181207000), ("450", None, 450),
        ("twenty-four", None, 24), ("two million", None, 2e6), ("1.234.567,8", None, 1234567.8),
        ("ten thousand", None, 10000),
    ],
)  # fmt: skip
def test_numbers(text, comma, wanted):
    assert value_of(text, comma)[0] == pytest.approx(wanted)


def test_a_text_shows_which_comma_it_writes():
    assert decimal_comma("under Regulation (EU) 2018/1999") is True
    assert decimal_comma("$5 under 42 U.S.C. 7401") is False
    assert decimal_comma("1,250 pieces") is None
    items, warnings = thresholds(read("more than 1,250 employees"))
    assert items[0]["value"] == 1250 and [w["code"] for w in warnings] == ["ambiguous_number"]


def test_ordinals_and_words_as_whole_numbers():
    assert [whole(x) for x in ("24", "20th", "twentieth", "sixty-five")] == [24, 20, 20, 65]


@pytest.mark.parametrize("unit", NORMAL)
def test_units_are_known_by_their_symbols(unit):
    assert symbol(unit) == unit
    value, base = normal(2.0, unit)
    assert base not in NORMAL and value == pytest.approx(2 * NORMAL[unit][0])


def test_units_agree_with_the_units_of_the_package():
    from esgml.core.units import factor

    for unit in ("t", "g", "mg", "tCO2e", "MWh", "GWh", "TWh", "MW", "GW", "km", "ha", "l", "GJ"):
        scale, base = NORMAL[unit]
        written = {"ha": "hectare", "l": "liter", "t": "metric_ton"}.get(unit, unit)
        assert scale == pytest.approx(factor(written, base), rel=1e-9), unit


def test_subject_rate_and_normalised_unit():
    (item,) = thresholds(read("Operators releasing 2 tonnes per year of waste shall report."))[0]
    assert item["per"] == "year" and item["normalised"] == {"value": 2000.0, "unit": "kg"}
    (item,) = thresholds(read("Fines are up to 4 % of the worldwide turnover."))[0]
    assert item["subject"]["text"] == "the worldwide turnover" and item["what"] == "penalty"
