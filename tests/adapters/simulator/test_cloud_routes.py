"""The routes of the cloud as ``ollama-api.md`` §2.12 has them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest


def test_the_account(bench: Any) -> None:
    """Who is signed in is told, until they sign out; a reset signs in again."""
    account = bench.post("/api/me").json
    assert (account["name"], account["plan"]) == ("ada", "free")
    uuid.UUID(account["id"])
    out = bench.send("POST", "/api/signout").parse()
    assert (out.status, out.body) == (200, b"null")
    again = bench.send("DELETE", "/api/user/keys/c3No").parse()
    assert (again.status, again.json) == (401, {"error": "you are not currently signed in"})
    refused = bench.post("/api/me").parse()
    assert refused.status == 401
    assert refused.json["error"] == "unauthorized"
    assert refused.json["signin_url"].startswith("https://ollama.com/connect?")
    bench.post("/_sim/reset")
    assert bench.send("DELETE", "/api/user/keys/c3No").parse().status == 200


def test_web_search(bench: Any) -> None:
    """Five results, or as many as asked for, up to ten."""
    path = "/api/experimental/web_search"
    assert len(bench.post(path, query="trio").json["results"]) == 5
    results = bench.post(path, query="trio", max_results=99).json["results"]
    assert len(results) == 10
    assert list(results[0]) == ["title", "url", "content"]
    empty = bench.send("POST", path).parse()
    assert (empty.status, empty.json) == (400, {"error": "missing request body"})


def test_web_fetch(bench: Any) -> None:
    """A page has a title, a text and links."""
    page = bench.post("/api/experimental/web_fetch", url="https://trio.org/x").json
    assert list(page) == ["title", "content", "links"]


@pytest.mark.parametrize("what", ["search", "fetch"])
def test_without_the_cloud(make_bench: Any, what: str) -> None:
    """It is 403 where it is off, and 401 where nobody is signed in."""
    path = f"/api/experimental/web_{what}"
    off = make_bench(cloud=False)
    call = off.post(path, query="q").parse()
    told = {"error": f"ollama cloud is disabled: web {what} is unavailable"}
    assert (call.status, call.json) == (403, told)
    assert off.get("/api/status").json == {"cloud": {"disabled": True, "source": "env"}}
    out = make_bench(account="").post(path, url="u").parse()
    assert (out.status, out.json["error"]) == (401, "unauthorized")


def test_recommendations(bench: Any) -> None:
    """Six models, each with a description."""
    found = bench.get("/api/experimental/model-recommendations").json["recommendations"]
    assert len(found) == 6
    assert all(entry["model"] and entry["description"] for entry in found)
