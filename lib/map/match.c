#include "map/match.h"

#include <stdlib.h>

#include "map/compiler.h"

static int order_entries(const void *a, const void *b)
{
	const struct match_entry *left = a;
	const struct match_entry *right = b;
	const int order = span_compare(left->key, right->key);
	if (order)
		return order;
	if (left->rule != right->rule)
		return left->rule < right->rule ? -1 : 1;
	return (left->pattern > right->pattern) - (left->pattern < right->pattern);
}

/* The entries with this key. */
static struct match_list find(const struct match_list *list, struct span key)
{
	uint32_t low = 0;
	uint32_t high = list->count;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (span_compare(list->entries[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t end = low;
	while (end < list->count && span_equal(list->entries[end].key, key))
		end++;
	return (struct match_list){list->entries + low, end - low};
}

static struct span first_segment(struct span name)
{
	const char *dot = memchr(name.at, '.', name.len);
	return dot ? (struct span){name.at, (size_t)(dot - name.at)} : name;
}

/* Three lists in the order of rules, walked as one. */
struct walk {
	struct match_list lists[3];
};

static const struct match_entry *walk_next(struct walk *walk)
{
	struct match_list *first = NULL;
	for (int i = 0; i < 3; i++) {
		struct match_list *list = &walk->lists[i];
		if (list->count == 0)
			continue;
		if (!first || list->entries->rule < first->entries->rule ||
		    (list->entries->rule == first->entries->rule && list->entries->pattern < first->entries->pattern))
			first = list;
	}
	if (!first)
		return NULL;
	first->count--;
	return first->entries++;
}

static uint32_t match_rules(const struct mapping *mapping, const struct matcher *matcher, struct span event,
                            struct match *matches, uint32_t size, bool *is_dropped)
{
	struct walk walk = {{find(&matcher->literals, event), find(&matcher->prefixed, first_segment(event)), matcher->others}};
	const struct match_entry *entry;
	uint32_t count = 0;
	uint32_t done_file = UINT32_MAX; /* the file that has decided */
	uint32_t done_rule = UINT32_MAX;
	uint32_t last_file = UINT32_MAX; /* `replace` was said in it: later files are not asked */
	*is_dropped = false;
	while ((entry = walk_next(&walk)) && count < size) {
		const struct rule *rule = &mapping->rules[entry->rule];
		if (last_file != UINT32_MAX && rule->file != last_file)
			break;
		if (rule->file == done_file || rule->index == done_rule)
			continue;
		if (!pattern_match(&rule->patterns[entry->pattern], event, NULL))
			continue;
		matches[count++] = (struct match){entry->rule, entry->pattern};
		done_rule = rule->index;
		if (rule->is_drop) {
			*is_dropped = true;
			break;
		}
		if (rule->is_replace)
			last_file = rule->file;
		if (!rule->is_continue)
			done_file = rule->file;
	}
	return count;
}

uint32_t match_event(const struct mapping *mapping, struct span event, struct match *matches, uint32_t size, bool *is_dropped)
{
	const uint32_t count = match_rules(mapping, mapping->matcher, event, matches, size, is_dropped);
	return count ? count : match_rules(mapping, mapping->fallbacks, event, matches, size, is_dropped);
}

static void add_entry(struct matcher *matcher, const struct rule *rule, uint16_t index)
{
	const struct pattern *pattern = &rule->patterns[index];
	struct match_entry entry = {pattern->text, rule->index, index};
	struct match_list *list = &matcher->literals;
	if (pattern->stars) {
		const struct span first = first_segment(pattern->text);
		list = memchr(first.at, '*', first.len) ? &matcher->others : &matcher->prefixed;
		entry.key = list == &matcher->others ? SPAN("") : first;
	}
	list->entries[list->count++] = entry;
}

static struct matcher *compile_matcher(struct compiler *compiler, bool is_fallback, size_t count)
{
	const struct mapping *mapping = compiler->mapping;
	struct matcher *matcher = arena_alloc(mapping->arena, sizeof(*matcher));
	struct match_list *const lists[] = {&matcher->literals, &matcher->prefixed, &matcher->others};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		lists[i]->entries = arena_array(mapping->arena, count, sizeof(struct match_entry));
	for (uint32_t r = 0; r < mapping->rule_count; r++) {
		const struct rule *rule = &mapping->rules[r];
		for (uint16_t i = 0; rule->is_fallback == is_fallback && i < rule->pattern_count; i++)
			add_entry(matcher, rule, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (lists[i]->count)
			qsort(lists[i]->entries, lists[i]->count, sizeof(struct match_entry), order_entries);
	return matcher;
}

/* The first rule of list before `rule`, of its file, that takes all that pattern matches; NULL where there is none. */
static const struct rule *covering_rule(const struct mapping *mapping, struct match_list list, const struct rule *rule,
                                        const struct pattern *pattern, bool is_later_too)
{
	for (uint32_t i = 0; i < list.count; i++) {
		const struct rule *other = &mapping->rules[list.entries[i].rule];
		if (other->file != rule->file || other == rule || (!is_later_too && other->index > rule->index))
			continue;
		if (other->is_continue && !is_later_too)
			continue;
		if (pattern_covers(&other->patterns[list.entries[i].pattern], pattern))
			return other;
	}
	return NULL;
}

static const struct rule *cover(const struct mapping *mapping, const struct matcher *matcher, const struct rule *rule,
                                const struct pattern *pattern, bool is_later_too)
{
	const struct match_list lists[] = {find(&matcher->literals, pattern->text),
	                                   find(&matcher->prefixed, first_segment(pattern->text)), matcher->others};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct rule *other = covering_rule(mapping, lists[i], rule, pattern, is_later_too);
		if (other)
			return other;
	}
	return NULL;
}

/* Who takes what an unreachable rule matches. */
struct covering {
	const struct rule *first;
	bool is_several;  /* others take a part of it */
	bool is_ordinary; /* of a fallback: some of them are no fallbacks */
};

static void report(struct compiler *compiler, const struct rule *rule, const struct covering *covering)
{
	const char *advice = "put it before, or give those before it `continue: true`";
	if (covering->is_ordinary)
		advice = "a fallback acts only where no other rule matches: put it before, without `fallback: true`";
	problem_add(compiler->problems, rule->model->mark,
	            "this rule is never reached: the rule in line %u%s takes every event that it matches; %s",
	            covering->first->model->mark.line, covering->is_several ? ", with others," : "", advice);
}

/* A rule is unreachable where rules before it in its file take all that it matches; a fallback also where ordinary rules of
 * its file do, wherever they stand. */
static void report_unreachable(struct compiler *compiler, const struct rule *rule)
{
	const struct mapping *mapping = compiler->mapping;
	struct covering covering = {NULL, false, false};
	for (uint16_t i = 0; i < rule->pattern_count; i++) {
		const struct pattern *pattern = &rule->patterns[i];
		const struct rule *other = NULL;
		if (rule->is_fallback)
			other = cover(mapping, mapping->matcher, rule, pattern, true);
		if (!other)
			other = cover(mapping, rule->is_fallback ? mapping->fallbacks : mapping->matcher, rule, pattern, false);
		if (!other)
			return;
		covering.is_several |= covering.first && covering.first != other;
		covering.is_ordinary |= rule->is_fallback && !other->is_fallback;
		if (!covering.first)
			covering.first = other;
	}
	if (covering.first)
		report(compiler, rule, &covering);
}

void compile_matchers(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	size_t count = 0;
	for (uint32_t r = 0; r < mapping->rule_count; r++)
		count += mapping->rules[r].pattern_count;
	mapping->matcher = compile_matcher(compiler, false, count);
	mapping->fallbacks = compile_matcher(compiler, true, count);
	for (uint32_t r = 0; r < mapping->rule_count; r++)
		report_unreachable(compiler, &mapping->rules[r]);
}
