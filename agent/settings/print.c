#include "settings/print.h"

#include "settings/scalar.h"

/* Texts to us, but not to other readers of YAML. */
static bool is_word_of_yaml(struct span text)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_is(text, words[i]))
			return true;
	return false;
}

static bool is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];
		bool is_letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
		if (!is_letter && (i == 0 || ((byte < '0' || byte > '9') && !strchr("_.-/", byte))))
			return false;
	}
	return text.len != 0 && !is_word_of_yaml(text);
}

static void print_quoted(FILE *out, struct span text, const char *dollar)
{
	fputc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.at[i];
		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte == '$')
			fputs(dollar, out);
		else if (byte == '\n')
			fputs("\\n", out);
		else if (byte < ' ' || byte == 127)
			fprintf(out, "\\x%02x", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

void print_text(FILE *out, struct span text)
{
	if (is_plain(text))
		fprintf(out, "%.*s", SPAN_ARG(text));
	else
		print_quoted(out, text, "$$");
}

void print_name(FILE *out, struct span name)
{
	if (is_plain(name))
		fprintf(out, "%.*s", SPAN_ARG(name));
	else
		print_quoted(out, name, "$");
}

void print_texts(FILE *out, const struct texts *texts)
{
	fputc('[', out);
	for (size_t i = 0; i < texts->count; i++) {
		fputs(i ? ", " : "", out);
		print_text(out, texts->items[i].span);
	}
	fputc(']', out);
}

static void print_tags(FILE *out, const struct tags_model *tags)
{
	fputc('{', out);
	for (size_t i = 0; i < tags->count; i++) {
		fputs(i ? ", " : "", out);
		print_name(out, tags->items[i].key.span);
		fputs(": ", out);
		print_text(out, tags->items[i].value.span);
	}
	fputc('}', out);
}

void print_key(struct printer *printer, const char *key)
{
	fprintf(printer->out, "%s%s: ", printer->has_entry ? ", " : "", key);
	printer->has_entry = true;
}

static void print_number(struct printer *printer, const struct setting *setting, int64_t number)
{
	char text[SCALAR_TEXT_MAX];
	print_key(printer, setting->key);
	if (setting->type == SETTING_BYTES)
		scalar_write_bytes(text, number);
	else if (setting->type == SETTING_MODE)
		snprintf(text, sizeof(text), "%04llo", (unsigned long long)number);
	else if (setting->type == SETTING_COUNT)
		snprintf(text, sizeof(text), "%lld", (long long)number);
	else if (number == 0 && setting->flags & SETTING_OR_OFF)
		snprintf(text, sizeof(text), "off");
	else
		scalar_write_duration(text, number);
	fputs(text, printer->out);
}

static void print_span(struct printer *printer, const char *key, struct span text)
{
	if (!text.at)
		return;
	print_key(printer, key);
	print_text(printer->out, text);
}

static void print_choice(struct printer *printer, const struct setting *setting, unsigned value)
{
	if (value < setting->min)
		return;
	print_key(printer, setting->key);
	fputs(setting->choices[value - setting->min], printer->out);
}

static void print_list(struct printer *printer, const char *key, const struct texts *texts)
{
	if (!texts->items)
		return;
	print_key(printer, key);
	print_texts(printer->out, texts);
}

/* A flag is worth a word where it differs from `false`, or where `false` is not what one expects. */
static void print_flag(struct printer *printer, const struct setting *setting, bool flag)
{
	if (!flag && (!setting->fallback || strcmp(setting->fallback, "true") != 0))
		return;
	print_key(printer, setting->key);
	fputs(flag ? "true" : "false", printer->out);
}

static void print_row(struct printer *printer, const struct setting *setting, const void *target)
{
	const void *place = (const char *)target + setting->offset;
	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_TEMPLATE:
		print_span(printer, setting->key, ((const struct text *)place)->span);
		break;
	case SETTING_STRING:
		if (*(const char *const *)place)
			print_span(printer, setting->key, span_of(*(const char *const *)place));
		break;
	case SETTING_TEXTS:
		print_list(printer, setting->key, place);
		break;
	case SETTING_TAGS:
	case SETTING_TEMPLATE_TAGS:
		if (((const struct tags_model *)place)->count) {
			print_key(printer, setting->key);
			print_tags(printer->out, place);
		}
		break;
	case SETTING_BOOL:
		print_flag(printer, setting, *(const bool *)place);
		break;
	case SETTING_COUNT:
	case SETTING_BYTES:
	case SETTING_MODE:
		print_number(printer, setting, *(const uint32_t *)place);
		break;
	case SETTING_DURATION:
		print_number(printer, setting, *(const int64_t *)place);
		break;
	case SETTING_CHOICE:
		print_choice(printer, setting, *(const unsigned *)place);
		break;
	case SETTING_OWN:
		if (setting->print)
			setting->print(printer, target);
		break;
	case SETTING_TYPE_COUNT:
		break;
	}
}

void print_rows(struct printer *printer, const struct table *table, const void *target,
                bool (*applies)(const struct setting *setting, const void *target))
{
	for (size_t i = 0; i < table->count; i++)
		if (!applies || applies(&table->settings[i], target))
			print_row(printer, &table->settings[i], target);
}
