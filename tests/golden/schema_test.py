"""conf/statsidecar.schema.json describes the grammar to editors: it takes every configuration of conf/, and refuses what
a schema can know to be wrong. What it cannot know stands in BEYOND: there only `statsidecar check` helps.

Needs PyYAML and jsonschema (Debian: python3-yaml, python3-jsonschema); skipped where they are absent.
"""

import json
import os
import pathlib
import sys

SOURCE = pathlib.Path(os.environ.get("srcdir") or pathlib.Path(__file__).parents[2]).resolve()

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"1..0 # SKIP no {error.name} for {sys.executable} (Debian: apt-get install python3-yaml python3-jsonschema)")
    sys.exit(0)


class Loader(yaml.SafeLoader):
    """YAML as editors read it: version 1.2, where `on`, `no` and 12:30 are texts, with merge keys, and where
    no key may stand twice."""

    yaml_implicit_resolvers = {}

    def flatten_mapping(self, node):
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.YAMLError("a key stands twice")
        super().flatten_mapping(node)


for tag, expression, first in (
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$|^0o[0-7]+$", "-+0123456789"),
    ("float", r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", yaml.resolver.re.compile(expression), list(first))
Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(node.value[2:], 8) if "o" in node.value else int(node.value)
)

# What a schema refuses: a name in words, and a document with that one fault.
REFUSED = [
    ("an unknown key at the top", "rulez: []"),
    ("an unknown key of an input", "inputs: [{url: 'udp://127.0.0.1:8127', fromat: json}]"),
    ("an unknown key of an output", "outputs: [{url: 'udp://127.0.0.1:8125', dialet: statsd}]"),
    ("an unknown key of a rule", "rules: [{mach: a.b, metrics: []}]"),
    ("an unknown key of a metric", "rules: [{match: a.b, metrics: [{counter: a, tag: {a: b}}]}]"),
    ("an unknown key of a field", "fields: {a: {form: [b]}}"),
    ("an unknown key of a lifecycle", "lifecycles: {a: {key: [b], enter: {a.b: c}, stuck_afer: 5m}}"),
    ("an unknown key of the limits", "limits: {lines: 64KiB}"),
    ("classes without patterns", "fields: {a: {classify: b, default: c}}"),
    ("an input of an unknown kind", "inputs: ['file:///var/log/events']"),
    ("an input without URL", "inputs: [{name: lan}]"),
    ("an output to standard input", "outputs: ['stdin:']"),
    ("a pipe without a path", "inputs: ['fifo://']"),
    ("an unknown dialect", "outputs: [{url: 'stdout:', dialect: prometheus}]"),
    ("an unknown format", "inputs: [{url: 'stdin:', format: xml}]"),
    ("a duration without unit", "shutdown_grace: 5"),
    ("a duration that is quoted, without unit", "telemetry: {interval: '10'}"),
    ("a duration with a fraction", "shutdown_grace: 1.5s"),
    ("bytes with an unknown unit", "limits: {line: 64KB}"),
    ("a mode that is not octal", "inputs: [{url: 'fifo:///a', mode: '0689'}]"),
    ("a boolean that is none", "sandbox: maybe"),
    ("a list where a map belongs", "tags: [env]"),
    ("a map where a list belongs", "rules: {match: a.b}"),
    ("a rule without match", "rules: [{metrics: [{counter: a}]}]"),
    ("a rule that matches nothing at all", "rules: [{match: [], metrics: [{counter: a}]}]"),
    ("a rule that drops and measures", "rules: [{match: a.b, drop: true, metrics: [{counter: a}]}]"),
    ("a metric of no kind", "rules: [{match: a.b, metrics: [{value: a}]}]"),
    ("a metric of two kinds", "rules: [{match: a.b, metrics: [{counter: a, gauge: b, value: 1}]}]"),
    ("a timer without unit", "rules: [{match: a.b, metrics: [{timer: a, value: b}]}]"),
    ("a timer without value", "rules: [{match: a.b, metrics: [{timer: a, unit: s}]}]"),
    ("a gauge without value", "rules: [{match: a.b, metrics: [{gauge: a}]}]"),
    ("a unit of its own", "rules: [{match: a.b, metrics: [{timer: a, value: b, unit: sec}]}]"),
    ("a unit on a counter", "rules: [{match: a.b, metrics: [{counter: a, unit: s}]}]"),
    ("a sample rate above 1", "rules: [{match: a.b, metrics: [{counter: a, sample_rate: 1.5}]}]"),
    ("a sample rate of 0", "rules: [{match: a.b, metrics: [{counter: a, sample_rate: 0}]}]"),
    ("a sample rate on a gauge", "rules: [{match: a.b, metrics: [{gauge: a, value: b, sample_rate: 0.5}]}]"),
    ("a literal metric name with a blank", "rules: [{match: a.b, metrics: [{counter: a b}]}]"),
    ("a literal metric name with a colon", "rules: [{match: a.b, metrics: [{counter: 'a:b'}]}]"),
    ("a prefix with a slash", "prefix: a/b"),
    ("$1 where {1} is meant", "rules: [{match: 'a.*', metrics: [{counter: 'a.$1'}]}]"),
    ("${1} where {1} is meant", "rules: [{match: 'a.*', tags: {a: '${1}'}, metrics: [{counter: a}]}]"),
    ("{field} without quotes is a map", "rules: [{match: a.b, tags: {step: {step_name}}, metrics: [{counter: a}]}]"),
    ("an unknown alert of an event", "rules: [{match: a.b, metrics: [{event: {title: a, text: b, alert: bad}}]}]"),
    ("an unknown status of a service check", "rules: [{match: a.b, metrics: [{service_check: {name: a, status: up}}]}]"),
    ("an identifier that begins with a digit", "catalogue: {1.step: {}}"),
    ("between one field", "fields: {a: {between: [b]}}"),
    ("a field from nowhere", "fields: {a: {events: a.b}}"),
    ("patterns without classify", "fields: {a: {from: b, patterns: [{find: [c], is: d}]}}"),
    ("a pattern without class", "fields: {a: {classify: b, patterns: [{find: [c]}]}}"),
    ("five payload objects", "identify: {payload: [a, b, c, d, e]}"),
    ("a lifecycle without key", "lifecycles: {a: {enter: {a.b: c}}}"),
    ("a test without expectation", "tests: [{name: a, event: a.b}]"),
    ("a test with event and events", "tests: [{event: a.b, events: [a.b], expect: []}]"),
    ("a wait without unit", "tests: [{event: a.b, wait: 5, expect: []}]"),
    ("an outcome that there is none of", "tests: [{event: a.b, expect: lost}]"),
]

# What only `statsidecar check` finds: a schema sees one value at a time, and takes all of these.
BEYOND = [
    ("a rule that is never reached", "rules: [{match: 'a.**', metrics: []}, {match: a.b, metrics: []}]"),
    ("a capture that the glob does not make", "rules: [{match: a.b, metrics: [{counter: 'a.{1}'}]}]"),
    ("an environment variable that is not set", "prefix: '${STATSIDECAR_TEST_NOT_SET}'"),
    ("a pack that there is none of", "include: [taskr]"),
    ("a condition without operator", "rules: [{match: a.b, metrics: [{counter: a, when: ['a b']}]}]"),
    ("a name that stands for two events", "catalogue: {a.b: {aliases: [c.d]}, e.f: {aliases: [c.d]}}"),
    ("listening everywhere without allow_from", "inputs: ['udp://0.0.0.0:8127']"),
    ("a state that no event enters", "lifecycles: {a: {key: [b], enter: {a.b: c}, active: [d]}}"),
]

# The twelve faults of tests/data/twelve-faults.yaml by the text of their lines, and who finds each: the schema seven, any
# reader of YAML two more, and `check` all twelve.
TWELVE = [
    ("an unknown key of an input", "fromat: json", "schema"),
    ("an address that all may send to", "udp://0.0.0.0:8128", "check"),
    ("a list where a word belongs", "dialect: [graphite]", "schema"),
    ("an environment variable that is not set", "${STATSIDECAR_TEST_REGION}", "check"),
    ("a key that is repeated", "match: cart.*", "yaml"),
    ("a template without quotes", "shop: {shop}", "schema"),
    ("$1 where {1} is meant", "orders.$1", "schema"),
    ("a timer without unit", "", "schema"),
    ("a metric's name with a slash", "orders/paid", "schema"),
    ("a glob without quotes", "match: *.failed", "yaml"),
    ("a rule that is never reached", "match: order.late", "check"),
    ("a duration without unit", "shutdown_grace: 10", "schema"),
]

# What may look odd and is right.
ACCEPTED = [
    ("texts that look like numbers, booleans and times", "rules: [{match: n, name: 12:30, metrics: []}]"),
    ("off in every way", "admin: off\ntelemetry: off\nsandbox: off"),
    ("values from the environment", "sandbox: '${A:-on}'\nshutdown_grace: '${B:-5s}'\nprefix: '${C:-}'"),
    ("modes with and without quotes", "inputs: [{url: 'fifo:///a', mode: 0620}, {url: 'unix:///b', mode: '0o660'}]"),
    ("merged tags", "rules: [{match: a, tags: &t {a: b}, metrics: []}, {match: b, tags: {<<: *t, c: d}, metrics: []}]"),
    ("a limit of its own for one tag", "limits: {tag_values: {default: 1000, step: 5000}}"),
    ("an abstract socket and IPv6", "inputs: ['unix://@events', 'udp://[::1]:8127']"),
    ("one text instead of a list", "rules: [{match: a.b, metrics: [{counter: a, when: 'b > 1', any: c}]}]"),
    ("empty texts", "prefix: ''\ntags: {env: ''}"),
]


def twelve():
    """Documents with one of the twelve faults each, the rest as in the file without faults."""
    faulty = (SOURCE / "tests/data/twelve-faults.yaml").read_text().splitlines()
    right = (SOURCE / "tests/data/twelve-right.yaml").read_text().splitlines()
    places = [i for i, line in enumerate(faulty) if line != right[i] and not line.startswith("#")]
    if len(faulty) != len(right) or len(places) != len(TWELVE):
        raise ValueError("the two files of twelve faults do not differ in twelve lines")
    for place, (name, part, finder) in zip(places, TWELVE):
        if part not in faulty[place] or (not part and faulty[place]):
            raise ValueError(f"{part!r} is not in the faulty line {place + 1}: {faulty[place]!r}")
        text = "\n".join(right[:place] + [faulty[place]] + right[place + 1 :])
        yield f"of the twelve, found by {finder}: {name}", text, finder


def faults(validator, text):
    try:
        document = yaml.load(text, Loader)
    except yaml.YAMLError as error:
        return [f"no YAML: {error}"]
    found = validator.iter_errors(document)
    return [f"{'/'.join(map(str, error.absolute_path)) or 'top'}: {error.message}" for error in found]


def main():
    schema = json.loads((SOURCE / "conf/statsidecar.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    rows = [
        (f"{path.relative_to(SOURCE)} is accepted", path.read_text(), True)
        for path in sorted((SOURCE / "conf").rglob("*.yaml"))
    ]
    rows += [(f"refused: {name}", text, False) for name, text in REFUSED]
    rows += [(f"left to `check`: {name}", text, True) for name, text in BEYOND]
    rows += [(f"accepted: {name}", text, True) for name, text in ACCEPTED]
    rows.append(("twelve-right.yaml is accepted", (SOURCE / "tests/data/twelve-right.yaml").read_text(), True))
    rows += [(name, text, finder == "check") for name, text, finder in twelve()]
    failed = 0
    print(f"1..{len(rows)}")
    for number, (name, text, is_valid) in enumerate(rows, 1):
        found = faults(validator, text)
        is_well = (not found) == is_valid
        failed += not is_well
        print(f"{'ok' if is_well else 'not ok'} {number} - {name}")
        if not is_well:
            print("# want: " + ("no fault" if is_valid else "a fault"))
            for fault in found or ["none"]:
                print("# got: " + fault.replace("\n", " ")[:400])
    sys.exit(1 if failed else 0)


main()
