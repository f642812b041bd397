/* The configurations of whole.c: what most users have, and what takes the other ways through the translator. Limits are low,
 * so that guards and tables fill up, and a rig is made quickly. */
#ifndef STATSIDECAR_TESTS_FUZZ_CONFIGURATIONS_H
#define STATSIDECAR_TESTS_FUZZ_CONFIGURATIONS_H

#include "../property/wire_parser.h"

#define EVERY_DIALECT                                                                                    \
	"outputs:\n"                                                                                     \
	"  - {url: 'udp://127.0.0.1:8125', name: dogstatsd, dialect: dogstatsd, origin: off}\n"          \
	"  - {url: 'udp://127.0.0.1:8125', name: statsd, dialect: statsd}\n"                             \
	"  - {url: 'udp://127.0.0.1:8125', name: graphite, dialect: graphite, max_datagram: 512}\n"      \
	"  - {url: 'udp://127.0.0.1:8125', name: influxdb, dialect: influxdb, prefix: 'i.'}\n"           \
	"  - {url: 'udp://127.0.0.1:8125', name: librato, dialect: librato, filter: ['**', '!step.**']}\n" \
	"  - {url: 'udp://127.0.0.1:8125', name: signalfx, dialect: signalfx, max_datagram: 8192}\n"

#define LOW_LIMITS "limits: {line: 4096, names: 12, tag_values: 8, tag_length: 40}\n"

struct configuration {
	const char *yaml;
	enum wire_origin origin;
};

static const struct configuration configurations[] = {
	/* The default: the pack, and its lifecycles. */
	{"include: [tasker-lifecycles]\n"
         "inputs: ['stdin:']\n" EVERY_DIALECT LOW_LIMITS
         "lifecycles:\n"
         "  step:\n"
         "    key: [task_id, step_id]\n"
         "    enter: {'step.*_requested': asked, step.completed: complete, step.failed: error, 'step.retry*': asked}\n"
         "    transitions: {asked: [complete, error], error: [asked], complete: []}\n"
         "    active: [asked]\n"
         "    final: [complete]\n"
         "    duration: {field: execution_duration, state: asked}\n"
         "    timestamp: timestamp\n"
         "    max_entities: 4\n"
         "    in_flight: in_flight\n"
         "    stuck_after: 1m\n"
         "  task:\n"
         "    key: [task_id]\n"
         "    enter: {task.start_requested: busy, task.completed: complete, 'task.*': other}\n"
         "    transitions: {busy: [complete], complete: [], other: [busy, complete]}\n"
         "    final: [complete]\n"
         "    max_entities: 2\n"
         "rules:\n"
         "  - {match: lifecycle.invalid_transition, metrics: [{counter: 'wrong.{lifecycle}', tags: {from: '{from}', "
         "entity: '{entity}'}}]}\n"
         "  - {match: '**', continue: true, metrics: [{timer: stay, value: state.duration, unit: s, tags: {to: "
         "'{state.to}'}}]}\n",
         WIRE_MADE},
	/* Every kind of metric, names with tags in them, sampling, conditions, captures, an output that blocks. */
	{"inputs: [{url: 'stdin:', tags: {via: in}, event: nameless}]\n"
         "outputs:\n"
         "  - {url: 'udp://127.0.0.1:8125', dialect: dogstatsd, origin: off, timers: distribution, cardinality: low}\n"
         "  - {url: 'udp://127.0.0.1:8125', name: names, dialect: statsd, tags_in_name: true, max_datagram: 256}\n"
         "  - {url: 'udp://127.0.0.1:8125', name: slow, dialect: influxdb, when_full: block, max_datagram: 300}\n"
         LOW_LIMITS
         "prefix: 'p.'\n"
         "tags: {env: '${FUZZ_ENV:-prod}', via: all}\n"
         "identify: {strip: ['app.', 'App::']}\n"
         "catalogue:\n"
         "  a.b: {aliases: ['A::B'], legacy: [ab], expects: [x, y.z]}\n"
         "fields:\n"
         "  took: {from: [took, duration, data.took], between: [from, to]}\n"
         "  tries: {from: [tries, list.0], default: 1}\n"
         "  kind:\n"
         "    classify: error\n"
         "    patterns: [{find: [time, Out], is: timeout}, {when: ['rc >= 8', 'not fine'], is: severe}]\n"
         "    default: other\n"
         "    missing: none\n"
         "rules:\n"
         "  - {match: 'debug.**', drop: true}\n"
         "  - match: ['a.*', 'b.*']\n"
         "    continue: true\n"
         "    tags: {one: '{1}', kind: '{kind}', x: '{x}'}\n"
         "    metrics:\n"
         "      - {counter: 'c.{1}', tags: {x: 'a{x}b', seg: '{event.1}'}}\n"
         "      - {counter: sampled, sample_rate: 0.5}\n"
         "      - {counter: many, value: tries, when: ['tries > 1', 'x != no'], any: [y, \"took < {limit}\"]}\n"
         "      - {timer: t, value: took, unit: s}\n"
         "      - {timer: u, value: data.us, unit: us, sample_rate: 0.9}\n"
         "      - {gauge: g, value: took}\n"
         "      - {set: s, value: x}\n"
         "      - {histogram: h, value: took, unit: ns}\n"
         "      - {distribution: d, value: tries}\n"
         "      - event: {title: '{x}', text: '{y} {{x}} {error}', alert: error, key: '{x}', source: '{y}', priority: low}\n"
         "      - service_check: {name: 'check.{x}', status: critical, message: '{error}{x}'}\n"
         "  - {match: 'a.**', metrics: [{counter: starred, when: ['x ~ *1*']}], replace: true}\n"
         "  - {match: '**', fallback: true, metrics: [{counter: '{event}', tags: {event: '{event}'}}]}\n",
         WIRE_MADE},
	/* StatsD lines, relayed. */
	{"inputs: [{url: 'stdin:', format: statsd, tags: {via: in}}]\n" EVERY_DIALECT LOW_LIMITS
         "rules:\n"
         "  - {match: 'timers.*', metrics: [{timer: 't.{1}', value: value, unit: ms, tags: {env: '{env}', type: '{type}'}}]}\n"
         "  - {match: '**', metrics: [{relay: 'r.{event}', tags: {t: '{env}'}}], tags: {rate: '{rate}'}}\n",
         WIRE_RELAYED},
};

#endif
