import pytest

from esgml.regulatory.actors import is_actor
from esgml.regulatory.document import read
from esgml.regulatory.obligations import obligations


def duties(text):
    """Return kind and addressee of what binds."""
    return [
        (one["what"], one["who"]["text"] if one["who"] else None)
        for one in obligations(read(text))
        if one["bindingness"] == "binding"
    ]


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("Operators of ships which call at ports shall monitor fuel.",
         ["Operators of ships which call at ports"]),
        ("Member States shall comply. They shall inform the Commission.", ["Member States"] * 2),
        ("If the Commission considers it necessary, it shall adopt measures.", ["the Commission"]),
        ("When Member States adopt those measures, they shall contain a reference.", [None]),
        ("The form shall be laid down by Member States.", ["Member States"]),
        ("The power shall be determined under rules developed by the Agency.", [None]),
        ("The report shall contain a summary.", [None]),
        ("The use of mercury shall be prohibited.", [None]),
        ("Operators shall keep records, and shall show them.", ["Operators"] * 2),
        ("The inspector: (a) shall check the certificate; (b) shall look at the vehicle.",
         ["The inspector"] * 2),
        ("Training of staff Providers of port services shall train employees.",
         ["Providers of port services"]),
        ("Exchanges between Member States and the Commission shall take place yearly.", [None]),
        ("The competent authorities in each Member State shall cooperate.",
         ["The competent authorities in each Member State"]),
        ("The Member State keeping the register shall open it.",
         ["The Member State keeping the register"]),
        ("The test rests on these criteria: (a) the operator must be accountable for the filter.",
         ["the operator"]),
        ("Funds are shared as indicated in Annex I. Member States shall allocate them.",
         ["Member States"]),
        ("Savings through new techniques shall be considered.", [None]),
        ("Every accident shall be the subject of an investigation.", [None]),
        ("Commission implementing acts shall set out the format.", [None]),
    ],
)  # fmt: skip
def test_who_is_bound(text, who):
    assert [one for _, one in duties(text)] == who


@pytest.mark.parametrize(
    "text",
    [
        "This Regulation shall apply from 1 January 2027.",
        "The following definitions shall apply.",
        "The financial envelope shall be EUR 305 000 000.",
        "Costs shall be eligible for reimbursement.",
        "The amounts shall be as follows.",
        "The rate shall initially be 70 %.",
        "Groups of undertakings shall not be considered third parties.",
        "The entity shall consist of a general assembly.",
        "It shall mean the place of central administration.",
        "They rest on provisions which cannot be derogated from.",
    ],
)
def test_what_binds_nobody_is_no_duty(text):
    assert duties(text) == []


def test_a_power_is_a_permission():
    (one,) = obligations(read("The Commission shall be empowered to adopt delegated acts."))
    assert one["what"] == "permission"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The plant shall under no circumstances continue to burn waste.", "prohibition"),
        ("The Commission shall, not later than 14 February 2014, adopt acts.", "obligation"),
        ("Operators may not sell it.", "prohibition"),
    ],
)
def test_kinds(text, kind):
    assert [one for one, _ in duties(text)] == [kind]


def test_a_requirement_on_a_thing_keeps_the_thing():
    (one,) = obligations(read("The report shall contain a summary."))
    assert one["who"] is None and one["subject"]["text"] == "The report"


@pytest.mark.parametrize("who", ["ESMA", "external experts", "a group of operators", "each Member"])
def test_actors(who):
    assert is_actor(who)


@pytest.mark.parametrize("what", ["the CEF", "a Commission decision", "", "the report of the Bank"])
def test_things(what):
    assert not is_actor(what)


def test_a_duty_that_is_a_list_has_the_list_as_its_action():
    (found,) = obligations(read("This report shall: - consider progress, - take stock of costs."))
    assert found["action"]["text"].startswith(": - consider progress, - take stock")
