from __future__ import annotations

from enum import Enum

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from perdure.routes.reference import render_reference


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    name: str = Field(description="<script>alert('x')</script>", max_length=9)
    colour: Colour | None = None
    children: list[Node] = []


class Tree(BaseModel):
    root: Node


app = FastAPI(title="Trees & <b>more</b>", version="7")


@app.get("/trees/{tree_id}", tags=["trees"], summary="Get a tree", response_model=Tree)
def get_tree(tree_id: int, depth: int = 3) -> None:
    """Reads a tree."""


document = app.openapi()
document["paths"]["/trees"] = {
    "post": {
        "operationId": "plant",
        "tags": ["trees"],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}}},
        "responses": {"201": {"description": "Planted"}},
    }
}


@pytest.fixture(scope="module")
def page() -> str:
    return render_reference(document)


@pytest.mark.parametrize(
    "shown",
    [
        "/trees/{tree_id}",
        "Get a tree",
        "Reads a tree.",
        "depth",
        "&#34;red&#34; | &#34;blue&#34; or null",
        "maxLength 9",
        "curl -X POST http://127.0.0.1:8080/trees",
        "Planted",
    ],
)
def test_everything_is_shown(page, shown):
    assert shown in page


def test_what_was_written_in_descriptions_is_text(page):
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_nothing_is_fetched_from_elsewhere(page):
    assert "https://" not in page
    assert "src=" not in page
    assert "@import" not in page


def test_a_schema_that_contains_itself_ends(page):
    assert 3 < page.count("children") < 20
