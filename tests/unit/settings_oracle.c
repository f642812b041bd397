/* Prints what the settings tables say, for tests/golden/configuration_test.py: a row a line, its parts apart by tabs.
 *
 *     outputs[] \t when_full \t choice \t \t drop,block \t \t \t \t block for stdout, else drop \t
 *     limits    \t tag_length \t bytes \t \t \t 1 \t 1024 \t 200 \t \t
 *
 * Path, key, type, flags (required, off), choices, least, most, default, default in words, what it takes. What a row
 * does not say is empty; a default that is an empty text is "".
 */
#include <stdio.h>

#include "settings/scalar.h"
#include "settings/table.h"

static const char *const type_names[SETTING_TYPE_COUNT] = {
	[SETTING_TEXT] = "text",         [SETTING_TEMPLATE] = "template",
	[SETTING_STRING] = "text",       [SETTING_TEXTS] = "list",
	[SETTING_TAGS] = "tags",         [SETTING_TEMPLATE_TAGS] = "tags of templates",
	[SETTING_BOOL] = "boolean",      [SETTING_COUNT] = "count",
	[SETTING_BYTES] = "bytes",       [SETTING_MODE] = "mode",
	[SETTING_DURATION] = "duration", [SETTING_CHOICE] = "choice",
	[SETTING_OWN] = "own",
};

static void print_bound(const struct setting *setting, int64_t bound)
{
	char text[SCALAR_TEXT_MAX];
	if (setting->max == 0 || setting->type == SETTING_CHOICE)
		return;
	if (setting->type == SETTING_DURATION)
		scalar_write_duration(text, bound);
	else if (setting->type == SETTING_BYTES)
		scalar_write_bytes(text, bound);
	else
		snprintf(text, sizeof(text), "%lld", (long long)bound);
	fputs(text, stdout);
}

static void print_setting(const struct table *table, const struct setting *setting)
{
	printf("%s\t%s\t%s\t", table->path, setting->key, type_names[setting->type]);
	printf("%s%s\t", setting->flags & SETTING_REQUIRED ? "required" : "", setting->flags & SETTING_OR_OFF ? "off" : "");
	for (size_t i = 0; setting->choices && setting->choices[i]; i++)
		printf("%s%s", i ? "," : "", setting->choices[i]);
	putchar('\t');
	print_bound(setting, setting->min);
	putchar('\t');
	print_bound(setting, setting->max);
	const char *fallback = setting->fallback && setting->fallback[0] == '\0' ? "\"\"" : setting->fallback;
	printf("\t%s\t%s\t%s\n", fallback ? fallback : "", setting->shown ? setting->shown : "",
	       setting->takes ? setting->takes : "");
}

int main(void)
{
	const struct table *table;
	for (size_t i = 0; (table = table_at(i)); i++)
		for (size_t row = 0; row < table->count; row++)
			print_setting(table, &table->settings[row]);
	return 0;
}
