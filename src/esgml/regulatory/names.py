"""Names that regulations use for places, authorities and those they address."""

from __future__ import annotations

_COUNTRIES = """
    Austria Belgium Bulgaria Croatia Cyprus Denmark Estonia Finland France Germany Greece
    Hungary Ireland Italy Latvia Lithuania Luxembourg Malta Netherlands Poland Portugal
    Romania Slovakia Slovenia Spain Sweden Norway Iceland Liechtenstein Switzerland Türkiye
    Ukraine Japan China India Australia Canada Brazil Mexico Singapore Indonesia Chile
    Colombia Argentina Kenya Nigeria Vietnam Thailand Philippines Malaysia Russia Israel
"""
COUNTRIES = tuple(_COUNTRIES.split())
#: Jurisdiction -> how texts write it.
JURISDICTIONS = {
    "European Union": r"European Union|(?<!African )(?<!Soviet )(?<!Credit )\bUnion\b|EU\b"
    r"|European Community|Community\b(?! (?:of|energy|choice))|Member States?",
    "European Economic Area": r"EEA\b(?! report)|European Economic Area",
    "United States": r"United States|U\.S\.|USA\b",
    "California": r"California",
    "United Kingdom": r"United Kingdom|UK\b|Great Britain|England|Scotland|Wales",
    **{name: name for name in COUNTRIES},
    "Czechia": r"Czechia|Czech Republic",
    "New Zealand": r"New Zealand",
    "South Africa": r"South Africa",
    "South Korea": r"South Korea|Republic of Korea",
    "New York": r"New York",
}

#: Authority -> how texts write it.
AUTHORITIES = {
    "European Commission": (
        r"(?:the |European )Commission\b(?! Directive| Regulation| Decision| Delegated"
        r"| Implementing)"
    ),
    "European Parliament": r"European Parliament",
    "Council of the European Union": r"(?:the|to the|by the) Council\b(?! of Europe)",
    "Court of Justice": r"Court of Justice",
    "Court of Auditors": r"Court of Auditors",
    "European Central Bank": r"European Central Bank|ECB\b",
    "European Banking Authority": r"European Banking Authority|EBA\b",
    "European Securities and Markets Authority": (
        r"European Securities and Markets Authority|ESMA\b"
    ),
    "European Insurance and Occupational Pensions Authority": (
        r"European Insurance and Occupational Pensions Authority|EIOPA\b"
    ),
    "European Supervisory Authorities": r"European Supervisory Authorities|ESAs\b",
    "European Environment Agency": r"European Environment Agency",
    "European Chemicals Agency": r"European Chemicals Agency|ECHA\b",
    "European Medicines Agency": r"European Medicines Agency|EMA\b",
    "European Food Safety Authority": r"European Food Safety Authority|EFSA\b",
    "European Maritime Safety Agency": r"European Maritime Safety Agency|EMSA\b",
    "European Union Aviation Safety Agency": r"Aviation Safety Agency|EASA\b",
    "European Union Agency for Railways": r"Agency for Railways",
    "Agency for the Cooperation of Energy Regulators": r"Cooperation of Energy Regulators|ACER\b",
    "Eurostat": r"Eurostat\b",
    "EFRAG": r"EFRAG\b",
    "US Environmental Protection Agency": r"Environmental Protection Agency|EPA\b",
    "US Securities and Exchange Commission": r"Securities and Exchange Commission|SEC\b",
    "California Air Resources Board": r"Air Resources Board|CARB\b",
    "Financial Conduct Authority": r"Financial Conduct Authority|FCA\b",
    "International Sustainability Standards Board": (
        r"International Sustainability Standards Board|ISSB\b"
    ),
    "International Maritime Organization": r"International Maritime Organi[sz]ation|IMO\b",
    "competent authorities": r"competent (?:national )?authorit(?:y|ies)",
    "market surveillance authorities": r"market surveillance authorit(?:y|ies)",
    "supervisory authorities": r"supervisory authorit(?:y|ies)",
    "customs authorities": r"customs authorit(?:y|ies)",
    "regulatory authorities": r"regulatory authorit(?:y|ies)",
    "resolution authorities": r"resolution authorit(?:y|ies)",
    "notified bodies": r"notified bod(?:y|ies)",
}

#: Addressee -> how texts write it.
ADDRESSEES = {
    "Member States": r"Member States?",
    "large undertakings": r"large undertakings?",
    "small and medium-sized undertakings": (
        r"small and medium-sized (?:undertakings|enterprises)|SMEs?\b"
    ),
    "undertakings": r"undertakings?\b",
    "companies": r"compan(?:y|ies)\b",
    "operators": r"operators?\b(?! of the)",
    "economic operators": r"economic operators?",
    "importers": r"importers?\b",
    "exporters": r"exporters?\b",
    "manufacturers": r"manufacturers?\b",
    "producers": r"producers?\b",
    "distributors": r"distributors?\b",
    "suppliers": r"suppliers?\b",
    "traders": r"traders?\b",
    "authorised representatives": r"authorised representatives?",
    "employers": r"employers?\b",
    "credit institutions": r"credit institutions?",
    "investment firms": r"investment firms?",
    "insurance undertakings": r"(?:re)?insurance undertakings?",
    "financial market participants": r"financial market participants?",
    "issuers": r"issuers?\b",
    "aircraft operators": r"aircraft operators?",
    "shipping companies": r"shipping compan(?:y|ies)|shipowners?\b",
    "fuel suppliers": r"fuel suppliers?",
    "energy companies": r"energy (?:suppliers?|companies|undertakings?)|electricity undertakings?"
    r"|gas undertakings?",
    "system operators": r"(?:transmission|distribution) system operators?",
    "building owners": r"building owners?|owners? of buildings?",
    "beneficiaries": r"beneficiar(?:y|ies)\b",
    "applicants": r"applicants?\b",
    "contracting authorities": r"contracting authorit(?:y|ies)",
    "farmers": r"farmers?\b",
    "auditors": r"(?:statutory )?auditors?\b(?! of)",
    "reporting entities": r"reporting entit(?:y|ies)|covered entit(?:y|ies)",
    "owners and operators": r"owners? (?:or|and) operators?",
}
