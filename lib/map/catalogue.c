#include "map/catalogue.h"

#include <stdlib.h>

#include "map/compiler.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool identifier_is_valid(struct span text)
{
	if (text.len == 0 || text.len > IDENTIFIER_MAX || !is_letter(text.at[0]))
		return false;
	for (size_t i = 1; i < text.len; i++) {
		const char c = text.at[i];
		if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != ':' && c != '/' && c != '-')
			return false;
	}
	return true;
}

static const struct catalogue_name *find(const struct catalogue *catalogue, struct span name)
{
	uint32_t low = 0;
	uint32_t high = catalogue->name_count;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		const int order = span_compare(name, catalogue->names[middle].name);
		if (order == 0)
			return &catalogue->names[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct identity catalogue_resolve(const struct mapping *mapping, struct span text)
{
	const struct catalogue *catalogue = mapping->catalogue;
	struct identity identity = {
		.event = text, .spelling = SPELLING_UNKNOWN, .known = CATALOGUE_NONE, .legacy = CATALOGUE_NONE};
	const struct catalogue_name *name = find(catalogue, text);
	for (unsigned i = 0; !name && i < mapping->strip_count; i++) {
		if (!span_starts(text, mapping->strip[i]))
			continue;
		const struct span rest = span_skip(text, mapping->strip[i].len);
		if (identifier_is_valid(rest)) {
			identity.stripped = mapping->strip[i];
			identity.event = rest;
			name = find(catalogue, rest);
		}
		break;
	}
	if (name) {
		identity.event = catalogue->known[name->known].name;
		identity.spelling = name->spelling;
		identity.known = name->known;
		identity.legacy = name->legacy;
	}
	return identity;
}

static int order_names(const void *a, const void *b)
{
	const struct catalogue_name *left = a;
	const struct catalogue_name *right = b;
	return span_compare(left->name, right->name);
}

static void add_name(struct compiler *compiler, const struct text *text, enum spelling spelling, uint32_t known)
{
	struct catalogue *catalogue = compiler->mapping->catalogue;
	uint32_t legacy = CATALOGUE_NONE;
	if (!identifier_is_valid(text->span)) {
		problem_add(compiler->problems, text->mark,
		            "`%.*s` is no identifier: 1 to %d bytes of A-Za-z0-9_.:/- beginning with a letter", SPAN_ARG(text->span),
		            IDENTIFIER_MAX);
		return;
	}
	if (spelling == SPELLING_LEGACY) {
		legacy = compiler->mapping->legacy_count++;
		compiler->mapping->legacy[legacy] = (struct legacy_name){text->span, catalogue->known[known].name};
	}
	catalogue->names[catalogue->name_count++] = (struct catalogue_name){text->span, spelling, known, legacy, text->mark};
}

static void report_repeats(struct compiler *compiler)
{
	const struct catalogue *catalogue = compiler->mapping->catalogue;
	for (uint32_t i = 1; i < catalogue->name_count; i++) {
		const struct catalogue_name *name = &catalogue->names[i];
		const struct catalogue_name *other = &catalogue->names[i - 1];
		if (!span_equal(name->name, other->name))
			continue;
		const bool is_later = name->mark.line >= other->mark.line;
		const struct catalogue_name *late = is_later ? name : other;
		const struct catalogue_name *early = is_later ? other : name;
		problem_add(compiler->problems, late->mark, "`%.*s` already names `%.*s` (line %u): one name, one event",
		            SPAN_ARG(name->name), SPAN_ARG(catalogue->known[early->known].name), early->mark.line);
	}
}

void compile_catalogue(struct compiler *compiler)
{
	const struct model *model = compiler->model;
	struct mapping *mapping = compiler->mapping;
	struct catalogue *catalogue = arena_alloc(mapping->arena, sizeof(*catalogue));
	size_t names = 0;
	size_t legacy = 0;
	for (size_t i = 0; i < model->catalogue_count; i++) {
		names += 1 + model->catalogue[i].aliases.count + model->catalogue[i].legacy.count;
		legacy += model->catalogue[i].legacy.count;
	}
	mapping->catalogue = catalogue;
	mapping->legacy = arena_array(mapping->arena, legacy, sizeof(*mapping->legacy));
	catalogue->names = arena_array(mapping->arena, names, sizeof(*catalogue->names));
	catalogue->known = arena_array(mapping->arena, model->catalogue_count, sizeof(*catalogue->known));
	for (size_t i = 0; i < model->catalogue_count; i++) {
		const struct catalogue_model *entry = &model->catalogue[i];
		const uint32_t known = catalogue->known_count++;
		catalogue->known[known] = (struct known_event){.name = entry->name.span, .model = entry};
		add_name(compiler, &entry->name, SPELLING_CANONICAL, known);
		for (size_t k = 0; k < entry->aliases.count; k++)
			add_name(compiler, &entry->aliases.items[k], SPELLING_ALIAS, known);
		for (size_t k = 0; k < entry->legacy.count; k++)
			add_name(compiler, &entry->legacy.items[k], SPELLING_LEGACY, known);
	}
	qsort(catalogue->names, catalogue->name_count, sizeof(*catalogue->names), order_names);
	report_repeats(compiler);
}

/* expects: a standard field is satisfied by any name of its variants' from, another by itself. */
static void compile_expectation(struct compiler *compiler, struct expectation *expectation, const struct text *name)
{
	const struct field_model *field = NULL;
	for (size_t i = 0; i < compiler->model->field_count; i++)
		if (span_equal(compiler->model->fields[i].name.span, name->span))
			field = &compiler->model->fields[i];
	size_t count = 1;
	for (size_t i = 0; field && i < field->variant_count; i++)
		count += field->variants[i].from.count + 1;
	expectation->any = arena_array(compiler->mapping->arena, count, sizeof(*expectation->any));
	bool has_from = false;
	for (size_t i = 0; field && i < field->variant_count; i++) {
		const struct field_variant_model *variant = &field->variants[i];
		if (!field_variant_applies(variant, expectation->event))
			continue;
		for (size_t k = 0; k < variant->from.count; k++)
			expectation->any[expectation->any_count++] =
				compile_payload(compiler, variant->from.items[k].span, variant->from.items[k].mark);
		has_from = has_from || variant->from.count != 0;
		break;
	}
	if (!has_from)
		expectation->any[expectation->any_count++] = compile_payload(compiler, name->span, name->mark);
}

void compile_expectations(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	struct catalogue *catalogue = mapping->catalogue;
	size_t count = 0;
	for (uint32_t i = 0; i < catalogue->known_count; i++)
		count += catalogue->known[i].model->expects.count;
	mapping->expectations = arena_array(mapping->arena, count, sizeof(*mapping->expectations));
	for (uint32_t i = 0; i < catalogue->known_count; i++) {
		struct known_event *known = &catalogue->known[i];
		known->expectation_first = mapping->expectation_count;
		for (size_t k = 0; k < known->model->expects.count; k++) {
			const struct text *name = &known->model->expects.items[k];
			struct expectation *expectation = &mapping->expectations[mapping->expectation_count];
			*expectation = (struct expectation){
				.index = mapping->expectation_count++, .event = known->name, .field = name->span};
			compile_expectation(compiler, expectation, name);
			known->expectation_count++;
		}
	}
}
