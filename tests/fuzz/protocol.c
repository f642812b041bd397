/* No event forges a metric: two texts, apart by a NUL byte, in every place that a field can fill, in every dialect. Every line
 * that comes out is one of the configuration's, with its tags and no others, and there are as many as were made. The first byte
 * says how the texts come in: JSON, or a relayed StatsD line, which may have anything. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "path.h"

enum { TEXT_MAX = 1200 };

#define OUTPUTS_OF_ALL                                                                                       \
	"outputs:\n"                                                                                         \
	"  - {url: 'udp://127.0.0.1:8125', name: a, dialect: dogstatsd, origin: off, max_datagram: 8192}\n"  \
	"  - {url: 'udp://127.0.0.1:8125', name: b, dialect: statsd}\n"                                      \
	"  - {url: 'udp://127.0.0.1:8125', name: c, dialect: statsd, tags_in_name: true}\n"                  \
	"  - {url: 'udp://127.0.0.1:8125', name: d, dialect: graphite, max_datagram: 512}\n"                 \
	"  - {url: 'udp://127.0.0.1:8125', name: e, dialect: influxdb}\n"                                    \
	"  - {url: 'udp://127.0.0.1:8125', name: f, dialect: librato}\n"                                     \
	"  - {url: 'udp://127.0.0.1:8125', name: g, dialect: signalfx}\n"                                    \
	"limits: {line: 16384, names: 100, tag_values: 100}\n"

static const char made_yaml[] =
	"inputs: ['stdin:']\n" OUTPUTS_OF_ALL
	"prefix: 'p.'\n"
	"rules:\n"
	"  - match: '**'\n"
	"    tags: {r: '{g}', t: repeated, absent: '{nope}'}\n"
	"    metrics:\n"
	"      - {counter: n0, tags: {t: '{f}', u: 'a{f}b{g}c'}}\n"
	"      - {counter: 'n1.{f}.{g}'}\n"
	"      - {gauge: n2, value: f}\n"
	"      - {timer: n3, value: g, unit: s}\n"
	"      - {set: n4, value: f}\n"
	"      - event: {title: '{f}{g}', text: '{g}|{f}', key: '{f}', source: 'x{g}'}\n"
	"      - service_check: {name: 'n6.{g}', status: critical, message: '{f}{g}'}\n"
	"      - {distribution: n7, value: g}\n";

static const char relayed_yaml[] =
	"inputs: [{url: 'stdin:', format: statsd}]\n" OUTPUTS_OF_ALL
	"prefix: 'p.'\n"
	"rules: [{match: '**', metrics: [{relay: 'n.{event}', tags: {t: '{k}'}}], tags: {r: '{x}'}}]\n";

static void put_text(FILE *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.at[i];
		if ((unsigned char)c < 0x20 || c == '"' || c == '\\')
			fprintf(out, "\\u%04x", (unsigned char)c);
		else
			fputc(c, out);
	}
}

static struct span made_line(struct span f, struct span g)
{
	static char line[16 * TEXT_MAX];
	FILE *out = fmemopen(line, sizeof(line), "w");
	if (!out)
		fuzz_fail("out of memory");
	fputs("{\"event\":\"x.y\",\"f\":\"", out);
	put_text(out, f);
	fputs("\",\"g\":\"", out);
	put_text(out, g);
	fputs("\"}\n", out);
	const struct span text = {line, (size_t)ftell(out)};
	fclose(out);
	return text;
}

/* Only what the configuration asks for; what a StatsD line brings may be anything. */
static void look_at_tags(void *context, struct span datagram)
{
	static const char *const keys[] = {"t", "u", "r"};
	const struct output_model *output = context;
	while (datagram.len) {
		static struct wire_line line;
		const char *why = "";
		const struct span text = fuzz_until(&datagram, '\n');
		if (wire_parse(&line, output->dialect, WIRE_MADE, text, &why))
			fuzz_fail("%s: %s", why, shown(text));
		for (size_t i = 0; i < line.tag_count; i++) {
			size_t k = 0;
			while (k < ARRAY_LEN(keys) && !span_is(line.tags[i].key, keys[k]))
				k++;
			if (k == ARRAY_LEN(keys))
				fuzz_fail("a forged tag: %s", shown(text));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig rigs[2];
	struct span rest = {(const char *)data, size};
	const bool is_relayed = fuzz_byte(&rest) & 1;
	struct rig *rig = &rigs[is_relayed];
	if (rest.len > TEXT_MAX)
		return 0;
	if (!rig->mapping)
		path_init(rig, is_relayed ? relayed_yaml : made_yaml);
	path_reset(rig, 0);
	for (size_t i = 0; !is_relayed && i < rig->model.output_count; i++) {
		rig->sinks[i].look = look_at_tags;
		rig->sinks[i].context = &rig->model.outputs[i];
	}
	if (is_relayed) {
		rig_datagram(rig, 0, rest);
	} else {
		const struct span f = fuzz_until(&rest, '\0');
		const struct span line = made_line(f, rest);
		rig_datagram(rig, 0, line);
		if (rig->accounts.inputs[0].received != 1 || rig->accounts.outcomes[OUTCOME_MAPPED] != 1)
			fuzz_fail("not mapped: %s", shown(line));
	}
	path_check(rig, is_relayed ? WIRE_RELAYED : WIRE_MADE, "p.n");
	return 0;
}
