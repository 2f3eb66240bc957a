"""Who can be bound: persons, bodies and states, told from the things a rule is about.

"The operator shall" binds somebody; "the report shall contain" says what a report is like, and
whoever makes it is named elsewhere. Told by the head of the noun phrase: its last word before
"of", "which", "referred" and the like.

Weakness: the words are a list; an actor that is in none of them binds nobody here.
"""

from __future__ import annotations

import re

from esgml.regulatory.names import COUNTRIES

_NOUNS = r"""
    ENTSO(?:s|-E|G)? accountants? administrators? advis[eo]rs? agenc(?:y|ies) aifms? airlines?
    airports? applicants? assembly assessors? associations? auditors? authorit(?:y|ies) bank
    banks? beneficiar(?:y|ies) bidders? boards? bod(?:y|ies) borrowers? breeders? broadcasters?
    brokers? builders? bureau business(?:es)? buyers? candidates? captains? carriers? ccps?
    centres? certifiers? chair(?:person|man)?s? citizens? commission committees?
    communit(?:y|ies) community compan(?:y|ies) concessionaires? consignees? consignors?
    consortia consortium constructors? consultants? consumers? contractors? controllers?
    cooperatives? coordinators? corporations? council counterpart(?:y|ies) countr(?:y|ies)
    courts? creditors? crews? csds? custodians? customers? dealers? debtors? declarants?
    deployers? depositar(?:y|ies) designers? developers? director-general directors?
    distributors? doctors? drivers? eltifs? employees? employers? enterprises? entit(?:y|ies)
    eurojust europol eurostat evaluators? experts? exporters? farmers? firms? forum forwarders?
    foundations? frontex gatekeepers? government groups? growers? guarantors? holders?
    hospitals? hunters? importers? individuals? inspectors? installers? institutes?
    institutions? insurers? intermediar(?:y|ies) investors? issuers? judges? keepers?
    laborator(?:y|ies) lawyers? lenders? licensees? liquidators? managers? manufacturers?
    marketplaces? masters? members? ministers? ministry municipalit(?:y|ies) ncas?
    notar(?:y|ies) notifiers? offerors? officers? offices? officials? ombudsman operators?
    organi[sz]ations? organi[sz]ers? originators? owners? panels? parents? parliament
    part(?:y|ies) participants? partners? partnerships? passengers? patients? people permittees?
    personnel persons? pilots? planners? platforms? policyholders? polluters? presidency
    presidents? processors? producers? prosecutors? providers? publishers? purchasers?
    rapporteur recipients? regions? registr(?:y|ies) registrants? regulators? reinsurers?
    repositor(?:y|ies) representatives? researchers? retailers? reviewers? schools? seafarers?
    secretar(?:y|iat)(?:-general)? secretariats? sellers? shipowners? shippers? skippers?
    slaughterers? smes? societ(?:y|ies) sponsors? staff states? students? subcontractors?
    supervisors? suppliers? taxpayers? teachers? tenderers? traders? trainers? travellers?
    trustees? ucits undertakings? union universit(?:y|ies) users? utilit(?:y|ies) vendors?
    verifiers? veterinarians? workers?
"""
_ACTOR = re.compile(rf"(?:{'|'.join(_NOUNS.split())})\Z", re.IGNORECASE)
_STATES = frozenset([*COUNTRIES, "Kingdom"])
#: Bodies known by their letters; funds and quantities have letters too.
_ACRONYM = re.compile(r"[A-Z]{3,8}s?\Z")
_NO_BODY = frozenset(
    [
        "CEF",
        "ESF",
        "ERDF",
        "EMFF",
        "EMFAF",
        "EAFRD",
        "EAGF",
        "JTF",
        "YEI",
        "ISF",
        "AMIF",
        "ALMP",
        "GDP",
        "GNI",
        "CAP",
        "GWP",
        "SCR",
        "MCR",
        "EFSI",
        "LGF",
        "TEN",
        "AMF",
        "EGF",
        "ELV",
        "ALs",
        "ELVs",
        "CFP",
        "GATS",
        "TRIPS",
        "ITER",
        "LIFE",
        "IPA",
        "NDICI",
        "RRF",
        "ETS",
        "CBAM",
        "UNECE",
    ]
)
_HEAD_ENDS = re.compile(
    r",? (?:of|in|on|for|with|without|which|that|who|whose|whom|where|when|if|to|from|by|at|under"
    r"|between|within|responsible|subject|other than|as|whether|including|than)\b|[,(:]"
)
#: "the Member State keeping the register" is a State, "Commission implementing acts" are acts.
_GOES_ON = re.compile(r"(?!implementing|delegated|staff|meeting)[a-z-]+(?:ing|ed|nt)\Z")
_SERVICE = re.compile(
    r"\b(?:technical|investigating|customs|authorising|accounting) (?:services?)\Z"
)
_ONE = re.compile(r"\b(?:one|anyone|everyone|nobody|anybody|each of them|either of them)\Z", re.I)
#: Words that end in the name of an actor and are none: "a list of operators" is a list.
_PREFIX_OF = re.compile(
    r"\A(?:the |an? |each |every |all |any |such |these |those )?(?:\w+ )?(?:groups?|majority"
    r"|associations?|members?|representatives?|half|colleges?|organi[sz]ations?"
    r"|part(?:y|ies)|owners?|holders?)\Z",
    re.I,
)


def is_actor(phrase: str) -> bool:
    """Tell whether a noun phrase names somebody who can be bound."""
    head = _HEAD_ENDS.split(phrase.strip(" ,‘“\"'"), maxsplit=1)[0].strip(" ,")
    words = re.split(r",| and | or | and/or ", head)[-1].split()
    for i, word in enumerate(words[:-1]):
        if _GOES_ON.match(words[i + 1]) and _names(" ".join(words[: i + 1]), word):
            return True
    return bool(words) and _names(" ".join(words), words[-1])


def named_first(text: str) -> int:
    """Return the end of the actor a stretch begins with, 0 where it begins with none."""
    head = _HEAD_ENDS.split(text, maxsplit=1)[0]
    for match in list(re.finditer(r"\S+", head))[:8]:
        if _names(head[: match.end()], match[0]):
            return match.end()
    return 0


def _names(words: str, last: str) -> bool:
    last = re.sub(r"[’'](?:s)?\Z", "", last.strip("’'\"‘”“)("))
    if last.rstrip("s") in _NO_BODY or last in _NO_BODY:
        return False
    return bool(
        _ACTOR.match(last)
        or last in _STATES
        or _ACRONYM.match(last)
        or _SERVICE.search(words)
        or _ONE.search(words)
        or _PREFIX_OF.match(words)
    )
