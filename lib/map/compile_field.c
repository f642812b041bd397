/* fields: of a configuration -> the standard payload, ready to be looked up. */
#include "map/compiler.h"

bool field_variant_applies(const struct field_variant_model *variant, struct span event)
{
	if (variant->events.count == 0)
		return true;
	for (size_t i = 0; i < variant->events.count; i++) {
		struct pattern pattern;
		const char *why;
		if (pattern_compile(&pattern, variant->events.items[i].span, &why) == 0 && pattern_match(&pattern, event, NULL))
			return true;
	}
	return false;
}

static void compile_classify(struct compiler *compiler, struct field_variant *variant, const struct field_variant_model *model)
{
	struct arena *arena = compiler->mapping->arena;
	variant->has_classify = true;
	variant->classify = compile_reference(compiler, model->classify.span, model->classify.mark);
	variant->patterns = arena_array(arena, model->pattern_count, sizeof(*variant->patterns));
	variant->pattern_count = (uint16_t)model->pattern_count;
	for (size_t i = 0; i < model->pattern_count; i++) {
		const struct classify_pattern_model *from = &model->patterns[i];
		struct classify_pattern *to = &variant->patterns[i];
		to->is = arena_copy(compiler->mapping->arena, from->is.span);
		to->find = arena_array(arena, from->find.count, sizeof(*to->find));
		for (size_t k = 0; k < from->find.count; k++)
			to->find[to->find_count++] = from->find.items[k].span;
		compile_conditions(compiler, &to->when, &from->when);
		if (from->find.count == 0 && from->when.all.count == 0 && from->when.any.count == 0)
			problem_add(compiler->problems, from->mark, "this pattern never holds: give it `find` or `when`");
	}
}

static void compile_variant(struct compiler *compiler, struct field_variant *variant, const struct field_variant_model *model,
                            const struct text *name)
{
	struct arena *arena = compiler->mapping->arena;
	variant->events = compile_patterns(compiler, &model->events, &variant->event_count);
	/* Without `from` and `classify` a field is found under its own name: a definition hides no payload. */
	const bool is_own = model->from.count == 0 && !model->classify.span.at;
	variant->from = arena_array(arena, model->from.count + 1, sizeof(*variant->from));
	if (is_own)
		variant->from[variant->from_count++] = compile_payload(compiler, name->span, name->mark);
	for (size_t i = 0; i < model->from.count; i++)
		variant->from[variant->from_count++] = compile_payload(compiler, model->from.items[i].span, model->from.items[i].mark);
	variant->has_between = model->between[0].span.at != NULL && model->between[1].span.at != NULL;
	for (int i = 0; variant->has_between && i < 2; i++)
		variant->between[i] = compile_payload(compiler, model->between[i].span, model->between[i].mark);
	if (model->classify.span.at)
		compile_classify(compiler, variant, model);
	variant->has_default = model->default_value.span.at != NULL;
	variant->default_value = arena_copy(compiler->mapping->arena, model->default_value.span);
	variant->has_missing = model->missing.span.at != NULL;
	variant->missing = arena_copy(compiler->mapping->arena, model->missing.span);
}

/* Whether working out field `from` can come to field `target`; path marks what has been walked. */
static bool reaches(const struct mapping *mapping, uint16_t from, uint16_t target, bool *walked);

static bool reference_reaches(const struct mapping *mapping, struct reference reference, uint16_t target, bool *walked)
{
	if (reference.kind != REFERENCE_STANDARD)
		return false;
	return reference.index == target || reaches(mapping, reference.index, target, walked);
}

static bool conditions_reach(const struct mapping *mapping, const struct condition *list, uint16_t count, uint16_t target,
                             bool *walked)
{
	for (uint16_t i = 0; i < count; i++) {
		if (reference_reaches(mapping, list[i].left, target, walked))
			return true;
		if (list[i].right_is_field && reference_reaches(mapping, list[i].right_field, target, walked))
			return true;
	}
	return false;
}

static bool reaches(const struct mapping *mapping, uint16_t from, uint16_t target, bool *walked)
{
	if (walked[from])
		return false;
	walked[from] = true;
	for (uint16_t i = 0; i < mapping->fields[from].variant_count; i++) {
		const struct field_variant *variant = &mapping->fields[from].variants[i];
		if (!variant->has_classify)
			continue;
		if (reference_reaches(mapping, variant->classify, target, walked))
			return true;
		for (uint16_t k = 0; k < variant->pattern_count; k++) {
			const struct conditions *when = &variant->patterns[k].when;
			if (conditions_reach(mapping, when->all, when->all_count, target, walked) ||
			    conditions_reach(mapping, when->any, when->any_count, target, walked))
				return true;
		}
	}
	return false;
}

static void report_circles(struct compiler *compiler)
{
	const struct mapping *mapping = compiler->mapping;
	bool *walked = arena_array(mapping->arena, mapping->field_count, sizeof(*walked));
	for (uint16_t i = 0; i < mapping->field_count; i++) {
		memset(walked, 0, mapping->field_count * sizeof(*walked));
		if (reaches(mapping, i, i, walked))
			problem_add(compiler->problems, compiler->model->fields[i].name.mark,
			            "`%.*s` is classified by a field that is classified by it: break the circle",
			            SPAN_ARG(mapping->fields[i].name));
	}
}

/* The fields that lifecycles fill are standard fields, whether `fields` has them or not. */
static void add_filled(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	for (size_t i = 0; i < compiler->model->lifecycle_count; i++) {
		const struct text *name = &compiler->model->lifecycles[i].duration_field;
		bool is_known = !name->span.at;
		for (uint16_t k = 0; k < mapping->field_count && !is_known; k++)
			is_known = span_equal(mapping->fields[k].name, name->span);
		if (!is_known)
			mapping->fields[mapping->field_count++] =
				(struct field){.name = name->span, .own = compile_payload(compiler, name->span, name->mark)};
	}
}

void compile_fields(struct compiler *compiler)
{
	const struct model *model = compiler->model;
	struct mapping *mapping = compiler->mapping;
	mapping->fields = arena_array(mapping->arena, model->field_count + model->lifecycle_count, sizeof(*mapping->fields));
	for (size_t i = 0; i < model->field_count; i++) {
		const struct text *name = &model->fields[i].name;
		mapping->fields[mapping->field_count++] =
			(struct field){.name = name->span, .own = compile_payload(compiler, name->span, name->mark)};
	}
	add_filled(compiler);
	for (size_t i = 0; i < model->field_count; i++) {
		const struct field_model *from = &model->fields[i];
		struct field *field = &mapping->fields[i];
		field->variants = arena_array(mapping->arena, from->variant_count, sizeof(*field->variants));
		field->variant_count = (uint16_t)from->variant_count;
		compiler->self = from->name.span;
		if (from->variant_count > UINT8_MAX)
			problem_add(compiler->problems, from->name.mark, "a field has %d entries at most", UINT8_MAX);
		for (size_t k = 0; k < from->variant_count; k++)
			compile_variant(compiler, &field->variants[k], &from->variants[k], &from->name);
		compiler->self = (struct span){0};
	}
	report_circles(compiler);
}
