from __future__ import annotations

import re
from enum import Enum
from html.parser import HTMLParser
from typing import Annotated, Literal
from uuid import UUID

import pytest
from fastapi import Body, FastAPI, Query
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue

from perdure.routes.problems import responses
from perdure.routes.reference import render_reference

HOSTILE = "<script>alert('x')</script> </style><img src=x onerror=y> {{ 7 * 7 }} `<b>`"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    """What hangs on a branch."""

    weight: Annotated[float, Field(gt=0, le=9)] = 1.5


class Node(BaseModel):
    name: str = Field(description=HOSTILE, min_length=1, max_length=9, pattern="^[a-z]+$")
    colour: Colour | None = None
    children: list[Node] = []
    by_name: dict[str, Leaf] = {}
    either: Leaf | Twig | None = None
    anything: JsonValue = None
    kind: Literal["node"] = "node"


class Twig(BaseModel):
    parent: Node | None = None
    id: UUID


class Tree(BaseModel):
    root: Node
    notes: list[list[str]] = Field([], max_length=3)


app = FastAPI(title="Trees & <b>more</b>", version="7", description="First paragraph.\n\nSecond with `code`.")


@app.get("/trees/{tree_id}", tags=["trees"], summary="Get a tree", response_model=Tree, responses=responses(404))
def get_tree(tree_id: int, needed: str, depth: Annotated[int, Query(ge=1, le=5, description="how deep")] = 3) -> None:
    """Reads a tree."""


@app.post("/trees", tags=["trees"], status_code=201)
def plant(tree: Annotated[Tree, Body(examples=[{"root": {"name": "it's"}}])]) -> None:
    pass


@app.put("/untagged", responses={200: {"content": {"text/csv": {}}}})
def untagged() -> None:
    pass


document = app.openapi()
document["paths"]["/trees/{tree_id}/picture"] = {
    "summary": "is no operation",
    "post": {
        "operationId": "paint",
        "requestBody": {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
        "responses": {"204": {"description": "Painted"}},
    },
}


@pytest.fixture(scope="module")
def page() -> str:
    return render_reference(document)


@pytest.mark.parametrize(
    "shown",
    [
        "Trees &amp; &lt;b&gt;more&lt;/b&gt;",
        "<p>First paragraph.</p><p>Second with <code>code</code>.</p>",
        "/trees/{tree_id}",
        "Get a tree",
        "Reads a tree.",
        "how deep",
        "1 to 5, default 3",
        "<code>&#34;red&#34;</code>",
        "<code>&#34;blue&#34;</code>",
        "string or null",
        "1 to 9 characters, matches ^[a-z]+$",
        "at most 9.0, more than 0.0, default 1.5",
        "list of Node",
        "list of list of string",
        "at most 3 items",
        "object of Leaf",
        "Leaf or Twig or null",
        "string (uuid)",
        "What hangs on a branch.",
        "curl &#39;http://127.0.0.1:8080/trees/TREE_ID?needed=NEEDED&#39;",
        "curl -X POST http://127.0.0.1:8080/trees ",
        "it&#39;&#34;&#39;&#34;&#39;s",  # quoted for the shell, then for HTML
        "curl -X PUT http://127.0.0.1:8080/untagged</pre>",
        "-H &#39;content-type: image/png&#39; \\\n  --data-binary @FILE</pre>",
        "<strong>204</strong> Painted",
        "<strong>201</strong> Created",
        "application/problem+json",
        "<code>not_found</code>",
        "<code>validation_failed</code>",
    ],
)
def test_everything_is_shown(page, shown):
    assert shown in page


class Reader(HTMLParser):
    """The page as a browser takes it: its tags, what they point to and from, and whether they close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.ids, self.links, self.open = set(), set(), [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_what_was_written_in_it_is_text(page):
    reader = Reader(page)
    assert not reader.open
    assert not reader.tags & {"script", "img", "b", "link", "iframe", "object"}
    assert not {name for name in reader.attributes if name.startswith("on") or name in ("src", "style")}
    assert "{{ 7 * 7 }}" in page


def test_every_link_leads_somewhere_on_this_server(page):
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert {link for link in reader.links if not link.startswith("#")} == {"/openapi.json", "/"}
    assert {link.removeprefix("#") for link in reader.links if link.startswith("#")} <= set(reader.ids)


def test_nothing_is_fetched_from_elsewhere(page):
    assert "https://" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_a_schema_that_contains_itself_is_shown_once_on_each_way(page):
    assert page.count('<code class="name">children</code>') == 2, "in the body of one operation, the answer of another"


def test_operations_are_grouped_by_tag_in_their_order(page):
    tags = re.findall(r'<h2 id="tag-\d+">(\w+)</h2>', page)
    assert tags == ["trees", "other"]
    assert page.index('<article id="get_tree') < page.index('<article id="plant') < page.index('<article id="paint')


names = st.sampled_from(["A", "B", "C", "Missing"])
schemas = st.recursive(
    st.builds(lambda name: {"$ref": f"#/components/schemas/{name}"}, names)
    | st.sampled_from([{}, {"type": "string", "enum": ["x"]}, {"const": None}, {"type": ["integer", "null"]}]),
    lambda inner: (
        st.builds(lambda one: {"type": "array", "items": one}, inner | st.just(True))
        | st.builds(lambda one: {"type": "object", "additionalProperties": one}, inner | st.booleans())
        | st.builds(lambda some: {"anyOf": some}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda some: {"type": "object", "properties": some}, st.dictionaries(st.text(), inner, max_size=3))
    ),
    max_leaves=6,
)


A = {"$ref": "#/components/schemas/A"}


@settings(deadline=None, max_examples=50)
@given(schemas, schemas, schemas)
@example({"type": "array", "items": {"anyOf": [A]}}, {}, {})
@example(A, {}, {})
@example({"anyOf": [A, {"type": "null"}]}, {}, {})
@example({"type": "object", "additionalProperties": A}, {}, {})
@example({"type": "object", "properties": {"b": {"$ref": "#/components/schemas/B"}}}, A, {})
def test_schemas_tangled_in_any_way_are_shown_in_the_end(first, second, third):
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}
    tangled = {
        "info": {"title": "Tangled", "version": "0"},
        "paths": {"/": {"post": {"requestBody": {"content": content}, "responses": {"200": {"content": content}}}}},
        "components": {"schemas": {"A": first, "B": second, "C": third}},
    }
    assert not Reader(render_reference(tangled)).open
