"""docs/configuration.md is the reference: its tables and the program's (agent/settings/read_*.c, as tests/unit/settings_oracle
prints them) have the same keys in the same order, with the same types, bounds and defaults; so has conf/statsidecar.schema.json.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import SOURCE, equal, main, table, test, true  # noqa: E402

ORACLE = pathlib.Path(os.environ.get("builddir", "build")) / "tests" / "unit" / "settings_oracle"
DOCUMENT = SOURCE / "docs/configuration.md"
HEAD = "| key | takes | default | meaning |"

# The document's tables of keys in their order: the heading above each, and the path of what it describes. A path that comes
# twice has its keys in both tables.
TABLES = [
    ("The top", ""),
    ("inputs", "inputs[]"),
    ("outputs", "outputs[]"),
    ("identify", "identify"),
    ("catalogue", "catalogue.*"),
    ("fields", "fields.*"),
    ("fields", "fields.*.patterns[]"),
    ("lifecycles", "lifecycles.*"),
    ("lifecycles", "lifecycles.*.duration"),
    ("rules", "rules[]"),
    ("rules", "rules[].metrics[]"),
    ("rules", "rules[].metrics[]"),
    ("rules", "rules[].metrics[].event"),
    ("rules", "rules[].metrics[].service_check"),
    ("tests", "tests[]"),
    ("limits", "limits"),
    ("admin, telemetry, log", "admin"),
    ("admin, telemetry, log", "telemetry"),
    ("admin, telemetry, log", "log"),
]

# Where each path stands in the schema.
SCHEMA = {
    "": "",
    "inputs[]": "definitions/input/anyOf/1",
    "outputs[]": "definitions/output/anyOf/1",
    "identify": "properties/identify",
    "catalogue.*": "properties/catalogue/additionalProperties",
    "fields.*": "definitions/fieldVariant",
    "fields.*.patterns[]": "definitions/fieldVariant/properties/patterns/items",
    "lifecycles.*": "definitions/lifecycle",
    "lifecycles.*.duration": "definitions/lifecycle/properties/duration",
    "rules[]": "definitions/rule",
    "rules[].metrics[]": "definitions/metric",
    "rules[].metrics[].event": "definitions/metric/properties/event",
    "rules[].metrics[].service_check": "definitions/metric/properties/service_check",
    "tests[]": "definitions/test",
    "limits": "properties/limits",
    "admin": "properties/admin/anyOf/2",
    "telemetry": "properties/telemetry/anyOf/1",
    "log": "properties/log",
}


# ---- what the program says ----


class Row:
    def __init__(self, line):
        self.path, self.key, self.type, flags, choices, *bounds, self.fallback, self.shown, self.own = line.split("\t")
        self.least, self.most = bounds
        self.is_required = "required" in flags
        self.is_or_off = "off" in flags
        self.choices = choices.split(",") if choices else []

    def takes(self):
        """As the document has to say it."""
        words = self.own or {"list": "list of texts", "choice": ", ".join(self.choices)}.get(self.type, self.type)
        if self.most:
            words += f", {self.least} to {self.most}"
        return words + (", or off" if self.is_or_off else "")

    def default(self):
        if self.is_required:
            return "required"
        return self.shown or {'""': "empty", "": "none"}.get(self.fallback, self.fallback)


def rows():
    done = subprocess.run([ORACLE], capture_output=True, text=True, check=True)
    return [Row(line) for line in done.stdout.splitlines()]


ROWS = rows()


# ---- what the document says ----


def plain(cell):
    """A table's cell as words: without the marks of Markdown."""
    cell = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell.replace("`[", "⟦").replace("]`", "⟧"))
    return cell.replace("⟦", "[").replace("⟧", "]").replace("`", "").replace("\\|", "|").strip()


def documented():
    """The tables of keys: heading, and rows of key, takes, default, meaning."""
    found, heading, body = [], "", None
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line == HEAD:
            body = []
            found.append((heading, body))
        elif body is not None and line.startswith("| `"):
            body.append([plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif not line.startswith("|"):
            body = None
    return found


FOUND = documented()


@test("every table of keys is where it is looked for")
def _():
    equal([heading for heading, _ in FOUND], [heading for heading, _ in TABLES])
    equal(sorted({row.path for row in ROWS}), sorted({path for _, path in TABLES}), "tables of the program, of the document")


def of_path(path):
    return [row for (_, there), (_, body) in zip(TABLES, FOUND) if there == path for row in body]


PATHS = list(dict.fromkeys(path for _, path in TABLES))


@table([(f"docs/configuration.md has the keys of {path or 'the top'}, and no others", path) for path in PATHS])
def _(path):
    want = [row.key for row in ROWS if row.path == path]
    got = [row[0] for row in of_path(path)]
    # The document may group them as it reads best.
    equal(sorted(got), sorted(want))
    true(all(meaning for _, _, _, meaning in of_path(path)), "a key without a meaning")


@table([(f"docs/configuration.md: {row.path}.{row.key}", row) for row in ROWS])
def _(row):
    found = [(takes, default) for key, takes, default, _ in of_path(row.path) if key == row.key]
    equal(found, [(row.takes(), row.default())], "takes, default")


# ---- what the schema says ----


def at(schema, path):
    for step in path.split("/") if path else []:
        schema = schema[int(step)] if isinstance(schema, list) else schema[step]
    return schema


SCHEMA_TEXT = json.loads((SOURCE / "conf/statsidecar.schema.json").read_text())


@table([(f"the schema has the keys of {path or 'the top'}, and no others", path) for path in PATHS])
def _(path):
    place = at(SCHEMA_TEXT, SCHEMA[path])
    equal(sorted(place["properties"]), sorted(row.key for row in ROWS if row.path == path))
    equal(place["additionalProperties"], False)
    equal(sorted(place.get("required", [])), sorted(row.key for row in ROWS if row.path == path and row.is_required))


def written(value):
    """A default of the schema as a configuration would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(json.dumps(item) if "*" in item else item for item in value) + "]"
    return "empty" if value == "" else str(value)


def choices_of(definition):
    """The words that a definition lists, through its references; what is said otherwise (off, from the environment) is not."""
    found = []
    for part in [definition, *definition.get("anyOf", []), *definition.get("allOf", [])]:
        if "$ref" in part:
            part = at(SCHEMA_TEXT, part["$ref"][2:])
        found += [value for value in part.get("enum", []) if isinstance(value, str)]
    return found


@table([(f"the schema: {row.path}.{row.key}", row) for row in ROWS])
def _(row):
    definition = at(SCHEMA_TEXT, SCHEMA[row.path])["properties"][row.key]
    if "default" in definition:
        equal(written(definition["default"]), row.default(), "the schema's default, the program's")
    else:
        true(not row.fallback, f"no default, but the program has {row.default()}")
    if row.choices:
        equal(sorted(choices_of(definition)), sorted(row.choices), "choices")


main()
