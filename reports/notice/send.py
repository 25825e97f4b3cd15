"""Sends a message to a webhook. Its address is a secret: no error quotes it, and no redirect is followed."""

from __future__ import annotations

import threading
from typing import Any

import requests
import urllib3
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from reports.record.model import ReportError

TIMEOUT_S = (5.0, 10.0)
"""To connect, and for the answer."""
WHOLE_S = 60.0
"""For all attempts together: each byte of an answer's head may come in time, and the head have no end."""
ATTEMPTS = 3
BUSY = 429
_LATE = "the webhook does not answer in time"
OK, REDIRECT, SERVER_ERROR = 200, 300, 500


class _AgainError(Exception):
    """The receiver may take it the next time; the text says why it did not."""


def send(url: str, body: Any, wait_s: float = 1.0) -> None:
    """Send the body as JSON; tries again where the receiver does not answer, or is not able to take it now.

    Args:
        wait_s: seconds before the second attempt; the third waits twice as long.

    Raises:
        ReportError: it did not arrive.
    """
    trying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=wait_s, max=10),
        retry=retry_if_exception_type(_AgainError),
        reraise=True,
    )
    refused: list[ReportError] = []

    def post() -> None:
        try:
            trying(_post, url, body)
        except _AgainError as error:
            refused.append(_failed(str(error)))
        except ReportError as error:
            refused.append(error)

    sending = threading.Thread(target=post, daemon=True)  # it ends with the process, where the receiver does not
    sending.start()
    sending.join(WHOLE_S)
    if sending.is_alive():
        raise _failed(_LATE)
    if refused:
        raise refused[0]


def _post(url: str, body: Any) -> None:
    try:
        # streamed, so that an answer without an end is not read
        with requests.post(url, json=body, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as answer:
            status = answer.status_code
    except requests.Timeout:
        raise _AgainError(_LATE) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        raise _AgainError(f"the webhook cannot be reached ({type(error).__name__})") from None
    if status == BUSY or status >= SERVER_ERROR:
        raise _AgainError(f"the webhook answers {status}")
    if not OK <= status < REDIRECT:
        raise _failed(f"the webhook answers {status}")


def _failed(why: str) -> ReportError:
    return ReportError(f"the notification was not sent: {why}", "check the setting notify.url; the next run sends it")
