/* What stands in configurations as text, and events that meet it. A line each: a pattern, a metric's name, a tag's value, two
 * conditions, a field's name; what stands behind are events. Either the model is refused with a fault, or whatever it makes of
 * the events can be read back. */
#include <stdlib.h>

#include "fuzz.h"
#include "path.h"

enum { TEXT_MAX = 1500 };

static struct text take_text(struct span *rest)
{
	return (struct text){.span = fuzz_until(rest, '\n'), .mark = {"fuzz.yaml", 1, 1}};
}

static void check_model(const struct model *model, struct span events)
{
	static struct rig rig;
	static char problems[65536];
	rig_problems(model, problems, sizeof(problems));
	if (*problems)
		return;
	rig_init(&rig, model);
	rig_read(&rig, 0, events, READ_SIZE);
	rig_end(&rig, 0);
	path_check(&rig, WIRE_MADE, NULL);
	rig_fini(&rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > TEXT_MAX)
		return 0;
	char *copy = fuzz_copy((struct span){(const char *)data, size}, SCAN_PAD);
	struct span rest = {copy, size};
	struct text match = take_text(&rest);
	const struct text name = take_text(&rest);
	const struct text tag = take_text(&rest);
	struct text all = take_text(&rest);
	struct text any = take_text(&rest);
	struct text field = take_text(&rest);
	struct field_variant_model variants[] = {{.from = {&field, 1}, .default_value = T("1")}};
	struct metric_model metrics[] = {
		{.kind = METRIC_COUNTER, .name = name, .mark = {"fuzz.yaml", 2, 1}, .tags = TAGS({T("t"), tag})},
		COUNTER("when", .when = {.all = {&all, all.span.len > 0}, .any = {&any, any.span.len > 0}}),
		TIMER("timer", "standard", UNIT_S),
		{.kind = METRIC_EVENT, .name = tag, .mark = {"fuzz.yaml", 4, 1}, .text = name},
	};
	struct rule_model rules[] = {RULE(.match = {&match, 1}, .metrics = metrics, .metric_count = ARRAY_LEN(metrics))};
	struct output_model outputs[] = {
		{.label = T("a"), .dialect = DIALECT_DOGSTATSD},
		{.label = T("b"), .dialect = DIALECT_STATSD, .tags_in_name = true},
		{.label = T("c"), .dialect = DIALECT_GRAPHITE},
	};
	const struct model model = {FILES(FILE_OF(.rules = rules, .rule_count = 1)),
	                            FIELDS({.name = T("standard"), .variants = variants, .variant_count = 1}),
	                            .outputs = outputs,
	                            .output_count = ARRAY_LEN(outputs),
	                            .limits = {.line = 2048, .names = 8, .tag_values = 8, .tag_length = 50}};
	check_model(&model, rest);
	fuzz_free(copy, SCAN_PAD);
	return 0;
}
