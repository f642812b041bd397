/* Names, templates and conditions of a configuration -> references that events are looked up by. */
#include "map/compiler.h"

uint16_t compile_payload(struct compiler *compiler, struct span name, struct mark mark)
{
	struct mapping *mapping = compiler->mapping;
	for (uint16_t i = 0; i < mapping->payload_count; i++)
		if (span_equal(mapping->payload[i].name, name))
			return i;
	if (compiler->payload_size == mapping->payload_count) {
		const size_t size = compiler->payload_size ? 2 * compiler->payload_size : 64;
		struct payload_reference *larger = arena_array(mapping->arena, size, sizeof(*larger));
		if (mapping->payload_count)
			memcpy(larger, mapping->payload, mapping->payload_count * sizeof(*larger));
		mapping->payload = larger;
		compiler->payload_size = size;
	}
	struct payload_reference *reference = &mapping->payload[mapping->payload_count];
	if (payload_reference_init(reference, name, &mapping->fieldset, compiler->places, compiler->place_count) &&
	    !compiler->has_too_many) {
		compiler->has_too_many = true;
		problem_add(compiler->problems, mark, "too many different payload fields: a configuration can name %d places",
		            LOCATIONS_MAX - 1);
	}
	return mapping->payload_count++;
}

static bool is_number_of(struct span text, uint32_t *number)
{
	*number = 0;
	if (text.len == 0 || text.len > 4)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*number = *number * 10 + (uint32_t)(text.at[i] - '0');
	}
	return true;
}

struct reference compile_reference(struct compiler *compiler, struct span name, struct mark mark)
{
	uint32_t segment;
	if (span_is(name, "event"))
		return (struct reference){REFERENCE_EVENT, 0};
	if (span_starts(name, SPAN("event.")) && is_number_of(span_skip(name, 6), &segment))
		return (struct reference){REFERENCE_SEGMENT, (uint16_t)segment};
	if (compiler->model->lifecycle_count) {
		if (span_is(name, "state.from"))
			return (struct reference){REFERENCE_STATE_FROM, 0};
		if (span_is(name, "state.to"))
			return (struct reference){REFERENCE_STATE_TO, 0};
		if (span_is(name, "state.duration"))
			return (struct reference){REFERENCE_STATE_DURATION, 0};
	}
	for (uint16_t i = 0; i < compiler->mapping->field_count; i++)
		if (span_equal(compiler->mapping->fields[i].name, name) && !span_equal(name, compiler->self))
			return (struct reference){REFERENCE_STANDARD, i};
	return (struct reference){REFERENCE_PAYLOAD, compile_payload(compiler, name, mark)};
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static void check_name_literal(struct compiler *compiler, struct span literal, struct mark mark)
{
	for (size_t i = 0; i < literal.len; i++) {
		if (is_name_byte(literal.at[i]))
			continue;
		problem_add(compiler->problems, mark,
		            "a metric's name takes A-Za-z0-9_.- only: `%.*s` has another byte; write _ instead", SPAN_ARG(literal));
		return;
	}
}

static void add_part(struct template *template, struct template_part part)
{
	template->parts[template->count++] = part;
}

static void add_reference(struct compiler *compiler, struct template *template, struct span name, struct mark mark)
{
	uint32_t number;
	if (is_number_of(name, &number)) {
		if (number == 0 || number > PATTERN_STARS_MAX) {
			problem_add(compiler->problems, mark, "{%.*s} names no capture: they count from {1}, one for each star of `match`",
			            SPAN_ARG(name));
			return;
		}
		if (number > template->captures)
			template->captures = (uint8_t)number;
		add_part(template, (struct template_part){.reference = {REFERENCE_CAPTURE, (uint16_t)(number - 1)}});
		return;
	}
	const struct reference reference = compile_reference(compiler, name, mark);
	if (reference.kind != REFERENCE_EVENT && reference.kind != REFERENCE_SEGMENT)
		template->has_fields = true;
	add_part(template, (struct template_part){.reference = reference});
}

/* `{name}` at text.at[*at]: steps behind it. */
static int take_braces(struct compiler *compiler, struct template *template, const struct text *text, size_t *at)
{
	const struct span rest = span_skip(text->span, *at + 1);
	const char *close = memchr(rest.at, '}', rest.len);
	const char *open = memchr(rest.at, '{', rest.len);
	if (!close || (open && open < close)) {
		problem_add(compiler->problems, text->mark, "a `{` is not closed: write {FIELD}, or {{ for a brace");
		return -1;
	}
	const struct span inside = {rest.at, (size_t)(close - rest.at)};
	const struct span name = span_trim(inside);
	if (name.len == 0) {
		problem_add(compiler->problems, text->mark, "{} names no field: write {FIELD}, or {{}} for braces");
		return -1;
	}
	add_reference(compiler, template, name, text->mark);
	*at += inside.len + 2;
	return 0;
}

/* The literal from *at on, with doubled braces made single; NULL-safe for empty ones. */
static int take_literal(struct compiler *compiler, struct template *template, const struct text *text, size_t *at, int use)
{
	const struct span all = text->span;
	char *out = arena_alloc(compiler->mapping->arena, all.len + 1);
	size_t len = 0;
	while (*at < all.len) {
		const char c = all.at[*at];
		const bool is_brace = c == '{' || c == '}';
		const bool is_double = is_brace && *at + 1 < all.len && all.at[*at + 1] == c;
		if (c == '{' && !is_double)
			break;
		if (c == '}' && !is_double) {
			problem_add(compiler->problems, text->mark, "a `}` stands alone: write }} for a brace");
			return -1;
		}
		out[len++] = c;
		*at += is_double ? 2 : 1;
	}
	if (len == 0)
		return 0;
	const struct span literal = {out, len};
	if (use == TEMPLATE_NAME)
		check_name_literal(compiler, literal, text->mark);
	add_part(template, (struct template_part){.literal = literal});
	return 0;
}

void compile_template(struct compiler *compiler, struct template *template, const struct text *text, int use)
{
	size_t at = 0;
	*template = (struct template){0};
	if (!text->span.at)
		return;
	/* A part is at least one byte of source; braces take three. */
	template->parts = arena_array(compiler->mapping->arena, text->span.len + 1, sizeof(*template->parts));
	while (at < text->span.len) {
		if (take_literal(compiler, template, text, &at, use))
			return;
		if (at < text->span.len && take_braces(compiler, template, text, &at))
			return;
	}
	template->is_constant = template->count == 0 || (template->count == 1 && template->parts[0].literal.at);
}

static void compile_condition(struct compiler *compiler, struct condition *condition, const struct text *text)
{
	struct condition_text parsed;
	const char *why;
	if (condition_parse(&parsed, text->span, &why)) {
		problem_add(compiler->problems, text->mark, "`%.*s` is no condition: %s", SPAN_ARG(text->span), why);
		return;
	}
	if (parsed.left.at[0] == '{') {
		problem_add(compiler->problems, text->mark, "`%.*s`: the left side is a field's name, without braces",
		            SPAN_ARG(text->span));
		return;
	}
	*condition = (struct condition){.operator = (uint8_t)parsed.operator, .source = text->span};
	condition->left = compile_reference(compiler, parsed.left, text->mark);
	condition->right = parsed.right;
	condition->right_is_field = parsed.right_is_field;
	if (parsed.right_is_field)
		condition->right_field = compile_reference(compiler, parsed.right, text->mark);
	else if (!parsed.right_is_quoted)
		condition->right_is_number = parsed.right.at && decimal_parse(&condition->right_number, parsed.right) == 0;
}

static struct condition *compile_condition_list(struct compiler *compiler, const struct texts *texts, uint16_t *count)
{
	struct condition *list = arena_array(compiler->mapping->arena, texts->count, sizeof(*list));
	for (size_t i = 0; i < texts->count; i++)
		compile_condition(compiler, &list[i], &texts->items[i]);
	*count = (uint16_t)texts->count;
	return list;
}

void compile_conditions(struct compiler *compiler, struct conditions *conditions, const struct conditions_model *model)
{
	conditions->all = compile_condition_list(compiler, &model->all, &conditions->all_count);
	conditions->any = compile_condition_list(compiler, &model->any, &conditions->any_count);
}

struct pattern *compile_patterns(struct compiler *compiler, const struct texts *texts, uint16_t *count)
{
	struct pattern *patterns = arena_array(compiler->mapping->arena, texts->count, sizeof(*patterns));
	*count = 0;
	for (size_t i = 0; i < texts->count; i++) {
		const char *why;
		if (pattern_compile(&patterns[*count], texts->items[i].span, &why))
			problem_add(compiler->problems, texts->items[i].mark, "`%.*s` is no pattern: %s", SPAN_ARG(texts->items[i].span),
			            why);
		else
			(*count)++;
	}
	return patterns;
}
