/* The query of /api/explain: a parameter taken out of it, and its line explained by the default pack as text and as JSON, which
 * another reader takes. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/page.h"
#include "explain/explanation.h"
#include "explain/rehearsal.h"
#include "fuzz.h"
#include "path.h"

enum { TEXT_MAX = 4096 };

struct explaining {
	FILE *text, *json;
	unsigned count;
};

static void explained(void *context, const struct explanation *explanation)
{
	struct explaining *explaining = context;
	if (explaining->count++ >= 100)
		return;
	explanation_print_text(explanation, explaining->text);
	explanation_print_json(explanation, explaining->json);
}

static void check_json(struct span text)
{
	while (text.len) {
		json_error_t error;
		const struct span line = fuzz_until(&text, '\n');
		json_t *value = json_loadb(line.at, line.len, JSON_ALLOW_NUL, &error);
		if (!json_is_object(value))
			fuzz_fail("%s: %s", error.text, shown(line));
		json_decref(value);
	}
}

static void explain(const struct mapping *mapping, struct span line)
{
	char *text = NULL;
	char *json = NULL;
	size_t text_len = 0;
	size_t json_len = 0;
	struct explaining explaining = {open_memstream(&text, &text_len), open_memstream(&json, &json_len), 0};
	struct explainer *explainer = explainer_new(mapping, explained, &explaining);
	struct rehearsal *rehearsal = rehearsal_new(mapping, explainer_trace(explainer), explainer_observer(explainer));
	rehearsal_run(rehearsal, line);
	const struct accounts *accounts = rehearsal_accounts(rehearsal);
	uint64_t outcomes = 0;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		outcomes += accounts->outcomes[i];
	if (outcomes > explaining.count)
		fuzz_fail("%u explanations of %llu events", explaining.count, (unsigned long long)outcomes);
	rehearsal_free(rehearsal);
	explainer_free(explainer);
	fclose(explaining.text);
	fclose(explaining.json);
	for (size_t i = 0; i < text_len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t') || text[i] == 0x7f)
			fuzz_fail("a control byte in the text: %s", shown((struct span){text, text_len}));
	check_json((struct span){json, json_len});
	free(text);
	free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig rig;
	size_t len = 0;
	if (size > TEXT_MAX)
		return 0;
	if (!rig.mapping)
		path_init(&rig, "include: [tasker]\nlimits: {line: 8KiB, names: 8, tag_values: 8}\n"
		                "inputs: ['stdin:', {url: 'udp://127.0.0.1:0', format: statsd}]\n"
		                "outputs: ['udp://127.0.0.1:8125', {url: 'udp://127.0.0.1:8125', dialect: graphite, name: g}]\n");
	char *query = fuzz_copy((struct span){(const char *)data, size}, 1);
	char *line = page_parameter(query, "line", &len);
	if (line) {
		if (len > strlen(query) || line[len] != '\0')
			fuzz_fail("a parameter of %zu bytes", len);
		explain(rig.mapping, (struct span){line, len});
	}
	free(line);
	fuzz_free(query, 1);
	return 0;
}
