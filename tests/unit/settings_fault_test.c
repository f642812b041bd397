/* Every fault of every map: the text and, line by line, what is said of it. */
#include <check.h>
#include <stdlib.h>

#include "settings/table.h"
#include "settings_support.h"

Suite *settings_fault_suite(void);

struct row {
	const char *name;
	const char *yaml;
	const char *want;
};

static const struct row rows[] = {
	{"nothing is wrong with nothing", "", ""},
	{"a list at the top", "- a\n", "1:1: a configuration is a map: begin with `rules:` or another key\n"},
	{"a text at the top", "rules\n", "1:1: a configuration is a map: begin with `rules:` or another key\n"},
	{"an unknown key that is near one", "rulez: []\n",
         "1:1: unknown key `rulez` in the configuration; did you mean `rules`?\n"},
	{"an unknown key that is near none", "log: {xyzzy: 1}\n",
         "1:7: unknown key `xyzzy` in log, which takes: level, format, quote\n"},
	{"a null is an empty map or list", "rules:\ntags: ~\nidentify: null\ncatalogue:\nfields:\nlimits:\nlog:\n", ""},
	{"a repeated key", "prefix: a\nprefix: b\n",
         "2:1: the key `prefix` stands here twice: line 1 has it already\n"},
	{"a repeated merge key", "tags: {<<: {a: b}, c: d, <<: {e: f}}\n",
         "1:26: `<<` stands here twice: write a list, <<: [*A, *B]\n"},
	{"what a repeated key holds is read too", "log: {level: loud}\nlog: {level: quiet}\n",
         "1:14: `level` takes debug, info, warn or error, not `loud`\n"
         "2:1: the key `log` stands here twice: line 1 has it already\n"
         "2:14: `level` takes debug, info, warn or error, not `quiet`\n"},
	{"a fault in an aliased map is said once",
         "rules:\n  - {match: a, tags: &t {a: {b}}}\n  - {match: b, tags: *t}\n",
         "2:29: a text that begins with { must stand in quotes: \"{b}\"\n"},
	{"control characters of the user's do not reach the terminal", "\"a\\x1b[31m\\nb\": c\n",
         "1:1: unknown key `a?[31m?b` in the configuration, which takes: include, prefix, tags, identify, catalogue, "
         "fields, "
         "lifecycles, rules, tests, inputs, outputs, limits, admin, telemetry, log, sandbox, shutdown_grace\n"},

	{"a text that is missing", "prefix:\n",
         "1:8: `prefix` has no value here: write one, or \"\" for an empty text\n"},
	{"a list where a text belongs", "prefix: [a]\n", "1:9: `prefix` takes a text, not a list\n"},
	{"a map where a text belongs", "prefix: {a: b}\n", "1:9: `prefix` takes a text, not a map\n"},
	{"a field without quotes", "prefix: {a}\n", "1:9: a text that begins with { must stand in quotes: \"{a}\"\n"},
	{"a prefix with other bytes", "prefix: a/b.\n",
         "1:9: `prefix: a/b.`: a metric's name takes A-Za-z0-9_.- only\n"},
	{"tags that are a list", "tags: [a]\n", "1:7: `tags` takes a map (KEY: VALUE), not a list\n"},
	{"a tag without value", "tags: {a: }\n", "1:11: `a` has no value here: write one, or \"\" for an empty text\n"},
	{"a tag without key", "tags: {\"\": a}\n", "1:8: a key of `tags` must not be empty\n"},
	{"a dollar in a constant is itself", "tags: {a: $1}\n", ""},
	{"a boolean that is none", "sandbox: maybe\n", "1:10: `sandbox: maybe`: write true or false\n"},
	{"a boolean in quotes", "sandbox: \"no\"\n", ""},
	{"a duration without unit", "shutdown_grace: 5\n",
         "1:17: `shutdown_grace: 5`: a duration needs a unit: ms, s, m, h or d\n"},
	{"a zero without unit", "shutdown_grace: 0\n",
         "1:17: `shutdown_grace: 0`: a duration needs a unit: ms, s, m, h or d\n"},
	{"a duration out of bounds", "shutdown_grace: 2h\n",
         "1:17: `shutdown_grace: 2h`: it must be between 0s and 1h\n"},

	{"inputs that are a map", "inputs: {url: a}\n",
         "1:9: `inputs` takes a list ([A, B], or lines that begin with -), not a map\n"},
	{"one input may stand alone", "inputs: \"stdin:\"\n", ""},
	{"stdin: without quotes", "inputs: [stdin:]\noutputs:\n  - stdout:\n",
         "1:10: a text that ends with : must stand in quotes: \"stdin:\"\n"
         "3:5: a text that ends with : must stand in quotes: \"stdout:\"\n"},
	{"an input of one key", "inputs:\n  - url:\n",
         "2:9: `url` has no value here: write one, or \"\" for an empty text\n"},
	{"no inputs", "inputs: []\n", "1:9: `inputs` needs at least one; leave it out for the default ones\n"},
	{"an input without URL", "inputs:\n  - {name: a}\n", "2:5: an input needs `url`\n"},
	{"an input with a misspelt URL", "inputs:\n  - {ulr: a}\n",
         "2:6: unknown key `ulr` in an input; did you mean `url`?\n"},
	{"an input that is an output", "inputs: [\"stdout:\"]\n",
         "1:10: `stdout:` is an output: an input can be udp, unix, tcp, unixstream, fifo or stdin:\n"},
	{"a port that is none", "inputs:\n  - udp://a:b\n",
         "2:5: `udp://a:b`: the port must be a number between 0 and 65535\n"},
	{"listening beyond this machine", "inputs:\n  - udp://0.0.0.0\n  - {url: \"tcp://[::]:1\"}\n",
         "2:5: `udp://0.0.0.0` listens beyond this machine: say who may send, `allow_from: [10.0.0.0/8]` or "
         "`allow_from: any`\n"
         "3:11: `tcp://[::]:1` listens beyond this machine: say who may send, `allow_from: [10.0.0.0/8]` or "
         "`allow_from: any`\n"},
	{"listening beyond it with leave",
         "inputs:\n  - {url: \"udp://0.0.0.0\", allow_from: any}\n"
         "  - {url: \"tcp://0.0.0.0:1\", allow_from: [10.0.0.0/8, \"::1\"]}\n",
         ""},
	{"a wrong network is no open door", "inputs: [{url: \"udp://0.0.0.0\", allow_from: [10.0.0.1/8, x]}]\n",
         "1:46: `allow_from: 10.0.0.1/8`: bits behind the / must be zero: 10.1.0.0/16, not 10.1.2.3/16\n"
         "1:58: `allow_from: x`: write a network such as 10.0.0.0/8 or fd00::/8, or an address\n"},
	{"nobody may send", "inputs: [{url: \"udp://0.0.0.0\", allow_from: []}]\n",
         "1:45: `allow_from` would let nobody in: write networks, or any\n"},
	{"keys of other transports",
         "inputs:\n  - {url: \"stdin:\", mode: 0600, receive_buffer: 1MiB}\n  - {url: \"udp://localhost\", group: adm, "
         "max_connections: 2}\n"
         "  - {url: \"fifo:///a\", allow_from: any}\n  - {url: \"unix://@a\", mode: 0600}\n",
         "2:21: `mode` has no meaning for `stdin:`: it belongs to fifo, unix and unixstream\n"
         "2:33: `receive_buffer` has no meaning for `stdin:`: it belongs to udp and unix\n"
         "3:30: `group` has no meaning for `udp://localhost`: it belongs to fifo\n"
         "3:42: `max_connections` has no meaning for `udp://localhost`: it belongs to tcp and unixstream\n"
         "4:24: `allow_from` has no meaning for `fifo:///a`: it belongs to udp and tcp\n"
         "5:24: `mode` has no meaning for `unix://@a`: an abstract name has none\n"},
	{"wrong values of an input",
         "inputs:\n  - {url: \"fifo:///a\", mode: 0888, format: xml, unnamed: drop}\n"
         "  - {url: \"udp://localhost\", receive_buffer: 1kb}\n  - {url: \"tcp://localhost:1\", max_connections: 0}\n",
         "2:30: `mode: 0888`: write an octal mode of up to 0777, such as 0620\n"
         "2:44: `format` takes auto, json, logfmt or statsd, not `xml`\n"
         "2:58: `unnamed` takes log or ignore, not `drop`\n"
         "3:46: `receive_buffer: 1kb`: write an integer, alone for bytes or with kB, MB, KiB or MiB\n"
         "4:49: `max_connections: 0`: it must be between 1 and 4096\n"},
	{"an input twice", "inputs: [\"stdin:\", \"stdin:\"]\n", "1:20: the input `stdin:` stands here twice\n"},
	{"one address in two spellings", "inputs: [\"udp://127.0.0.1\", \"udp://127.0.0.1:8127\"]\n",
         "1:29: the input `udp://127.0.0.1:8127` stands here twice\n"},
	{"port 0 twice is two ports",
         "inputs: [{url: \"udp://127.0.0.1:0\", name: a}, {url: \"udp://127.0.0.1:0\", name: b}]\n", ""},
	{"two inputs of one name", "inputs: [{url: \"stdin:\", name: a}, {url: \"fifo:///a\", name: a}]\n",
         "1:42: two inputs have the name `a`: give each its own\n"},

	{"no outputs", "outputs: []\n", "1:10: `outputs` needs at least one; leave it out for the default one\n"},
	{"an output that is an input", "outputs: [\"stdin:\", \"fifo:///a\"]\n",
         "1:11: `stdin:` is an input: an output can be udp, unix, unixstream, tcp or stdout:\n"
         "1:21: `fifo:///a` is an input: an output can be udp, unix, unixstream, tcp or stdout:\n"},
	{"an output to port 0", "outputs: [\"udp://a:0\"]\n", "1:11: `udp://a:0`: nothing can listen on port 0\n"},
	{"wrong values of an output",
         "outputs:\n  - {url: \"stdout:\", dialect: dogstats, when_full: wait, timers: h, max_datagram: 0, origin: "
         "node}\n"
         "  - {url: \"udp://a\", cardinality: all, resolve_interval: 1ms, reopen_interval: never, prefix: \"a b\"}\n",
         "2:31: `dialect` takes dogstatsd, statsd, graphite, influxdb, librato or signalfx, not `dogstats`; did you "
         "mean "
         "`dogstatsd`?\n"
         "2:52: `when_full` takes drop or block, not `wait`\n"
         "2:66: `timers` takes ms, histogram or distribution, not `h`\n"
         "2:83: `max_datagram: 0`: it must be between 1 and 65507\n"
         "2:94: `origin` takes off, pod or self, not `node`\n"
         "3:35: `cardinality` takes none, low, orchestrator or high, not `all`\n"
         "3:58: `resolve_interval: 1ms`: it must be between 10ms and 1d\n"
         "3:80: `reopen_interval: never`: write an integer with a unit: 250ms, 10s, 5m, 1h30m, 1d, or off\n"
         "3:95: `prefix: a b`: a metric's name takes A-Za-z0-9_.- only\n"},
	{"keys of other dialects",
         "outputs:\n  - {url: \"stdout:\", dialect: graphite, timers: ms, origin: off, cardinality: low, tags_in_name: "
         "true}\n"
         "  - {url: \"udp://a\", tags_in_name: false}\n",
         "2:41: `timers` has no meaning for the dialect graphite: it belongs to dogstatsd\n"
         "2:53: `origin` has no meaning for the dialect graphite: it belongs to dogstatsd\n"
         "2:66: `cardinality` has no meaning for the dialect graphite: it belongs to dogstatsd\n"
         "2:84: `tags_in_name` has no meaning for the dialect graphite: it belongs to statsd\n"
         "3:22: `tags_in_name` has no meaning for the dialect dogstatsd: it belongs to statsd\n"},
	{"an origin without container", "outputs: [{url: \"udp://a\", origin: {contaner: a}}]\n",
         "1:37: unknown key `contaner` in origin; did you mean `container`?\n"},
	{"an origin with a strange container", "outputs: [{url: \"udp://a\", origin: {container: \"a,b\"}}]\n",
         "1:48: `container: a,b`: a container's name has a-z, 0-9 and -\n"},
	{"two outputs of one name", "outputs: [\"udp://a\", {url: \"udp://a\", dialect: statsd}]\n",
         "1:22: two outputs have the name `udp://a`: give each its own with `name`\n"},

	{"wrong limits", "limits: {line: 0, names: 0, tag_values: many, tag_length: 1MB}\n",
         "1:16: `line: 0`: it must be between 1 and 1MiB\n"
         "1:26: `names: 0`: it must be between 1 and 1000000\n"
         "1:41: `tag_values: many`: write an integer\n"
         "1:59: `tag_length: 1MB`: it must be between 1 and 4KiB\n"},
	{"wrong limits of tags", "limits: {tag_values: {default: 0, step: x}}\n",
         "1:32: `default: 0`: it must be between 1 and 1000000\n1:41: `step: x`: write an integer\n"},
	{"admin without a port", "admin: localhost\n",
         "1:8: `localhost`: write an address and a port, such as 127.0.0.1:8128, or off\n"},
	{"an admin address that is none", "admin: 127.0.0.1:x\n",
         "1:8: `127.0.0.1:x`: write an address and a port, such as 127.0.0.1:8128, or off\n"},
	{"an admin address by name", "admin: host.example:80\n",
         "1:8: `host.example:80`: write an address and a port, such as 127.0.0.1:8128, or off\n"},
	{"admin addresses", "admin: localhost:80\n", ""},
	{"admin addresses of IPv6", "admin: \"[::1]:80\"\n", ""},
	{"admin that is on", "admin: on\ntelemetry: yes\n", ""},
	{"a wrong admin map", "admin: {listen: \":1\", api: maybe}\n",
         "1:17: `:1`: write an address and a port, such as 127.0.0.1:8128, or off\n"
         "1:28: `api` takes auto, on or off, not `maybe`\n"},
	{"telemetry that is a text", "telemetry: 10s\n", "1:12: `telemetry` takes a map (KEY: VALUE), not a text\n"},
	{"wrong telemetry", "telemetry: {interval: 10, metrics: some, prefix: \"a:\"}\n",
         "1:23: `interval: 10`: a duration needs a unit: ms, s, m, h or d\n"
         "1:36: `metrics` takes minimal or all, not `some`\n"
         "1:50: `prefix: a:`: a metric's name takes A-Za-z0-9_.- only\n"},
	{"a wrong log", "log: {level: inf, format: txt, quote: -1}\n",
         "1:14: `level` takes debug, info, warn or error, not `inf`; did you mean `info`?\n"
         "1:27: `format` takes text or json, not `txt`; did you mean `text`?\n"
         "1:39: `quote: -1`: write an integer, alone for bytes or with kB, MB, KiB or MiB\n"},

	{"identify with a wrong key", "identify: {field: a}\n",
         "1:12: unknown key `field` in identify; did you mean `fields`?\n"},
	{"a name that is no identifier", "catalogue:\n  1.a: {}\n  b c:\n  d: {aliases: [\"\", e!], legacy: [f]}\n",
         "2:3: `1.a` is no identifier: 1 to 200 of A-Z a-z 0-9 _ . : / - that begin with a letter\n"
         "3:3: `b c` is no identifier: 1 to 200 of A-Z a-z 0-9 _ . : / - that begin with a letter\n"
         "4:17: `` is no identifier: 1 to 200 of A-Z a-z 0-9 _ . : / - that begin with a letter\n"
         "4:21: `e!` is no identifier: 1 to 200 of A-Z a-z 0-9 _ . : / - that begin with a letter\n"},
	{"an event without more", "catalogue:\n  a.b:\n  c.d: {}\n", ""},
	{"a wrong event", "catalogue: {a: [b], c: {expect: d}}\n",
         "1:16: `a` takes a map (KEY: VALUE), not a list\n"
         "1:25: unknown key `expect` in an entry of the catalogue; did you mean `expects`?\n"},

	{"fields that are none", "fields: {a: b, c: [d], e: {}, f: {form: g}}\n",
         "1:13: a field is a map, such as {from: [NAME]}, or a list of them, not a text\n"
         "1:20: a field is a map, such as {from: [NAME]}, or a list of them, not a text\n"
         "1:27: a field needs `from`, `between`, `classify` or `default`\n"
         "1:35: unknown key `form` in a field; did you mean `from`?\n"},
	{"between", "fields: {a: {between: b}, c: {between: [d]}, e: {between: [f, g, h]}, i: {between: [j, k]}}\n",
         "1:23: `between` takes two fields: [started_at, completed_at]\n"
         "1:40: `between` takes two fields: [started_at, completed_at]\n"
         "1:59: `between` takes two fields: [started_at, completed_at]\n"},
	{"classify",
         "fields:\n  a: {classify: b}\n  c: {patterns: []}\n  d: {classify: e, from: f, between: [g, h], patterns: "
         "[]}\n"
         "  i: {from: j, missing: k}\n",
         "2:7: `classify` needs `patterns`: [{find: [TEXT], is: CLASS}, …]\n"
         "3:6: a field needs `from`, `between`, `classify` or `default`\n"
         "3:7: `patterns` needs `classify`: the field that they are tried on\n"
         "4:20: `from` and `classify` exclude each other: classify another field that has the `from`\n"
         "4:29: `between` and `classify` exclude each other\n"
         "5:16: `missing` needs `classify`; the value of an absent field is `default`\n"},
	{"patterns", "fields:\n  a:\n    classify: b\n    patterns: [c, {is: d}, {find: e}, {find: f, is: g}]\n",
         "4:16: a pattern is a map, such as {find: [TEXT], is: CLASS}, not a text\n"
         "4:19: a pattern needs `find` (texts) or `when` (conditions)\n"
         "4:28: a pattern needs `is`\n"},

	{"rules that are none", "rules: [a, [b], {}]\n",
         "1:9: a rule is a map, such as {match: GLOB, metrics: […]}, not a text\n"
         "1:12: a rule is a map, such as {match: GLOB, metrics: […]}, not a list\n"
         "1:17: a rule needs `match`\n"},
	{"a rule with wrong keys", "rules: [{mach: a, metric: []}]\n",
         "1:10: unknown key `mach` in a rule; did you mean `match`?\n"
         "1:19: unknown key `metric` in a rule; did you mean `metrics`?\n"},
	{"a match of nothing", "rules: [{match: []}, {match: }, {match: {a: b}}]\n",
         "1:17: `match` needs an identifier or a glob; \"**\" matches every event\n"
         "1:30: `match` has no value here: write one, or \"\" for an empty text\n"
         "1:41: `match` takes a list of texts, not a map\n"},
	{"a drop that does more", "rules: [{match: a, drop: true, metrics: [], continue: true}]\n",
         "1:32: `drop: true` ends the event, so that these metrics never go out: remove one of the two\n"
         "1:45: `drop: true` ends the event: remove it, or `continue`\n"},
	{"flags that are none", "rules: [{match: a, continue: 1, fallback: x, replace: [], drop: {a: b}}]\n",
         "1:30: `continue: 1`: write true or false\n"
         "1:43: `fallback: x`: write true or false\n"
         "1:55: `replace` takes a text, not a list\n"
         "1:65: `drop` takes a text, not a map\n"},
	{"$1 in templates",
         "rules:\n  - match: a.*\n    name: $1\n    tags: {a: \"${1}\", b: $$1}\n    metrics: [{counter: a.$1}, "
         "{counter: b.$2x}]\n",
         "4:15: write {1} for what the pattern's star number 1 caught ($$1 for a dollar and a 1)\n"
         "5:25: write {1} for what the pattern's star number 1 caught ($$1 for a dollar and a 1)\n"
         "5:42: write {2} for what the pattern's star number 2 caught ($$2 for a dollar and a 2)\n"},

	{"metrics that are none",
         "rules: [{match: a, metrics: [b, {}, {value: c}, {countr: d}, {counter: e, gauge: f, value: 1}]}]\n",
         "1:30: a metric is a map, such as {counter: NAME}, not a text\n"
         "1:33: a metric needs its kind and name: counter, timer, gauge, histogram, distribution, set, relay, event or "
         "service_check\n"
         "1:37: a metric needs its kind and name: counter, timer, gauge, histogram, distribution, set, relay, event or "
         "service_check\n"
         "1:50: unknown key `countr` in a metric; did you mean `counter`?\n"
         "1:75: a metric is of one kind: `counter` stands here already; begin a new one with -\n"},
	{"what kinds need",
         "rules:\n  - match: a\n    metrics:\n      - timer: a\n      - {timer: b, value: c}\n      - {gauge: d}\n"
         "      - {histogram: e}\n      - {distribution: f}\n      - {set: g}\n      - {relay: h}\n      - {counter: "
         "i}\n",
         "4:9: a timer needs `value`: a field's name or a number\n"
         "4:9: a timer needs `unit`, that of its value: s, ms, us or ns\n"
         "5:9: a timer needs `unit`, that of its value: s, ms, us or ns\n"
         "6:9: a gauge needs `value`: a field's name or a number\n"
         "7:9: a histogram needs `value`: a field's name or a number\n"
         "8:9: a distribution needs `value`: a field's name or a number\n"
         "9:9: a set needs `value`: a field's name or a number\n"},
	{"what kinds do not take",
         "rules:\n  - match: a\n    metrics:\n      - {counter: a, unit: s}\n"
         "      - {gauge: b, value: c, unit: s, sample_rate: 0.5}\n      - {set: d, value: e, sample_rate: 0.5}\n"
         "      - {relay: f, value: g, unit: s, sample_rate: 0.5}\n"
         "      - {event: {title: h, text: i}, value: j, sample_rate: 1}\n"
         "      - {service_check: {name: k, status: ok}, unit: s}\n",
         "4:22: `unit` has no meaning here: it belongs to a timer, a histogram, a distribution\n"
         "5:30: `unit` has no meaning here: it belongs to a timer, a histogram, a distribution\n"
         "5:39: `sample_rate` has no meaning here: it belongs to a counter, a timer, a histogram, a distribution\n"
         "6:28: `sample_rate` has no meaning here: it belongs to a counter, a timer, a histogram, a distribution\n"
         "7:20: `value` has no meaning here: it belongs to a counter, a timer, a gauge, a histogram, a distribution, a "
         "set\n"
         "7:30: `unit` has no meaning here: it belongs to a timer, a histogram, a distribution\n"
         "7:39: `sample_rate` has no meaning here: it belongs to a counter, a timer, a histogram, a distribution\n"
         "8:38: `value` has no meaning here: it belongs to a counter, a timer, a gauge, a histogram, a distribution, a "
         "set\n"
         "8:48: `sample_rate` has no meaning here: it belongs to a counter, a timer, a histogram, a distribution\n"
         "9:48: `unit` has no meaning here: it belongs to a timer, a histogram, a distribution\n"},
	{"sample rates",
         "rules:\n  - match: a\n    metrics:\n      - {counter: a, sample_rate: 0}\n      - {counter: b, sample_rate: "
         "1.01}\n"
         "      - {counter: c, sample_rate: -0.5}\n      - {counter: d, sample_rate: .5}\n      - {counter: e, "
         "sample_rate: 1e-3}\n"
         "      - {counter: f, sample_rate: 1.0}\n      - {counter: g, sample_rate: \"0.5\"}\n",
         "4:35: `sample_rate: 0`: write a number above 0 and at most 1, such as 0.1\n"
         "5:35: `sample_rate: 1.01`: write a number above 0 and at most 1, such as 0.1\n"
         "6:35: `sample_rate: -0.5`: write a number above 0 and at most 1, such as 0.1\n"
         "7:35: `sample_rate: .5`: write a number above 0 and at most 1, such as 0.1\n"},
	{"events and service checks",
         "rules:\n  - match: a\n    metrics:\n      - {event: a}\n      - event:\n      - {event: {title: b, text: c, "
         "alert: bad, priority: high}}\n"
         "      - {event: {text: d}}\n      - {service_check: {name: e}}\n      - {service_check: {name: f, status: "
         "up, mesage: g}}\n"
         "      - {service_check: [h]}\n",
         "4:17: `event` takes a map (KEY: VALUE), not a text\n"
         "5:15: an event needs `title`\n"
         "6:44: `alert` takes error, warning, info or success, not `bad`\n"
         "6:59: `priority` takes normal or low, not `high`\n"
         "7:17: an event needs `title`\n"
         "8:25: a service check needs `status`\n"
         "9:43: `status` takes ok, warning, critical or unknown, not `up`\n"
         "9:47: unknown key `mesage` in a service check; did you mean `message`?\n"
         "10:25: `service_check` takes a map (KEY: VALUE), not a list\n"},

	{"a lifecycle that is none", "lifecycles: {a: b, c: , d: {}}\n",
         "1:17: `a` takes a map (KEY: VALUE), not a text\n"
         "1:20: a lifecycle needs `key` and `enter`\n"
         "1:28: a lifecycle needs `key`\n"
         "1:28: a lifecycle needs `enter`\n"},
	{"states that no event enters",
         "lifecycles:\n  a:\n    key: b\n    enter: {c: done, d: open}\n    active: [opn, open]\n    final: "
         "[elsewhere]\n"
         "    transitions: {open: [don], lost: [done]}\n    duration: {field: e, state: opened}\n",
         "5:14: no event enters the state `opn`; did you mean `open`?\n"
         "6:13: no event enters the state `elsewhere`: `enter` does not name it\n"
         "7:26: no event enters the state `don`; did you mean `done`?\n"
         "7:32: no event enters the state `lost`: `enter` does not name it\n"
         "8:33: no event enters the state `opened`; did you mean `open`?\n"},
	{"wrong values of a lifecycle",
         "lifecycles:\n  a:\n    key: b\n    enter: {c: [d], e: f}\n    duration: {field: g}\n    max_entities: 0\n    "
         "linger: 5\n"
         "    expire: off\n    stuck_after: 0ms\n    in_flight: \"a b\"\n",
         "4:16: `c` takes a text, not a list\n"
         "5:15: duration needs `state`\n"
         "6:19: `max_entities: 0`: it must be between 1 and 16777214\n"
         "7:13: `linger: 5`: a duration needs a unit: ms, s, m, h or d\n"
         "8:13: `expire: off`: write an integer with a unit: 250ms, 10s, 5m, 1h30m, 1d\n"
         "9:18: `stuck_after: 0ms`: it must be between 1ms and 366d\n"
         "10:5: `in_flight` needs `active`: the states that it counts\n"
         "10:16: `in_flight: a b`: a metric's name takes A-Za-z0-9_.- only\n"},
	{"stuck_after without active", "lifecycles: {a: {key: b, enter: {c: d}, stuck_after: 5m}}\n",
         "1:41: `stuck_after` needs `active`: the states that it watches\n"},

	{"tests that are none", "tests: [a, {}, {event: b}, {expect: []}, {event: c, events: [d], expect: dropped}]\n",
         "1:9: a test is a map, such as {event: …, expect: […]}, not a text\n"
         "1:12: a test needs `expect`\n"
         "1:12: a test needs `event` or `events`\n"
         "1:16: a test needs `expect`\n"
         "1:28: a test needs `event` or `events`\n"
         "1:53: a test has `event` or `events`, not both\n"},
	{"expectations",
         "tests:\n  - {event: a, expect: dropt}\n  - {event: b, expect: [dropped]}\n  - {event: c, expect: \"a:1|c\"}\n"
         "  - {event: \"d\\ne\", expect: [\"a:1|c\"]}\n",
         "2:24: `expect` takes mapped, fallback, dropped, empty, unmapped, unnamed, malformed or oversize, not "
         "`dropt`\n"
         "3:25: an outcome stands alone: `expect: dropped`\n"
         "5:13: an event is one line: use `events` for several\n"},

	{"what was cut off is not missing", "inputs:\n  - {url: \"udp://0.0.0.0\"", NULL},
	{"a list that was cut off", "rules: [\n", "2:1: a value is missing here, or the ] or } that closes the list or map\n"},
	{"fields without quotes behind blanks",
         "rules:\n  - match: a\n    metrics:\n      - {counter: c, tags: {a: b {f}, c: d}, when: [x, y > {z}]}\n",
         "4:32: a text with { in it must stand in quotes here: \"b {f}\"\n"
         "4:56: a text with { in it must stand in quotes here: \"y > {z}\"\n"},
	{"a rule that was cut off", "rules:\n  - match: a\n    metrics:\n      - timer: \"b\n",
         "4:16: a quote opens here and is never closed\n"},
	{"faults before a place where YAML ends are told", "log: {level: a}\nrules: [\"\n",
         "1:14: `level` takes debug, info, warn or error, not `a`\n2:9: a quote opens here and is never closed\n"},
};

START_TEST(said_of)
{
	support_clear_environment();
	char *got = support_faults(rows[_i].yaml);
	if (rows[_i].want)
		ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: got\n%swant\n%s", rows[_i].name, got,
		              rows[_i].want);
	else
		ck_assert_msg(*got && !strstr(got, "allow_from") && !strstr(got, "needs"), "%s: got\n%s", rows[_i].name,
		              got);
	free(got);
}
END_TEST

START_TEST(too_many_inputs_and_outputs)
{
	char yaml[8192] = "inputs:\n";
	size_t len = strlen(yaml);
	for (int i = 0; i < 66; i++)
		len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "  - udp://127.0.0.1:%d\n", i + 1);
	len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "outputs:\n");
	for (int i = 0; i < 33; i++)
		len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "  - {url: \"udp://127.0.0.1:%d\"}\n", i + 1);
	char *got = support_faults(yaml);
	ck_assert_str_eq(got, "66:5: more than 64 inputs\n67:5: more than 64 inputs\n101:5: more than 32 outputs\n");
	free(got);
}
END_TEST

START_TEST(command_line)
{
	static const char *const inputs[] = {"udp://0.0.0.0", "fifo:/a", "stdin:", "stdin:"}, *const outputs[] = {
												      "http://a",
												      "fifo:///a"};
	const struct settings_request request = {NULL,     inputs, ARRAY_LEN(inputs), outputs, ARRAY_LEN(outputs),
	                                         "dogstat"};
	const struct support_file files[] = {{"c.yaml", "inputs: [\"bad\"]\n"}, {NULL, NULL}};
	char *got;
	support_load(files, &request, NULL, &got);
	ck_assert_str_eq(
		got, "1:10: `bad`: write a URL: udp://HOST:PORT, unix:///PATH, unixstream:///PATH, tcp://HOST:PORT, "
	             "fifo:///PATH, stdin: or "
		     "stdout:\n"
		     "--input:0:0: `udp://0.0.0.0` listens beyond this machine: say who may send, `allow_from: "
	             "[10.0.0.0/8]` or `allow_from: "
		     "any`\n"
		     "--input:0:0: `fifo:/a`: write a URL: udp://HOST:PORT, unix:///PATH, unixstream:///PATH, "
	             "tcp://HOST:PORT, fifo:///PATH, "
		     "stdin: or stdout:\n"
		     "--input:0:0: the input `stdin:` stands here twice\n"
		     "--output:0:0: `http://a`: write a URL: udp://HOST:PORT, unix:///PATH, unixstream:///PATH, "
	             "tcp://HOST:PORT, fifo:///PATH, "
		     "stdin: or stdout:\n"
		     "--output:0:0: `fifo:///a` is an input: an output can be udp, unix, unixstream, tcp or stdout:\n"
		     "--dialect:0:0: `--dialect` takes dogstatsd, statsd, graphite, influxdb, librato or signalfx, not "
	             "`dogstat`; did you mean "
		     "`dogstatsd`?\n");
	free(got);
}
END_TEST

/* Rows without help, or two rows of one key, would make a poor reference. */
START_TEST(tables_are_whole)
{
	size_t count = 0;
	for (const struct table *table; (table = table_at(count)); count++) {
		ck_assert_uint_gt(table->count, 0);
		for (size_t i = 0; i < table->count; i++) {
			const struct setting *setting = &table->settings[i];
			ck_assert_msg(setting->help != NULL, "%s: `%s` has no help", table->what, setting->key);
			ck_assert_msg(table_find(table, span_of(setting->key)) == setting, "%s: `%s` stands twice",
			              table->what, setting->key);
			ck_assert_msg(setting->type != SETTING_OWN || (setting->read && setting->takes), "%s: `%s`",
			              table->what, setting->key);
			ck_assert_msg(setting->type != SETTING_CHOICE || setting->choices, "%s: `%s`", table->what,
			              setting->key);
		}
	}
	ck_assert_uint_ge(count, 19);
}
END_TEST

Suite *settings_fault_suite(void)
{
	Suite *suite = suite_create("settings_fault");
	TCase *faults = tcase_create("faults");
	tcase_add_loop_test(faults, said_of, 0, ARRAY_LEN(rows));
	tcase_add_test(faults, too_many_inputs_and_outputs);
	tcase_add_test(faults, command_line);
	tcase_add_test(faults, tables_are_whole);
	suite_add_tcase(suite, faults);
	return suite;
}
