"""Names of single objects in a text.

Catalogue numbers, coordinates, transients, stars of constellations, planets and moons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CATALOGUES = (
    r"NGC|IC|UGCA?|ESO|Arp|Mrk|Mkn|Markarian|PKS|PG|PHL|Ton|Abell|ACO|AC|HDE?|HR|HIP|BD|GJ|Gliese|"
    r"LHS|LTT|Messier|LBN|LDN|vdB|Terzan|Palomar|Pal|HCG|Hickson|DDO|Holmberg|Haro|Henize|Barnard|"
    r"Collinder|Melotte|Trumpler|Stock|Berkeley|Westerlund|Sanduleak|Arakelian|Zwicky|Pismis|Sk|"
    r"Sh ?2|3C|4C|WASP|HAT-P|HATS|Kepler|KELT|TrES|CoRoT|XO|TOI|TRAPPIST|K2|PDS|LkCa|LkHa|Cygnus X|"
    r"Cyg X|Sco X|LMC X|SMC X|SGR|GD|GRS|GRO|XTE|GX|SS"
)
_COORDINATE_PREFIXES = (
    r"SDSS|2MASS|2MASSW|PSR|MACS|RX|RXJ|RCS|RDCS|QSO|SN|SNR|E|PKS|SPT|ACT|WISEA?|HE|HS|CXO|XMMU|"
    r"XMM|1E|1RXS|Swift|IGR|PLCKG|PLCK|Cl|CL|MS|IRAS|DENIS|DLS|B|LBQS|FIRST|BRI|PSS|ULAS|MRC"
)
_GENITIVES = (
    r"Andromedae|Aquarii|Aquilae|Arietis|Aurigae|Bootis|Cancri|Canis|Capricorni|Carinae|"
    r"Cassiopeiae|Centauri|Cephei|Ceti|Circini|Columbae|Corvi|Crateris|Cygni|Delphini|Doradus|"
    r"Draconis|Equulei|Eridani|Fornacis|Geminorum|Gruis|Herculis|Hydrae|Hydri|Indi|Lacertae|Leonis|"
    r"Leporis|Librae|Lupi|Lyncis|Lyrae|Microscopii|Monocerotis|Muscae|Normae|Octantis|Ophiuchi|"
    r"Orionis|Pavonis|Pegasi|Persei|Phoenicis|Pictoris|Piscium|Puppis|Pyxidis|Reticuli|Sagittae|"
    r"Sagittarii|Scorpii|Sculptoris|Scuti|Serpentis|Sextantis|Tauri|Telescopii|Trianguli|Tucanae|"
    r"Ursae|Velorum|Virginis|Volantis|Vulpeculae|Aqr|Aql|Aur|Boo|CMa|CMi|CVn|Cap|Cas|Cen|Cep|Cet|"
    r"Cnc|Col|CrA|CrB|Crv|Cyg|Del|Dor|Dra|Eri|Gem|Gru|Her|Hya|Lac|Lib|Lup|Lyn|Lyr|Mic|Mon|Oph|Ori|"
    r"Pav|Peg|Per|Phe|Pic|PsA|Pup|Pyx|Ret|Scl|Sco|Sct|Ser|Sgr|Tau|Tel|TrA|Tri|Tuc|UMa|UMi|Vel|Vir|"
    r"Vul"
)
_GREEK = (
    r"alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|omicron|pi|rho|"
    r"sigma|tau|upsilon|phi|chi|psi|omega"
)
_NAMES = (
    r"Large Magellanic Cloud|Small Magellanic Cloud|Magellanic Clouds|LMC|SMC|30 Doradus|30 Dor|"
    r"47 Tucanae|47 Tuc|Cas A|Cassiopeia A|Cygnus A|Centaurus A|Cen A|Virgo A|Fornax A|Sgr A\*|"
    r"Sagittarius A\*|Crab|Cygnus Loop|Virgo Cluster|Coma Cluster|Fornax Cluster|Perseus Cluster|"
    r"Bullet Cluster|Pleiades|Hyades|Praesepe|Trapezium|Antennae|Sombrero|I ?Zw ?18|II ?Zw ?40|WLM|"
    r"Leo (?:I|II|III|IV|V|A|P|T)|Sextans (?:A|B)|Crater (?:1|2|II)|Fomalhaut|Betelgeuse|Vega|"
    r"Sirius|Procyon|Mercury|Venus|Mars|Jupiter|Saturn|Uranus|Neptune|Pluto|Charon|Io|Europa|"
    r"Ganymede|Callisto|Titan|Enceladus|Triton|Iapetus|Phoebe|Miranda|Ceres|Vesta|Pallas|Chiron|"
    r"Eris|Haumea|Makemake|Sedna|Quaoar|Orcus|Chariklo|Phobos|Deimos|Shoemaker-Levy 9|Hale-Bopp|"
    r"Hyakutake"
)
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:{_CATALOGUES})[ -]?[A-Z]?\d[\d.]*(?:[+-]+\d[\d.]*)*[A-Za-z]?(?:-[A-Z]?\d+)?\b",
        r"\bM ?(?:1[01]\d|[1-9]\d|[1-9])\b"
        r"(?!\.?\d|[ -](?:dwarf|giant|star|V\b|K\b|arcmin|year|orbit))",
        r"\b(?:SN|AT) ?(?:1[0-9]|20)\d\d[A-Za-z]{1,4}\b",
        r"\b(?:GRB|FRB|GW) ?\d{6}[A-Z]?\b",
        rf"\b(?:(?:{_COORDINATE_PREFIXES})[ -]?J?|J)"
        r"\d{3,6}(?:\.\d+)?[+-]{1,2} ?\d{2,6}(?:\.\d+)?\b",
        rf"\b(?:[A-Z]{{1,2}}|V\d{{3,4}}|\d{{1,2}}|(?i:{_GREEK}))"
        rf" (?:{_GENITIVES})\b(?: [A-Cb-d]\b)?",
        r"\bComet [A-Z][\w-]+(?:/[A-Z][\w-]+)*",
        r"\b\d{1,3}P/[A-Z][\w-]+",
        r"\b[CP]/\d{4} [A-Z]\d+(?: [A-Z][\w-]+)?",
        rf"\b(?:{_NAMES})(?!\w|[ -](?:like|siz|mass|famil|radi|Troj|Survey))",
        r"\b(?!(?:The|This|These|That|Our|An?|In|Of|Its|Another|Each|Both|One|Hubble|Galactic)\b)"
        r"(?:[A-Z][\w'’]+(?:-[A-Z]\w+)* ){1,3}"
        r"(?:Nebula|Galaxy|Cluster|Cloud|Association|Loop|Remnant|Group|Quintet|Bridge|Stream|"
        r"Complex)\b"
        r"(?! (?:[A-Z]\w+ )?(?:Survey|Sample|Atlas|Catalog|Program|Project|Telescope))",
    )
)


def designations(text: str) -> list[tuple[int, int]]:
    """Start and end of the names in a text, from left to right.

    Of two that overlap, the one that starts first wins, then the longer.
    """
    spans = (match.span() for pattern in _PATTERNS for match in pattern.finditer(text))
    return list(_apart(sorted(spans, key=lambda at: (at[0], -at[1]))))


def _apart(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    free = 0
    for start, end in spans:
        if start >= free:
            yield start, end
            free = end
