"""Read pytest's JUnit report, and fail if a skipped test could have run on this machine.

skips.py REPORT             print each needless skip; exit 1 if there is one
skips.py --summary REPORT   print `N passed, N failed, N skipped`
"""

from __future__ import annotations

import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

REAL_SAMPLE = Path(__file__).resolve().parent.parent.parent / "shared" / "real-sample"

# Start of a valid reason -> whether that reason holds here.
HONEST = {
    "no real sample beside the repository": lambda: not REAL_SAMPLE.is_dir(),
    "this user reads everything": lambda: os.geteuid() == 0,
    "no bash": lambda: shutil.which("bash") is None,
    "strace is not installed": lambda: shutil.which("strace") is None,
    "no stilts": lambda: shutil.which("stilts") is None,
    "TOPCAT is not installed": lambda: shutil.which("topcat") is None,
    "DS9 is not installed": lambda: shutil.which("ds9") is None,
    "Xvfb is not installed": lambda: shutil.which("Xvfb") is None,
}


def honest(reason: str) -> bool:
    return any(reason.startswith(start) and is_true() for start, is_true in HONEST.items())


def has_failed(case: ElementTree.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def main(arguments: list[str]) -> int:
    root = ElementTree.parse(arguments[-1]).getroot()
    cases = list(root.iter("testcase"))
    skips = [(case, skip.get("message", "")) for case in cases for skip in case.iter("skipped")]
    if "--summary" in arguments:
        failed = sum(map(has_failed, cases))
        print(f"{len(cases) - failed - len(skips)} passed, {failed} failed, {len(skips)} skipped")
        return 0

    needless = [(case, reason) for case, reason in skips if not honest(reason)]
    for case, reason in needless:
        print(f"needless skip: {case.get('classname')}::{case.get('name')}: {reason}")
    print(f"{len(cases)} tests, {len(skips)} skipped, {len(needless)} of them needlessly")
    return 1 if needless or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
