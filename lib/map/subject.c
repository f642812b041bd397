#include "map/subject.h"

#include <stdlib.h>

int subject_init(struct subject *subject, const struct mapping *mapping, struct lifecycle_event *event)
{
	*subject = (struct subject){.mapping = mapping, .event = event};
	/* Texts stand in them, too, which are read in whole vectors. */
	subject->standards = calloc(1, mapping->field_count * sizeof(*subject->standards) + SCAN_PAD);
	return subject->standards ? 0 : -1;
}

void subject_fini(struct subject *subject)
{
	free(subject->standards);
	*subject = (struct subject){0};
}

void subject_epoch_wrapped(struct subject *subject)
{
	for (uint16_t i = 0; i < subject->mapping->field_count; i++)
		subject->standards[i].epoch = 0;
	subject->epoch = 1;
}

bool identifier_segment(struct span identifier, unsigned number, struct span *segment)
{
	for (;;) {
		const char *dot = memchr(identifier.at, '.', identifier.len);
		const size_t len = dot ? (size_t)(dot - identifier.at) : identifier.len;
		if (number-- == 0) {
			*segment = (struct span){identifier.at, len};
			return true;
		}
		if (!dot)
			return false;
		identifier = span_skip(identifier, len + 1);
	}
}

/* A scalar that is not empty: what `from` takes. */
static struct value *filled_payload(struct subject *subject, uint16_t index)
{
	struct value *value = payload_get(subject->event, &subject->mapping->payload[index]);
	return value && value_is_scalar(value) && value->len ? value : NULL;
}

static bool payload_time(struct subject *subject, uint16_t index, struct timestamp *time)
{
	struct value *value = filled_payload(subject, index);
	return value && timestamp_parse(time, event_text(subject->event, value)) == 0;
}

static bool find_text(struct span text, struct span part)
{
	if (part.len == 0 || part.len > text.len)
		return part.len == 0;
	for (size_t at = 0; at + part.len <= text.len; at++) {
		size_t i = 0;
		while (i < part.len) {
			const unsigned char a = (unsigned char)text.at[at + i];
			const unsigned char b = (unsigned char)part.at[i];
			const unsigned char lower_a = a >= 'A' && a <= 'Z' ? a | 0x20 : a;
			const unsigned char lower_b = b >= 'A' && b <= 'Z' ? b | 0x20 : b;
			if (lower_a != lower_b)
				break;
			i++;
		}
		if (i == part.len)
			return true;
	}
	return false;
}

static bool pattern_holds(struct subject *subject, const struct classify_pattern *pattern, struct span text)
{
	bool is_found = pattern->find_count == 0;
	for (uint16_t i = 0; i < pattern->find_count && !is_found; i++)
		is_found = find_text(text, pattern->find[i]);
	return is_found && !subject_fails(subject, &pattern->when);
}

static void set_text(struct standard *standard, struct span text, enum standard_origin origin)
{
	standard->origin = (uint8_t)origin;
	standard->value = (struct value){text.at, (uint32_t)text.len, VALUE_STRING, ESCAPES_NONE};
	standard->is_present = true;
}

/* Timeout::Error -> timeout; false where neither a pattern nor `missing` or `default` has a word for it. */
static bool classify(struct subject *subject, struct standard *standard, const struct field_variant *variant)
{
	struct span text;
	if (!subject_text(subject, variant->classify, &text) || text.len == 0) {
		if (variant->has_missing)
			set_text(standard, variant->missing, STANDARD_MISSING);
		return variant->has_missing;
	}
	for (uint16_t i = 0; i < variant->pattern_count; i++) {
		if (pattern_holds(subject, &variant->patterns[i], text)) {
			set_text(standard, variant->patterns[i].is, STANDARD_CLASSIFIED);
			return true;
		}
	}
	return false;
}

static bool between(struct subject *subject, struct standard *standard, const struct field_variant *variant)
{
	struct timestamp begin;
	struct timestamp end;
	if (!payload_time(subject, variant->between[0], &begin) || !payload_time(subject, variant->between[1], &end))
		return false;
	const size_t len = timestamp_write_seconds(standard->text, timestamp_between_ms(&begin, &end));
	standard->value = (struct value){standard->text, (uint32_t)len, VALUE_NUMBER, ESCAPES_NONE};
	standard->origin = STANDARD_BETWEEN;
	standard->is_present = true;
	return true;
}

static void take_payload(struct subject *subject, struct standard *standard, struct value *value, uint16_t source)
{
	event_text(subject->event, value);
	standard->value = *value;
	standard->is_present = true;
	standard->origin = STANDARD_PAYLOAD;
	standard->source = source;
}

static bool fill(struct subject *subject, struct standard *standard, uint16_t field)
{
	for (uint8_t i = 0; i < subject->fill_count; i++) {
		const struct fill *filled = &subject->fills[i];
		if (filled->field != field)
			continue;
		standard->value = (struct value){filled->text, filled->len, VALUE_NUMBER, ESCAPES_NONE};
		standard->origin = STANDARD_LIFECYCLE;
		standard->is_present = true;
		return true;
	}
	return false;
}

/* from, between, lifecycle, default: in this order. */
static void work_out(struct subject *subject, struct standard *standard, uint16_t field, const struct field_variant *variant)
{
	for (uint16_t i = 0; i < variant->from_count; i++) {
		struct value *value = filled_payload(subject, variant->from[i]);
		if (!value)
			continue;
		take_payload(subject, standard, value, variant->from[i]);
		return;
	}
	if (variant->has_between && between(subject, standard, variant))
		return;
	if (fill(subject, standard, field))
		return;
	if (variant->has_classify && classify(subject, standard, variant))
		return;
	if (variant->has_default)
		set_text(standard, variant->default_value, STANDARD_DEFAULT);
}

static struct value *standard_value(struct subject *subject, uint16_t index)
{
	struct standard *standard = &subject->standards[index];
	if (standard->epoch != subject->epoch) {
		const struct field *field = &subject->mapping->fields[index];
		const uint8_t variant = subject->variants[index];
		standard->epoch = subject->epoch;
		standard->is_present = false;
		standard->origin = STANDARD_ABSENT;
		if (variant) {
			work_out(subject, standard, index, &field->variants[variant - 1]);
		} else {
			/* No entry applies to this event: the payload's own field of that name, as it came. */
			struct value *value = payload_get(subject->event, &subject->mapping->payload[field->own]);
			if (value)
				take_payload(subject, standard, value, field->own);
			else
				fill(subject, standard, index);
		}
	}
	return standard->is_present ? &standard->value : NULL;
}

static struct value *part_value(struct subject *subject, struct span text)
{
	subject->part = (struct value){text.at, (uint32_t)text.len, VALUE_STRING, ESCAPES_NONE};
	return &subject->part;
}

struct value *subject_value(struct subject *subject, struct reference reference)
{
	struct span segment;
	switch ((enum reference_kind)reference.kind) {
	case REFERENCE_PAYLOAD:
		return payload_get(subject->event, &subject->mapping->payload[reference.index]);
	case REFERENCE_STANDARD:
		return standard_value(subject, reference.index);
	case REFERENCE_EVENT:
		return part_value(subject, subject->identifier);
	case REFERENCE_SEGMENT:
		return identifier_segment(subject->identifier, reference.index, &segment) ? part_value(subject, segment) : NULL;
	case REFERENCE_CAPTURE:
		return part_value(subject, subject->captures[reference.index]);
	case REFERENCE_STATE_FROM:
		return subject->state_from.len ? &subject->state_from : NULL;
	case REFERENCE_STATE_TO:
		return subject->state_to.len ? &subject->state_to : NULL;
	case REFERENCE_STATE_DURATION:
		return subject->state_duration.len ? &subject->state_duration : NULL;
	}
	return NULL;
}

static bool compare_numbers(enum condition_operator operator, const struct decimal *left, const struct decimal *right)
{
	const int order = decimal_compare(left, right);
	switch (operator) {
	case CONDITION_EQUAL: return order == 0;
	case CONDITION_NOT_EQUAL: return order != 0;
	case CONDITION_LESS: return order < 0;
	case CONDITION_LESS_EQUAL: return order <= 0;
	case CONDITION_GREATER: return order > 0;
	case CONDITION_GREATER_EQUAL: return order >= 0;
	case CONDITION_PRESENT:
	case CONDITION_ABSENT:
	case CONDITION_GLOB: break;
	}
	return false;
}

static bool condition_holds(struct subject *subject, const struct condition *condition)
{
	const enum condition_operator operator = condition->operator;
	struct decimal left_number;
	struct decimal right_number = condition->right_number;
	struct span left;
	struct span right = condition->right;
	bool is_number = condition->right_is_number;
	const bool is_present = subject_text(subject, condition->left, &left);
	if (operator == CONDITION_PRESENT || operator == CONDITION_ABSENT)
		return is_present == (operator == CONDITION_PRESENT);
	if (!is_present)
		return false;
	if (condition->right_is_field) {
		if (!subject_text(subject, condition->right_field, &right))
			return false;
		is_number = decimal_parse(&right_number, right) == 0;
	}
	if (operator == CONDITION_GLOB)
		/* An event's own glob costs the product of both lengths: a long one is none. */
		return (!condition->right_is_field || right.len <= IDENTIFIER_MAX) && pattern_match_text(right, left);
	if (is_number && decimal_parse(&left_number, left) == 0)
		return compare_numbers(operator, &left_number, &right_number);
	if (operator == CONDITION_EQUAL)
		return span_equal(left, right);
	return operator == CONDITION_NOT_EQUAL && !span_equal(left, right);
}

const struct condition *subject_fails(struct subject *subject, const struct conditions *conditions)
{
	for (uint16_t i = 0; i < conditions->all_count; i++)
		if (!condition_holds(subject, &conditions->all[i]))
			return &conditions->all[i];
	for (uint16_t i = 0; i < conditions->any_count; i++)
		if (condition_holds(subject, &conditions->any[i]))
			return NULL;
	return conditions->any_count ? &conditions->any[conditions->any_count - 1] : NULL;
}

bool subject_meets(struct subject *subject, const struct expectation *expectation)
{
	for (uint16_t i = 0; i < expectation->any_count; i++) {
		const struct value *value = payload_get(subject->event, &subject->mapping->payload[expectation->any[i]]);
		if (value && (value->len || !value_is_scalar(value)))
			return true;
	}
	return false;
}
