"""What a JSON Schema becomes as a form: by each way to say the same thing, and with whatever else a schema may hold."""

import pytest
from pydantic import BaseModel

from perdure.dashboard.schema_fields import MAX_FIELDS, Kind, example_of, fields_of, flat
from perdure.processors import demo
from perdure.processors.csv import profile


def of(**properties):
    return {one.label: one for one in fields_of({"type": "object", "properties": properties})}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, Kind.TEXT),
        ({"type": "number"}, Kind.NUMBER),
        ({"type": "integer"}, Kind.INTEGER),
        ({"type": "boolean"}, Kind.BOOLEAN),
        ({"enum": ["a", 2, None, True]}, Kind.CHOICE),
        ({"const": "a"}, Kind.CHOICE),
        ({"enum": [{"a": 1}]}, Kind.JSON),
        ({"enum": list(range(200)), "type": "integer"}, Kind.INTEGER),
        ({"type": "string", "format": "file-id"}, Kind.FILE),
        ({"type": "array", "items": {"type": "string"}}, Kind.LIST),
        ({"type": "array", "items": {"type": "object"}}, Kind.JSON),
        ({"type": "array"}, Kind.JSON),
        ({"type": "object", "properties": {"b": {"type": "string"}}}, Kind.GROUP),
        ({"type": "object"}, Kind.JSON),
        ({"type": "object", "additionalProperties": {"type": "string"}}, Kind.JSON),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, Kind.JSON),
        ({"type": ["string", "integer"]}, Kind.JSON),
        ({"$ref": "#/$defs/nothing"}, Kind.JSON),
        ({"$ref": "https://elsewhere.example/schema"}, Kind.JSON),
        ({"$ref": "#"}, Kind.JSON),
        (True, Kind.JSON),
        (False, Kind.JSON),
        ({}, Kind.JSON),
    ],
)
def test_each_schema_has_a_way_to_be_typed(schema, kind):
    assert of(a=schema)["a"].kind is kind


def test_null_beside_something_is_that_thing():
    for schema in (
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "description": "how many"},
        {"type": ["integer", "null"], "minimum": 1, "description": "how many"},
    ):
        field = of(a=schema)["a"]
        assert (field.kind, field.is_nullable, field.limits) == (Kind.INTEGER, True, ("at least 1",))
        assert (field.description, field.said) == ("how many", "integer or null")


def test_references_are_followed_but_not_for_ever():
    schema = {
        "properties": {"a": {"$ref": "#/$defs/~1x", "description": "mine"}, "loop": {"$ref": "#/$defs/loop"}},
        "$defs": {"/x": {"$ref": "#/$defs/y"}, "y": {"enum": ["p", "q"]}, "loop": {"$ref": "#/$defs/loop"}},
    }
    a, loop = fields_of(schema)
    assert (a.kind, a.choices, a.description) == (Kind.CHOICE, ("p", "q"), "mine")
    assert loop.kind is Kind.JSON


def test_groups_go_one_level_down():
    inner = {"type": "object", "properties": {"deep": {"type": "object", "properties": {"x": {"type": "string"}}}}}
    [group] = fields_of({"properties": {"a": inner}, "required": ["a"]})
    assert (group.kind, group.is_required) == (Kind.GROUP, True)
    [deep] = group.fields
    assert (deep.kind, deep.name, deep.place) == (Kind.JSON, "/a/deep", "payload.a.deep")
    assert [one.label for one in flat([group])] == ["a", "deep"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]},
        {"properties": {str(number): {} for number in range(MAX_FIELDS + 1)}},
        {"properties": ["a"]},
        {"$ref": "#"},
        {},
    ],
)
def test_what_is_no_list_of_fields_is_json(schema):
    assert fields_of(schema) is None


def test_an_object_without_anything_asks_for_nothing():
    assert fields_of({"type": "object", "properties": {}, "additionalProperties": False}) == ()


def test_names_of_properties_may_be_anything():
    fields = of(**{"a b": {}, "a/b": {}, "a~b": {}, "": {}, "ü&<>\"'": {}})
    assert len({one.name for one in fields.values()}) == 5
    for one in fields.values():
        assert not set(one.name) & set(" <>\"'")


def test_processors_of_the_house_have_forms():
    [file, *rest] = fields_of(profile.payload_type.json_schema())
    assert (file.kind, file.is_required, file.label) == (Kind.FILE, True, "file")
    assert {one.label: one.kind for one in rest}["quantiles"] is Kind.LIST
    [seconds] = fields_of(demo.sleep.payload_type.json_schema())
    assert (seconds.kind, seconds.default, seconds.limits) == (Kind.NUMBER, "1.0", ("at least 0", "at most 3600"))


def test_examples_begin_a_payload():
    assert example_of({"examples": [{"a": 1}]}, None) == {"a": 1}
    schema = {"properties": {"a": {"examples": ["x"]}, "b": {"type": "string"}}}
    assert example_of(schema, fields_of(schema)) == {"a": "x"}
    assert example_of({}, None) == {}


class _Inner(BaseModel):
    level: int = 3


class _Nested(BaseModel):
    name: str
    options: _Inner | None = None


def test_a_model_inside_a_model_is_a_group():
    _, options = fields_of(_Nested.model_json_schema())
    assert (options.kind, options.is_nullable, options.fields[0].default) == (Kind.GROUP, True, "3")
