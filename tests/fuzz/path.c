#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "settings/settings.h"

static void give_up(const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		fprintf(stderr, "%u:%u: %s\n", problems->items[i].mark.line, problems->items[i].mark.column,
		        problems->items[i].text);
	fuzz_fail("a configuration of the target's own has faults");
}

uint32_t path_init(struct rig *rig, const char *yaml)
{
	char path[] = "/tmp/statsidecar-fuzz-XXXXXX";
	const int fd = mkstemp(path);
	struct problems problems = {0};
	if (fd < 0 || write(fd, yaml, strlen(yaml)) != (ssize_t)strlen(yaml) || close(fd) != 0)
		fuzz_fail("no temporary file");
	/* Never freed: the rig's mapping borrows from it. */
	struct settings *settings = settings_load(&(struct settings_request){.config = path}, &problems);
	unlink(path);
	if (problems.count || !settings)
		give_up(&problems);
	rig_init(rig, &settings->model);
	uint32_t blocking = 0;
	for (size_t i = 0; i < settings->output_count; i++)
		blocking |= (uint32_t)(settings->outputs[i].when_full == WHEN_FULL_BLOCK) << i;
	return blocking;
}

void path_reset(struct rig *rig, uint32_t blocking)
{
	rig_reset(rig);
	translator_set_seed(rig->translator, 7);
	translator_set_time(rig->translator, (struct moment){INT64_C(1700000000000000000), INT64_C(1000000000000)});
	for (size_t i = 0; i < rig->model.output_count; i++) {
		if ((blocking >> i & 1) == 0)
			continue;
		rig->packers[i].keep = 1;
		rig->sinks[i].room = 0;
	}
	for (size_t i = 0; i < rig->model.input_count; i++)
		rig->streams[i].is_pausable = blocking != 0;
}

static void check_line(const struct output_model *output, enum wire_origin origin, const char *prefix, struct span text)
{
	static struct wire_line line;
	const char *why = "";
	if (wire_parse(&line, output->dialect, origin, text, &why))
		fuzz_fail("%s: %s", why, shown(text));
	if (prefix && output->prefix.span.len == 0 && line.kind != WIRE_EVENT && !span_starts(line.name, span_of(prefix)))
		fuzz_fail("a forged name: %s", shown(text));
	for (size_t i = 0; output->dialect == DIALECT_DOGSTATSD && i < line.tag_count; i++)
		if (span_is(line.tags[i].key, "host") || span_starts(line.tags[i].key, SPAN("dd.internal.")))
			fuzz_fail("a tag that is the Datadog Agent's: %s", shown(text));
}

static void check_lines(struct rig *rig, uint16_t index, enum wire_origin origin, const char *prefix)
{
	rig->sinks[index].room = UINT64_MAX;
	rig_output(rig, index);
	struct span rest = {rig->sinks[index].text, rig->sinks[index].len};
	uint64_t lines = 0;
	while (rest.len) {
		const struct span line = fuzz_until(&rest, '\n');
		if (line.len > LINE_OUT_MAX)
			fuzz_fail("a line of %zu bytes", line.len);
		check_line(&rig->model.outputs[index], origin, prefix, line);
		lines++;
	}
	/* A negative gauge is a pair. */
	const uint64_t sent = rig->accounts.outputs[index].sent;
	if (lines < sent || lines > 2 * sent)
		fuzz_fail("%llu lines of %llu metrics", (unsigned long long)lines, (unsigned long long)sent);
}

void path_check(struct rig *rig, enum wire_origin origin, const char *prefix)
{
	char why[512];
	if (rig_check_balance(rig, why, sizeof(why)))
		fuzz_fail("%s", why);
	for (uint16_t i = 0; i < rig->model.output_count; i++) {
		check_lines(rig, i, origin, prefix);
		if (packer_pending(&rig->packers[i]))
			fuzz_fail("output %u keeps something", i);
	}
	if (rig_check_balance(rig, why, sizeof(why)))
		fuzz_fail("%s", why);
}

static void compare(const char *what, size_t index, uint64_t a, uint64_t b)
{
	if (a != b)
		fuzz_fail("%s %zu: %llu and %llu", what, index, (unsigned long long)a, (unsigned long long)b);
}

static void compare_numbers(const char *what, const uint64_t *a, const uint64_t *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		compare(what, i, a[i], b[i]);
}

void path_compare(struct rig *a, struct rig *b)
{
	const struct accounts *left = &a->accounts;
	const struct accounts *right = &b->accounts;
	for (size_t i = 0; i < a->model.input_count; i++)
		compare("received", i, left->inputs[i].received, right->inputs[i].received);
	compare_numbers("outcome", left->outcomes, right->outcomes, OUTCOME_COUNT);
	compare_numbers("skipped", left->skipped, right->skipped, SKIP_COUNT);
	compare("unknown", 0, left->unknown, right->unknown);
	compare("names limited", 0, left->names_limited, right->names_limited);
	for (uint16_t i = 0; i < a->model.output_count; i++) {
		compare("made", i, left->outputs[i].made, right->outputs[i].made);
		compare("dropped", i, left->outputs[i].dropped, right->outputs[i].dropped);
		compare("filtered", i, left->outputs[i].filtered, right->outputs[i].filtered);
		compare("sampled out", i, left->outputs[i].sampled_out, right->outputs[i].sampled_out);
		const struct span ours = {a->sinks[i].text, a->sinks[i].len};
		const struct span theirs = {b->sinks[i].text, b->sinks[i].len};
		if (!span_equal(ours, theirs))
			fuzz_fail("output %u: %s\nand %s", i, shown(ours), shown(theirs));
	}
	if (strcmp(a->rejected, b->rejected) != 0 || strcmp(a->limited, b->limited) != 0)
		fuzz_fail("%s%s\nand %s%s", a->rejected, a->limited, b->rejected, b->limited);
}
