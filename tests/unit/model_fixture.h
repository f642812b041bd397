/* Configurations for tests, written down as C initialisers; what a model does not say gets a default by model_filled().
 *
 *     {FILES(FILE_OF(RULES(RULE(MATCH("step.*"), METRICS(COUNTER("steps"))))))}
 *
 * At file scope the arrays live for ever, in a function as long as its block. */
#ifndef STATSIDECAR_TESTS_MODEL_FIXTURE_H
#define STATSIDECAR_TESTS_MODEL_FIXTURE_H

#include "map/model.h"

#define T(literal)                                                                              \
	{                                                                                       \
		.span = {"" literal, sizeof(literal) - 1}, .mark = { "test.yaml", __LINE__, 1 } \
	}
#define ITEMS_OF(type, ...) (type[]){__VA_ARGS__}, sizeof((type[]){__VA_ARGS__}) / sizeof(type)

/* struct texts */
#define TEXTS(...)                                 \
	{                                          \
		ITEMS_OF(struct text, __VA_ARGS__) \
	}
/* struct tags_model */
#define TAG(key, value)          \
	{                        \
		T(key), T(value) \
	}
#define TAGS(...)                                       \
	{                                               \
		ITEMS_OF(struct tag_model, __VA_ARGS__) \
	}

/* Members of struct model, each given at most once. */
#define FILES(...)                                   \
	.files = (struct file_model[]){__VA_ARGS__}, \
	.file_count = sizeof((struct file_model[]){__VA_ARGS__}) / sizeof(struct file_model)
#define FIELDS(...)                                    \
	.fields = (struct field_model[]){__VA_ARGS__}, \
	.field_count = sizeof((struct field_model[]){__VA_ARGS__}) / sizeof(struct field_model)
#define CATALOGUE(...)                                        \
	.catalogue = (struct catalogue_model[]){__VA_ARGS__}, \
	.catalogue_count = sizeof((struct catalogue_model[]){__VA_ARGS__}) / sizeof(struct catalogue_model)
#define INPUTS(...)                                    \
	.inputs = (struct input_model[]){__VA_ARGS__}, \
	.input_count = sizeof((struct input_model[]){__VA_ARGS__}) / sizeof(struct input_model)
#define OUTPUTS(...)                                     \
	.outputs = (struct output_model[]){__VA_ARGS__}, \
	.output_count = sizeof((struct output_model[]){__VA_ARGS__}) / sizeof(struct output_model)

/* One struct file_model; further members may follow its rules. */
#define RULES(...)                                   \
	.rules = (struct rule_model[]){__VA_ARGS__}, \
	.rule_count = sizeof((struct rule_model[]){__VA_ARGS__}) / sizeof(struct rule_model)
#define FILE_OF(...)                             \
	{                                        \
		.path = "test.yaml", __VA_ARGS__ \
	}

/* One struct rule_model: RULE(MATCH("a.*"), METRICS(…), .is_continue = true) */
#define MATCH(glob)    .match = TEXTS(T(glob))
#define MATCH_ANY(...) .match = TEXTS(__VA_ARGS__)
#define METRICS(...)                                     \
	.metrics = (struct metric_model[]){__VA_ARGS__}, \
	.metric_count = sizeof((struct metric_model[]){__VA_ARGS__}) / sizeof(struct metric_model)
#define RULE(...)                                               \
	{                                                       \
		.mark = {"test.yaml", __LINE__, 3}, __VA_ARGS__ \
	}
/* What most tests of a metric need: one file with one rule. */
#define ONE_RULE(...) FILES(FILE_OF(RULES(RULE(__VA_ARGS__))))

/* One struct metric_model; further members may follow. */
#define METRIC_OF(kind_, name_, ...)                                                               \
	{                                                                                          \
		.kind = kind_, .name = T(name_), .mark = {"test.yaml", __LINE__, 5}, ##__VA_ARGS__ \
	}
#define COUNTER(name, ...)             METRIC_OF(METRIC_COUNTER, name, ##__VA_ARGS__)
#define TIMER(name, field, unit_, ...) METRIC_OF(METRIC_TIMER, name, .value = T(field), .unit = unit_, ##__VA_ARGS__)
#define GAUGE(name, field, ...)        METRIC_OF(METRIC_GAUGE, name, .value = T(field), ##__VA_ARGS__)
#define WHEN(...)                      .when.all = TEXTS(__VA_ARGS__)
#define WHEN_ANY(...)                  .when.any = TEXTS(__VA_ARGS__)

/* model with what a configuration has by default: identify, one input of every format, one output (dogstatsd), limits.
 */
struct model model_filled(const struct model *model);

#endif
