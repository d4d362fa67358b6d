"""A client for MAST's observation and product rows, built on astroquery.

Rows arrive whole or not at all, however slow or faulty the archive is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from paperclip_cli.archives.mast.http import Wire
from paperclip_cli.errors import BadItem
from paperclip_cli.http.retry import TimedOut, TooSlow, Transient, persist
from paperclip_cli.wording import counted

if TYPE_CHECKING:
    from astropy.table import Table

Item = TypeVar("Item")
# Observations in one request for products: a compromise between speed and reliability, which is
# halved where the archive cannot cope.
GROUP = 25
_ODD_REPLY = "unexpected reply from the archive"


class TooMany(BadItem):
    """The reply has as many rows as the archive gives at most: there may be more."""


class MastClient:
    """A client that sends one query at a time.

    The archive is the one that astroquery is configured for (`[mast] server`).
    """

    def __init__(self, wire: Wire, page_size: int | None = None) -> None:
        from astroquery.mast import ObservationsClass

        self._wire = wire
        self._astroquery = ObservationsClass()
        wire.query_session(self._astroquery._session)

        portal = self._astroquery._portal_api_connection
        portal.MAST_REQUEST_URL = wire.server + "/api/v0/invoke"
        portal.COLUMNS_CONFIG_URL = wire.server + "/portal/Mashup/Mashup.asmx/columnsconfig"
        portal.TIMEOUT = wire.limits.total
        portal.PAGESIZE = self._page_size = page_size or portal.PAGESIZE
        self._patience = replace(wire.limits.patience, tries=min(4, wire.limits.patience.tries))

    def observations(self, criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Observation rows that meet all criteria.

        Raises:
            TooMany: the archive's cap may have cut the list.
            TooSlow: the archive did not answer in time.
            BadItem: the archive failed, or refused the query.
        """
        rows = self._ask(lambda: self._astroquery.query_criteria(**dict(criteria)))
        # The archive pages its replies, but is known to stop at a full page. If the list really
        # ends there, this costs one query more.
        if rows and len(rows) % self._page_size == 0:
            raise TooMany(f"the archive cut its list at {counted(len(rows), 'rows')}")
        return rows

    def products(self, obsids: Iterable[str], group: int = GROUP) -> list[dict[str, Any]]:
        """Product rows of some observations, by `obsid`.

        They are requested in groups, which are halved where the archive cannot cope.
        """
        numbers, rows = sorted(set(obsids)), []
        for first in range(0, len(numbers), group):
            rows += in_halves(numbers[first : first + group], self._products)
        return rows

    def _products(self, obsids: Sequence[str]) -> list[dict[str, Any]]:
        rows = self._ask(lambda: self._astroquery.get_product_list(list(obsids)))
        if rows and len(rows) % self._page_size == 0:
            raise TooMany(f"the archive cut its list at {counted(len(rows), 'rows')}")
        return rows

    def _ask(self, question: Callable[[], Table]) -> list[dict[str, Any]]:
        return persist(lambda: self._once(question), self._patience, self._wire.pace)

    def _once(self, question: Callable[[], Table]) -> list[dict[str, Any]]:
        from astroquery.exceptions import InvalidQueryError, NoResultsWarning, RemoteServiceError
        from requests import HTTPError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NoResultsWarning)
                return plain_rows(question())
        except TimeoutError as error:
            raise TimedOut("the archive did not finish the query in time") from error
        except RemoteServiceError as error:
            reason = " ".join(str(error).split())[:100]
            raise Transient(f"the archive failed: {reason}") from error
        except InvalidQueryError as error:
            # Our criteria never change, so the list of columns must have arrived garbled, and
            # astroquery would keep it.
            self._astroquery._portal_api_connection._column_configs.clear()
            raise Transient(_ODD_REPLY, tries=3) from error
        except HTTPError as error:
            reason = " ".join(str(error).split())[:100]
            raise BadItem(f"the archive refused the query: {reason}") from error
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise Transient(_ODD_REPLY) from error


def in_halves(
    items: Sequence[Item], ask: Callable[[Sequence[Item]], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Ask about all items at once or, if that is too much, about each half.

    Raises:
        TooSlow, TooMany: a single item is too much.
    """
    try:
        return ask(items)
    except (TooSlow, TooMany):
        if len(items) == 1:
            raise
        middle = len(items) // 2
        return in_halves(items[:middle], ask) + in_halves(items[middle:], ask)


def plain_rows(table: Table) -> list[dict[str, Any]]:
    """The rows of a table as dictionaries; masked values are None."""
    columns = {name: table[name].tolist() for name in table.colnames}
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, values, strict=True)) for values in rows]
