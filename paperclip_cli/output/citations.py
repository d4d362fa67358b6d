"""Acknowledgements and citations: the words that STScI asks for, and the papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paperclip_cli import __version__
from paperclip_cli.output.console import printable
from paperclip_cli.wording import noun

# https://archive.stsci.edu/publishing/mission-acknowledgements
_HUBBLE = (
    "This research is based on observations made with the NASA/ESA Hubble Space Telescope obtained "
    "from the Space Telescope Science Institute, which is operated by the Association of "
    "Universities for Research in Astronomy, Inc., under NASA contract NAS 5-26555. These "
    "observations are associated with {programs}."
)
_WEBB = (
    "This work is based on observations made with the NASA/ESA/CSA James Webb Space Telescope. The "
    "data were obtained from the Mikulski Archive for Space Telescopes at the Space Telescope "
    "Science Institute, which is operated by the Association of Universities for Research in "
    "Astronomy, Inc., under NASA contract NAS 5-03127 for JWST. These observations are associated "
    "with {programs}."
)
ACKNOWLEDGEMENTS = {"hst": _HUBBLE, "jwst": _WEBB}
_OTHER = {"sim": "Images and texts of mission sim are simulated: no acknowledgement needed."}

PAPERS = {
    "PAPERCLIP": "Mishra-Sharma, S., Song, Y., Thaler, J. 2024, PAPERCLIP: Associating "
    "Astronomical Observations and Natural Language with Multi-Modal Models, arXiv:2403.08851",
    "CLIP": "Radford, A., et al. 2021, Learning Transferable Visual Models From Natural Language "
    "Supervision, arXiv:2103.00020",
    "astroquery": "Ginsburg, A., et al. 2019, astroquery: An Astronomical Web-querying Package in "
    "Python, AJ, 157, 98",
}
_BIBTEX = {
    "PAPERCLIP": """@article{paperclip2024,
  author = {Mishra-Sharma, Siddharth and Song, Yiding and Thaler, Jesse},
  title = {{PAPERCLIP}: Associating Astronomical Observations and Natural Language with
           Multi-Modal Models},
  year = {2024},
  eprint = {2403.08851},
  archivePrefix = {arXiv},
  primaryClass = {astro-ph.IM}
}""",
    "CLIP": """@article{clip2021,
  author = {Radford, Alec and Kim, Jong Wook and Hallacy, Chris and others},
  title = {Learning Transferable Visual Models From Natural Language Supervision},
  year = {2021},
  eprint = {2103.00020},
  archivePrefix = {arXiv},
  primaryClass = {cs.CV}
}""",
    "astroquery": """@article{astroquery2019,
  author = {Ginsburg, Adam and Sip{\\H{o}}cz, Brigitta M. and Brasseur, C. E. and others},
  title = {astroquery: An Astronomical Web-querying Package in {Python}},
  journal = {AJ},
  volume = {157},
  pages = {98},
  year = {2019},
  doi = {10.3847/1538-3881/aafc33}
}""",
}


def acknowledgements(programs: Mapping[str, Sequence[int]]) -> list[str]:
    """One paragraph per mission, with its proposals in the order of their numbers."""
    return [_paragraph(mission, numbers) for mission, numbers in sorted(programs.items())]


def _paragraph(mission: str, numbers: Sequence[int]) -> str:
    if mission in ACKNOWLEDGEMENTS:
        return ACKNOWLEDGEMENTS[mission].format(programs=_programs(numbers))
    if mission in _OTHER:
        return _OTHER[mission]
    kept = f"Images and texts of mission {mission} keep the terms of their source"
    return f"{kept} ({_programs(numbers)})."


def plain(programs: Mapping[str, Sequence[int]], model: str | None) -> str:
    """Acknowledgements and papers as plain text."""
    parts = {
        "Archive": acknowledgements(programs),
        "Method": [PAPERS["PAPERCLIP"], PAPERS["CLIP"]],
        "Model": [printable(model)] if model else [],
        "Software": [f"paperclip-cli {__version__}", PAPERS["astroquery"]],
    }
    sections = [
        "\n".join([title, *(f"  {line}" for line in lines)])
        for title, lines in parts.items()
        if lines
    ]
    return "\n\n".join(sections) + "\n"


def bibtex(programs: Mapping[str, Sequence[int]], model: str | None) -> str:
    """BibTeX entries, preceded by the acknowledgements as comments."""
    comments = [*acknowledgements(programs), *([printable(model)] if model else [])]
    version = f"  version = {{{__version__}}}"
    software = f"@software{{paperclip_cli,\n  title = {{paperclip-cli}},\n{version}\n}}"
    return "\n\n".join([*(f"% {line}" for line in comments), *_BIBTEX.values(), software]) + "\n"


def _programs(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, sorted(set(numbers))))
    return f"{noun(len({*numbers}), 'programs')} {listed}"
