"""What the server answers today where it should answer otherwise. Each test says what is right, and moves out of here with it."""


def no_such_page(response):
    """Plain text, of which the client makes nothing."""
    assert (response.status, response.message, response.data, response.error) == (404, "Not Found", None, None), response


def test_search(blnk):
    """Right would be 200 and a SearchResponse of SearchTransactionDocument."""
    no_such_page(blnk.search.search({"q": "*", "query_by": "reference"}, "transactions"))
    no_such_page(blnk.search.multi_search({"searches": [{"collection": "transactions", "q": "*"}]}))
