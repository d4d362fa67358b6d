"""Time limits for tests: the same rules with fractions of a second."""

from __future__ import annotations

from paperclip_cli.archives.mast.http import Limits
from paperclip_cli.http.retry import Patience

QUICK = Limits(
    connect=2,
    read=0.4,
    total=0.7,
    slowest=1_000_000,
    poll=(0.02, 0.1),
    patience=Patience(tries=10, first_wait=0.005, longest_wait=0.05, longest_retry_after=5),
)
