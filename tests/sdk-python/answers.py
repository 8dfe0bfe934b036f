"""What the tests of the Python client share: how an answer is taken, with or without its error."""
import os
import time

URL = os.environ.get("FLORIN_URL", "http://127.0.0.1:5001")
KEY = os.environ.get("FLORIN_KEY", "")


def ok(response, status=201):
    assert response.status == status, response
    return response.data


def refused(response, status, *codes):
    assert response.status == status, response
    assert response.error is not None and response.error.code in codes, response
    return response.error


def eventually(read, seconds=10):
    """Reads until there is an answer; what is queued has its outcome a moment later."""
    deadline = time.monotonic() + seconds
    while True:
        response = read()
        if response.status == 200 or time.monotonic() > deadline:
            return ok(response, 200)
        time.sleep(0.05)
