/* rules: of a configuration -> what is done when one matches. */
#include <stdlib.h>

#include "map/catalogue.h"
#include "map/compiler.h"

/* Number of metric m's highest capture, in its name, tags and texts. */
static unsigned metric_captures(const struct metric *metric)
{
	unsigned captures = metric->name.captures;
	for (uint16_t i = 0; i < metric->tags.count; i++)
		if (metric->tags.items[i].value.captures > captures)
			captures = metric->tags.items[i].value.captures;
	if (metric->text.captures > captures)
		captures = metric->text.captures;
	if (metric->aggregation_key.captures > captures)
		captures = metric->aggregation_key.captures;
	if (metric->source.captures > captures)
		captures = metric->source.captures;
	return captures;
}

static unsigned rule_captures(const struct rule *rule)
{
	unsigned captures = 0;
	for (uint16_t i = 0; i < rule->tags.count; i++)
		if (rule->tags.items[i].value.captures > captures)
			captures = rule->tags.items[i].value.captures;
	for (uint32_t i = 0; i < rule->metric_count; i++)
		if (metric_captures(&rule->metrics[i]) > captures)
			captures = metric_captures(&rule->metrics[i]);
	return captures;
}

static void check_captures(struct compiler *compiler, const struct rule *rule)
{
	const unsigned captures = rule_captures(rule);
	for (size_t i = 0; i < rule->model->match.count; i++) {
		struct pattern pattern;
		const char *why;
		const struct text *text = &rule->model->match.items[i];
		if (pattern_compile(&pattern, text->span, &why) == 0 && pattern.stars < captures)
			problem_add(compiler->problems, text->mark, "`%.*s` has %u star%s, but the rule uses {%u}", SPAN_ARG(text->span),
			            pattern.stars, pattern.stars == 1 ? "" : "s", captures);
	}
}

static const int8_t unit_shifts[] = {[UNIT_NONE] = 0, [UNIT_S] = 3, [UNIT_MS] = 0, [UNIT_US] = -3, [UNIT_NS] = -6};

/* The same for all metrics, so that it stays in the cache; read in whole vectors. */
static const char one[1 + SCAN_PAD] = "1";

static void compile_value(struct compiler *compiler, struct metric *metric, const struct metric_model *model)
{
	struct decimal number;
	char text[DECIMAL_TEXT_MAX];
	metric->shift = unit_shifts[model->unit];
	if (!model->value.span.at) {
		metric->value.is_constant = true;
		metric->value.constant = (struct span){one, 1}; /* a counter's default; the others have no value to miss */
		if (metric->kind == METRIC_RELAY) {
			metric->value.is_constant = false;
			metric->value.field = compile_reference(compiler, SPAN("value"), model->mark);
			compiler->mapping->has_relay = true;
			compiler->mapping->relay_type = compile_reference(compiler, SPAN("type"), model->mark);
			compiler->mapping->relay_rate = compile_reference(compiler, SPAN("rate"), model->mark);
		}
		return;
	}
	if (decimal_parse(&number, model->value.span) == 0) {
		metric->value.is_constant = true;
		const size_t len = decimal_write(text, &number, metric->shift);
		if (len == 0 || (metric->kind == METRIC_TIMER && number.negative))
			problem_add(compiler->problems, model->value.mark, "no metric can have the value `%.*s`",
			            SPAN_ARG(model->value.span));
		metric->value.constant = arena_copy(compiler->mapping->arena, (struct span){text, len});
		metric->is_negative = len && text[0] == '-';
		return;
	}
	if (model->value.span.at[0] == '{') {
		problem_add(compiler->problems, model->value.mark, "`%.*s`: a value is a field's name, without braces, or a number",
		            SPAN_ARG(model->value.span));
		return;
	}
	metric->value.field = compile_reference(compiler, model->value.span, model->value.mark);
}

/* `0.5` -> of 2^32, in integers: what is next to 1 must not be rounded up to 2^32, which 32 bits write as 0. More than
 * 19 digits make no difference that a draw of 32 bits can tell, and no more of them fit. */
static uint32_t sample_threshold(struct span share)
{
	enum { DIGITS = 19 };
	const struct span digits = span_skip(share, 2);
	unsigned __int128 numerator = 0;
	unsigned __int128 denominator = 1;
	for (size_t i = 0; i < digits.len && i < DIGITS; i++) {
		numerator = numerator * 10 + (unsigned)(digits.at[i] - '0');
		denominator *= 10;
	}
	return (uint32_t)((numerator << 32) / denominator);
}

static void compile_sample_rate(struct compiler *compiler, struct metric *metric, const struct text *rate)
{
	struct decimal number;
	char text[DECIMAL_TEXT_MAX];
	if (!rate->span.at)
		return;
	const size_t len = decimal_parse(&number, rate->span) == 0 ? decimal_write(text, &number, 0) : 0;
	if (len == 0 || number.negative || decimal_is_zero(&number) || number.point > 1 || (number.point == 1 && !(len == 1 && text[0] == '1'))) {
		problem_add(compiler->problems, rate->mark, "a sample rate is a number above 0 and at most 1");
		return;
	}
	if (number.point == 1)
		return; /* 1: everything is sent, and nothing needs saying */
	metric->is_sampled = true;
	metric->sample_threshold = sample_threshold((struct span){text, len});
	metric->sample_text = arena_printf(compiler->mapping->arena, "|@%.*s", (int)len, text);
}

static const char *const status_names[] = {"ok", "warning", "critical", "unknown"};

static void compile_texts(struct compiler *compiler, struct metric *metric, const struct metric_model *model)
{
	metric->alert = model->alert.span;
	metric->priority = model->priority.span;
	for (size_t i = 0; i < ARRAY_LEN(status_names); i++)
		if (span_is(model->status.span, status_names[i]))
			metric->status = (uint8_t)i;
	metric->has_text = model->text.span.at != NULL;
	metric->has_aggregation_key = model->key.span.at != NULL;
	metric->has_source = model->source.span.at != NULL;
	compile_template(compiler, &metric->text, &model->text, TEMPLATE_TEXT);
	compile_template(compiler, &metric->aggregation_key, &model->key, TEMPLATE_TEXT);
	compile_template(compiler, &metric->source, &model->source, TEMPLATE_TEXT);
}

static void compile_metric(struct compiler *compiler, struct metric *metric, const struct metric_model *model, struct rule *rule)
{
	metric->kind = (uint8_t)model->kind;
	metric->rule = rule;
	metric->rule_tags = tag_range(&rule->tags);
	metric->mark = model->mark;
	compile_template(compiler, &metric->name, &model->name, model->kind == METRIC_EVENT ? TEMPLATE_TEXT : TEMPLATE_NAME);
	if (model->name.span.at && metric->name.count == 0)
		problem_add(compiler->problems, model->name.mark, "%s",
		            model->kind == METRIC_EVENT ? "the event's title is empty" : "the metric's name is empty");
	metric->value.is_constant = model->kind == METRIC_EVENT || model->kind == METRIC_SERVICE_CHECK;
	if (metric->value.is_constant)
		compile_texts(compiler, metric, model);
	else
		compile_value(compiler, metric, model);
	compile_sample_rate(compiler, metric, &model->sample_rate);
	compile_conditions(compiler, &metric->when, &model->when);
	metric->has_conditions = metric->when.all_count || metric->when.any_count;
	compile_tags(compiler, &metric->tags, &model->tags, TAGS_TEMPLATED);
}

static void check_aliases(struct compiler *compiler, const struct rule *rule)
{
	for (uint16_t i = 0; i < rule->pattern_count; i++) {
		const struct pattern *pattern = &rule->patterns[i];
		if (pattern->stars)
			continue;
		const struct identity identity = catalogue_resolve(compiler->mapping, pattern->text);
		if (!span_equal(identity.event, pattern->text))
			problem_add(compiler->problems, rule->model->match.items[i].mark,
			            "rules match canonical identifiers: `%.*s` is one spelling of `%.*s`, write that", SPAN_ARG(pattern->text),
			            SPAN_ARG(identity.event));
	}
}

static void compile_rule(struct compiler *compiler, struct rule *rule, const struct rule_model *model)
{
	struct arena *arena = compiler->mapping->arena;
	rule->model = model;
	rule->label = model->name.span;
	if (!rule->label.at)
		rule->label = arena_printf(arena, "%s:%u", model->mark.file ? model->mark.file : "", model->mark.line);
	rule->is_continue = model->is_continue;
	rule->is_drop = model->is_drop;
	rule->is_replace = model->is_replace;
	rule->is_fallback = model->is_fallback;
	rule->patterns = compile_patterns(compiler, &model->match, &rule->pattern_count);
	compile_tags(compiler, &rule->tags, &model->tags, TAGS_TEMPLATED);
	rule->metrics = arena_array(arena, model->metric_count, sizeof(*rule->metrics));
	rule->metric_count = (uint32_t)model->metric_count;
	for (size_t i = 0; i < model->metric_count; i++)
		compile_metric(compiler, &rule->metrics[i], &model->metrics[i], rule);
	check_captures(compiler, rule);
	check_aliases(compiler, rule);
}

static int compare_labels(const void *left, const void *right)
{
	const struct rule *a = *(const struct rule *const *)left;
	const struct rule *b = *(const struct rule *const *)right;
	const int order = span_compare(a->label, b->label);
	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Labels are the user's to repeat, and several rules may stand in one line. */
static void find_accounts(struct mapping *mapping)
{
	struct rule **rules = arena_array(mapping->arena, mapping->rule_count, sizeof(*rules));
	for (uint32_t i = 0; i < mapping->rule_count; i++)
		rules[i] = &mapping->rules[i];
	qsort(rules, mapping->rule_count, sizeof(*rules), compare_labels);
	for (uint32_t i = 0; i < mapping->rule_count; i++) {
		const bool is_first = i == 0 || !span_equal(rules[i]->label, rules[i - 1]->label);
		rules[i]->account = is_first ? rules[i]->index : rules[i - 1]->account;
	}
}

void compile_rules(struct compiler *compiler)
{
	const struct model *model = compiler->model;
	struct mapping *mapping = compiler->mapping;
	size_t count = 0;
	for (size_t f = 0; f < model->file_count; f++)
		count += model->files[f].rule_count;
	mapping->rules = arena_array(mapping->arena, count, sizeof(*mapping->rules));
	for (size_t f = 0; f < model->file_count; f++) {
		for (size_t i = 0; i < model->files[f].rule_count; i++) {
			struct rule *rule = &mapping->rules[mapping->rule_count];
			rule->index = mapping->rule_count++;
			rule->file = (uint32_t)f;
			compile_rule(compiler, rule, &model->files[f].rules[i]);
			mapping->metric_count += rule->metric_count;
		}
	}
	find_accounts(mapping);
}
