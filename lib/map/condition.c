#include "map/condition.h"

static const struct {
	const char *text;
	enum condition_operator operator;
} operators[] = {
	/* the longer ones first */
	{"==", CONDITION_EQUAL},   {"!=", CONDITION_NOT_EQUAL}, {"<=", CONDITION_LESS_EQUAL}, {">=", CONDITION_GREATER_EQUAL},
	{"<", CONDITION_LESS},     {">", CONDITION_GREATER},    {"~", CONDITION_GLOB},
};

static int take_operator(struct condition_text *condition, struct span *rest)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		const struct span text = span_of(operators[i].text);
		if (!span_starts(*rest, text))
			continue;
		condition->operator = operators[i].operator;
		*rest = span_trim(span_skip(*rest, text.len));
		return 0;
	}
	return -1;
}

static int take_right(struct condition_text *condition, struct span right, const char **why)
{
	if (right.len == 0) {
		*why = "the right side is missing: compare with '' for an empty text";
		return -1;
	}
	condition->right = right;
	if (right.at[0] == '\'') {
		if (right.len < 2 || right.at[right.len - 1] != '\'') {
			*why = "the single quote is not closed";
			return -1;
		}
		condition->right = (struct span){right.at + 1, right.len - 2};
		condition->right_is_quoted = true;
	} else if (right.at[0] == '{' && right.at[right.len - 1] == '}') {
		condition->right = span_trim((struct span){right.at + 1, right.len - 2});
		condition->right_is_field = true;
		if (condition->right.len == 0) {
			*why = "the braces name no field";
			return -1;
		}
	}
	return 0;
}

static bool is_field_byte(char c)
{
	return c != ' ' && c != '\t' && c != '=' && c != '!' && c != '<' && c != '>' && c != '~';
}

static const char field_missing[] = "a condition begins with a field's name: FIELD, not FIELD, or FIELD OP VALUE";

int condition_parse(struct condition_text *condition, struct span text, const char **why)
{
	struct span rest = span_trim(text);
	size_t len = 0;
	*condition = (struct condition_text){.operator = CONDITION_PRESENT};
	while (len < rest.len && is_field_byte(rest.at[len]))
		len++;
	condition->left = (struct span){rest.at, len};
	rest = span_trim(span_skip(rest, len));
	if (len == 0) {
		*why = field_missing;
		return -1;
	}
	if (rest.len == 0)
		return 0;
	if (take_operator(condition, &rest) == 0)
		return take_right(condition, rest, why);
	if (span_is(condition->left, "not")) {
		condition->operator = CONDITION_ABSENT;
		condition->left = rest;
		for (size_t i = 0; i < rest.len; i++) {
			if (!is_field_byte(rest.at[i])) {
				*why = "`not` takes one field and no comparison: use the opposite operator";
				return -1;
			}
		}
		return 0;
	}
	*why = "the operator is one of == != < <= > >= ~";
	return -1;
}
