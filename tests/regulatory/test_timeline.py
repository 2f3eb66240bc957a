import datetime as dt

import pytest

from esgml.regulatory.dates import add
from esgml.regulatory.document import read
from esgml.regulatory.timeline import timeline


def values(text):
    return [one["value"] for one in timeline(read(text))[0]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Report by 31 March 2027.", ["2027-03-31"]),
        ("The rule is effective on March 15, 2024.", ["2024-03-15"]),
        ("Submit it no later than 2025-03-31 or 1.4.2025.", ["2025-03-31", "2025-04-01"]),
        ("Report by 31 March each year, starting in 2026.", ["--03-31"]),
        ("By 1 May 2026 and every three years thereafter, it reports.", ["2026-05-01", "R/P3Y"]),
        ("Emissions fall by 55 % by 2030 and to zero by 2050.", ["2030", "2050"]),
        ("From 1 January 2025 until 31 December 2034 it may.", ["2025-01-01/2034-12-31"]),
        ("The budget for the period 2021-2027 is set.", ["2021/2027"]),
        ("In the marketing year 2014/2015 marketing year, it pays.", ["2014/2015"]),
        ("It is closed from 1 to 15 June 2026.", ["2026-06-01/2026-06-15"]),
        ("It applies 24 months after the entry into force.", ["P24M"]),
        ("Power is given for a period of five years from 1 July 2025.", ["2025-07-01/P5Y"]),
        ("It enters into force on the twentieth day following its publication.", ["P20D"]),
        ("It enters into force on the day of its publication.", ["P0D"]),
        ("Inspect at intervals not exceeding five years.", ["R/P5Y"]),
        ("Report annually, and twice a year where asked.", ["R/P1Y", "R/P6M"]),
        ("It ends in the first half of 2027.", ["2027-H1"]),
        ("Keep records for three to five years.", ["P3Y", "P5Y"]),
        ("Notify within 72 hours of becoming aware.", ["PT72H"]),
        ("The 60-hour duration holds, after a delay of 60 minutes or more.", ["PT60H", "PT60M"]),
        ("It runs up to and including 2031, on at least a daily basis.", ["2031", "R/P1D"]),
    ],
)
def test_what_is_found(text, wanted):
    assert values(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Directive 2003/87/EC of the European Parliament and of the Council of 13 October 2003",
        "as laid down in Regulation (EU) 2018/1999 (OJ L 328, 21.12.2018, p. 1)",
        "compared to 1990 levels, in constant 2018 prices, for workers under 18 years of age",
        "the annual report on the average over 100 years of global warming potential",
        "the Agreement, adopted in Paris on 12 December 2015, and EN 590:2009 or 1,520 mm",
        "Airworthiness Directive (AD) 2002-03-01, AD 2018-25-16 and the 2018 Farm Bill",
        "2 % of the average daily income, the daily allowance, 4 hours of work",
        "during a 24-hour mean, without delay, for each financial year",
    ],
)
def test_what_only_looks_like_a_deadline_is_left(text):
    assert values(text) == []


def test_relative_limits_are_resolved_where_the_anchor_is_dated():
    text = (
        "This Regulation shall enter into force on 1 January 2026."
        " Operators shall comply 24 months after the date of entry into force of this Regulation."
    )
    items, warnings = timeline(read(text))
    assert [one["date"] for one in items] == ["2026-01-01", "2028-01-01"] and not warnings
    assert items[1]["resolved_from"] == "2026-01-01"
    (alone,) = timeline(read(text.split(". ", 1)[1]))[0]
    assert alone["date"] is None and alone["value"] == "P24M"
    assert alone["anchor"] == "entry_into_force" and alone["relation"] == "after"


def test_recurring_with_its_start_is_dated():
    (item,) = timeline(read("By 31 March each year, starting in 2026, operators shall report."))[0]
    assert item["date"] == "2026-03-31" and item["starts"] == "2026"
    assert item["what"] == "reporting"


def test_a_recurrence_starts_from_the_date_before_it():
    text = "By 1 May 2026, and every three years thereafter, they shall report."
    _, again = timeline(read(text))[0]
    assert (again["starts"], again["date"], again["value"]) == ("2026-05-01", "2029-05-01", "R/P3Y")


def test_a_limit_that_counts_from_a_date_is_due_at_its_end():
    (item,) = timeline(read("It shall comply within 18 months of 1 January 2026."))[0]
    assert item["date"] == "2027-07-01" and item["starts"] == "2026-01-01"
    (item,) = timeline(read("The power is conferred for five years from 1 July 2025."))[0]
    assert item["date"] == "2025-07-01" and item["until"] == "2030-07-01"


def test_year_only_deadlines_have_their_last_day_where_it_is_named():
    (item,) = timeline(read("Operators shall comply by the end of 2028."))[0]
    assert item["value"] == "2028" and item["date"] == "2028-12-31"


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Member States shall bring into force the laws necessary to comply with this Directive by"
         " 5 July 2026.", "transposition"),
        ("This Regulation shall apply from 1 July 2026.", "application"),
        ("This Regulation shall enter into force on 1 July 2026.", "entry_into_force"),
        ("Directive 2004/8/EC is repealed with effect from 5 June 2014.", "repeal"),
        ("By 1 July 2026, the Commission shall review this Regulation.", "review"),
        ("By 1 July 2026, the Commission shall submit a report.", "reporting"),
        ("It shall apply until 1 July 2026.", "expiry"),
        ("Done at Brussels, 7 October 2020.", "adoption"),
        ("By 1 July 2026, operators shall install a filter.", "deadline"),
        ("The limits shall be applied at the latest from 1 July 2026.", "application"),
        ("Landlocked States shall be obliged to bring into force, by 1 July 2026, those measures"
         " that are needed.", "transposition"),
        ("Within three months of the opinion, it shall adopt and publish its rules of procedure.",
         "reporting"),
        ("It shall carry out an interim evaluation no later than 1 July 2026.", "review"),
        ("The Commission shall assess the draft plan within six months of its receipt.",
         "deadline"),
        ("It shall be allowed for ships built before 1 July 2006.", "period"),
        ("Requests shall be granted before 1 July 2026.", "deadline"),
        ("According to published timetables they are at berth for less than two hours.",
         "period"),
        ("Records shall be kept for not less than 36 months from the date of receipt.", "period"),
        ("The permit procedure shall not exceed 12 months.", "deadline"),
        ("They shall give the parties six months’ notice.", "deadline"),
        ("Equipment shall be checked for leakages annually.", "deadline"),
        ("It takes the average of energy bought in the three years before the audit.", "period"),
        ("Operations signed in the period from 1 July 2026 until the signature.", "period"),
        ("They shall reduce emissions by 30 % in 2030.", "deadline"),
        ("The list shall, for the publication by 1 July 2026, show the targets.", "reporting"),
    ],
)  # fmt: skip
def test_what_a_date_is_for(text, role):
    assert [one["what"] for one in timeline(read(text))[0]] == [role]


def test_contradicting_dates_are_both_reported_with_a_warning():
    text = (
        "This Regulation shall enter into force on 1 January 2026. It shall apply from 1 May 2026."
        " This Regulation shall enter into force on 1 March 2026."
    )
    items, warnings = timeline(read(text))
    assert {"2026-01-01", "2026-03-01", "2026-05-01"} == {one["date"] for one in items}
    (warning,) = warnings
    assert warning["code"] == "contradiction" and "2026-01-01 and 2026-03-01" in warning["message"]
    assert warning["evidence"]["text"] == "on 1 January 2026"
    assert warning["other_evidence"][0]["text"] == "on 1 March 2026"


def test_parts_of_an_act_may_apply_later_than_the_act():
    text = "This Regulation shall apply from 1 May 2026. Article 5 shall apply from 1 May 2027."
    assert timeline(read(text))[1] == []


def test_impossible_dates_and_backward_periods_are_warned_of():
    items, warnings = timeline(read("Report by 31 February 2026."))
    assert items == [] and warnings[0]["code"] == "impossible_date"
    _, warnings = timeline(read("It holds from 1 May 2026 to 1 April 2026."))
    assert [one["code"] for one in warnings] == ["contradiction"]


@pytest.mark.parametrize(
    ("day", "span", "wanted"),
    [
        ("2024-02-29", "P1Y", "2025-02-28"),
        ("2026-01-31", "P1M", "2026-02-28"),
        ("2026-11-30", "P3M", "2027-02-28"),
        ("2026-01-01", "P2W", "2026-01-15"),
        ("2026-01-01", "P24M", "2028-01-01"),
        ("9999-01-01", "P5Y", None),
        ("2026-12-31", "P12M", "2027-12-31"),
    ],
)
def test_adding_to_a_day(day, span, wanted):
    found = add(dt.date.fromisoformat(day), span)
    assert (found and found.isoformat()) == wanted


def test_the_nearest_verb_says_whether_an_act_enters_into_force_or_applies():
    text = (
        "This Regulation shall enter into force on 5 March 2026 and shall apply"
        " from 1 January 2027."
    )
    found = {item["date"]: item["what"] for item in timeline(read(text))[0]}
    assert found == {"2026-03-05": "entry_into_force", "2027-01-01": "application"}
