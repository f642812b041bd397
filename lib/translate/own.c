#include "translate/translator.h"

static void pack(struct translator *translator, uint16_t output, const struct own_metric *metric)
{
	char *out = make_reserve(translator, output);
	struct span line;
	if (out)
		(void)make_commit(translator, output,
		                  own_render(translator->mapping, &translator->renderer.wires[output], metric, out), &line);
}

void translator_make_own(struct translator *translator, const struct own_metric *metric, uint32_t outputs)
{
	translator->may_overfill = false;
	for (uint16_t i = 0; i < translator->mapping->output_count; i++) {
		struct output_accounts *account = &translator->accounts->outputs[i];
		if (!(outputs >> i & 1))
			continue;
		account->made++;
		if (own_is_taken(&translator->renderer.wires[i], metric))
			pack(translator, i, metric);
		else
			account->filtered++;
	}
}
