"""The server and the books that the tests of the Python client use.

    FLORIN_URL=http://127.0.0.1:5001 FLORIN_KEY=KEY pytest tests/sdk-python
"""
import pytest
from answers import KEY, URL
from blnk_sdk import BlnkClientOptions, blnk_init
from books import Books


@pytest.fixture(scope="session")
def blnk():
    with blnk_init(KEY, BlnkClientOptions(base_url=URL)) as client:
        yield client


@pytest.fixture
def books(blnk):
    return Books(blnk)
