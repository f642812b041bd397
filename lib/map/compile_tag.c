/* tags: of a configuration -> keys with numbers, values that are constants or templates. */
#include <stdlib.h>

#include "map/compiler.h"

static uint16_t tag_key(struct compiler *compiler, struct span key)
{
	struct mapping *mapping = compiler->mapping;
	for (uint16_t i = 0; i < mapping->tag_key_count; i++)
		if (span_equal(mapping->tag_keys[i], key))
			return i;
	/* Grows by doubling at every power of two. */
	const uint16_t count = mapping->tag_key_count;
	if ((count & (count - 1)) == 0) {
		struct span *larger = arena_array(mapping->arena, count ? 2u * count : 1, sizeof(*larger));
		if (count)
			memcpy(larger, mapping->tag_keys, count * sizeof(*larger));
		mapping->tag_keys = larger;
	}
	mapping->tag_keys[count] = key;
	return mapping->tag_key_count++;
}

/* What the Datadog Agent reads out of the tags itself (protocols: comp/dogstatsd/server): no event may set it. */
bool tag_key_is_reserved(struct span key)
{
	return span_is(key, "host") || span_starts(key, SPAN("dd.internal."));
}

static bool has_dogstatsd(const struct model *model)
{
	for (size_t i = 0; i < model->output_count; i++)
		if (model->outputs[i].dialect == DIALECT_DOGSTATSD && !model->outputs[i].is_imagined)
			return true;
	return false;
}

static void compile_value(struct compiler *compiler, struct tag *tag, const struct tag_model *model, int kind)
{
	if (kind == TAGS_CONSTANT) {
		tag->is_constant = true;
		tag->constant = model->value.span;
		return;
	}
	compile_template(compiler, &tag->value, &model->value, TEMPLATE_TEXT);
	tag->is_constant = tag->value.is_constant;
	if (tag->value.is_constant && tag->value.count)
		tag->constant = tag->value.parts[0].literal;
	if (!tag->is_constant && tag_key_is_reserved(model->key.span) && has_dogstatsd(compiler->model))
		problem_add(compiler->problems, model->key.mark,
		            "the Datadog Agent takes the tag `%.*s` for itself: it may be a constant, but no event's field",
		            SPAN_ARG(model->key.span));
}

static void compile_list(struct compiler *compiler, struct tag_list *list, const struct tags_model *model, int kind)
{
	list->items = arena_array(compiler->mapping->arena, model->count, sizeof(*list->items));
	list->first = compiler->mapping->tag_count;
	list->count = 0;
	for (size_t i = 0; i < model->count; i++) {
		struct tag *tag = &list->items[list->count];
		if (model->items[i].key.span.len == 0) {
			problem_add(compiler->problems, model->items[i].key.mark, "a tag's key is empty");
			continue;
		}
		if (model->items[i].key.span.len > NAME_MAX_LEN) {
			problem_add(compiler->problems, model->items[i].key.mark, "a tag's key takes %d bytes at most", NAME_MAX_LEN);
			continue;
		}
		if (i >= TAGS_MAX) {
			problem_add(compiler->problems, model->items[i].key.mark, "more than %d tags in one list", TAGS_MAX);
			return;
		}
		*tag = (struct tag){.id = compiler->mapping->tag_count, .key = tag_key(compiler, model->items[i].key.span)};
		compile_value(compiler, tag, &model->items[i], kind);
		if (tag->is_constant && tag->constant.len == 0)
			continue; /* an empty value is no tag */
		compiler->mapping->tag_count++;
		list->count++;
	}
}

static bool is_same_list(const struct tags_model *a, const struct tags_model *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!span_equal(a->items[i].key.span, b->items[i].key.span) || !span_equal(a->items[i].value.span, b->items[i].value.span))
			return false;
	return true;
}

static struct shared_tags *shared_tags_of(struct compiler *compiler, const struct tags_model *model)
{
	static const struct hash_key no_secret;
	uint64_t hash = 0;
	for (size_t i = 0; i < model->count; i++) {
		hash = hash * 31 + hash_span(&no_secret, model->items[i].key.span);
		hash = hash * 31 + hash_span(&no_secret, model->items[i].value.span);
	}
	return &compiler->shared_tags[hash % SHARED_TAGS];
}

/* What a star caught is each rule's own, so that the same words do not mean the same. */
static bool has_captures(const struct tag_list *list)
{
	for (uint16_t i = 0; i < list->count; i++)
		if (list->items[i].value.captures)
			return true;
	return false;
}

/* Thousands of rules mostly have the same few lists, which then stay in the cache; and what one rule's list came to for an event
 * stands for the same list of another rule, too (struct tail). */
void compile_tags(struct compiler *compiler, struct tag_list *list, const struct tags_model *model, int kind)
{
	struct shared_tags *shared = shared_tags_of(compiler, model);
	const size_t faults = compiler->problems->count;
	if (shared->model && shared->kind == kind && is_same_list(shared->model, model)) {
		*list = shared->list;
		return;
	}
	compile_list(compiler, list, model, kind);
	/* Faults are told at each place. */
	if (compiler->problems->count == faults && !has_captures(list))
		*shared = (struct shared_tags){model, *list, kind};
}

static bool list_has(const struct tag_list *list, uint16_t key)
{
	for (uint16_t i = 0; i < list->count; i++)
		if (list->items[i].key == key)
			return true;
	return false;
}

static void mark_repeats(struct tag_list *list, const struct tag_list *before)
{
	for (uint16_t i = 0; i < list->count; i++)
		if (list_has(before, list->items[i].key))
			list->items[i].is_repeat = true;
}

/* Whether none of list's keys is in other. */
static bool is_apart(const struct tag_list *list, const struct tag_list *other)
{
	for (uint16_t i = 0; i < list->count; i++)
		if (list_has(other, list->items[i].key))
			return false;
	return true;
}

static bool is_apart_from_tail(const struct mapping *mapping, const struct metric *metric)
{
	bool apart = is_apart(&metric->tags, &metric->rule->tags) && is_apart(&metric->tags, &mapping->tags);
	for (uint16_t i = 0; apart && i < mapping->input_count; i++)
		apart = is_apart(&metric->tags, &mapping->inputs[i].tags);
	for (uint16_t i = 0; apart && i < mapping->output_count; i++)
		apart = is_apart(&metric->tags, &mapping->outputs[i].tags);
	return apart;
}

static void mark_all(struct tag_list *list)
{
	for (uint16_t i = 0; i < list->count; i++)
		list->items[i].is_repeat = true;
}

/* A relayed line brings tags of its own, right behind the metric's: any tag behind those may repeat one. */
static void mark_behind_relayed(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	mapping->relay_key = tag_key(compiler, SPAN("(relayed)"));
	for (uint32_t r = 0; r < mapping->rule_count; r++)
		mark_all(&mapping->rules[r].tags);
	for (uint16_t i = 0; i < mapping->input_count; i++)
		mark_all(&mapping->inputs[i].tags);
	mark_all(&mapping->tags);
	for (uint16_t i = 0; i < mapping->output_count; i++)
		mark_all(&mapping->outputs[i].tags);
}

void compile_tag_repeats(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	if (mapping->has_relay)
		mark_behind_relayed(compiler);
	for (uint32_t r = 0; r < mapping->rule_count; r++) {
		struct rule *rule = &mapping->rules[r];
		for (uint32_t m = 0; m < rule->metric_count; m++) {
			struct metric *metric = &rule->metrics[m];
			metric->shares_tail = is_apart_from_tail(mapping, metric);
			mark_repeats(&rule->tags, &metric->tags);
			for (uint16_t i = 0; i < mapping->input_count; i++)
				mark_repeats(&mapping->inputs[i].tags, &metric->tags);
			mark_repeats(&mapping->tags, &metric->tags);
			for (uint16_t i = 0; i < mapping->output_count; i++)
				mark_repeats(&mapping->outputs[i].tags, &metric->tags);
		}
		for (uint16_t i = 0; i < mapping->input_count; i++)
			mark_repeats(&mapping->inputs[i].tags, &rule->tags);
		mark_repeats(&mapping->tags, &rule->tags);
		for (uint16_t i = 0; i < mapping->output_count; i++)
			mark_repeats(&mapping->outputs[i].tags, &rule->tags);
	}
	for (uint16_t i = 0; i < mapping->input_count; i++)
		mark_repeats(&mapping->tags, &mapping->inputs[i].tags);
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		mark_repeats(&mapping->outputs[i].tags, &mapping->tags);
		for (uint16_t k = 0; k < mapping->input_count; k++)
			mark_repeats(&mapping->outputs[i].tags, &mapping->inputs[k].tags);
	}
}
