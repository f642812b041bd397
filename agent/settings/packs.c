/* The built-in packs: files of conf/ that the program carries. Unpacked when one is asked for, and kept: what was read of it
 * may point into it for as long as the program runs. */
#include <stdlib.h>
#include <string.h>

#include "settings/carried.h"
#include "settings/settings.h"

static struct pack packs[] = {
	{.name = "tasker"},
	{.name = "tasker-lifecycles"},
	{.name = "job"},
};

const struct pack *pack_at(size_t index)
{
	return index < ARRAY_LEN(packs) ? &packs[index] : NULL;
}

const struct pack *pack_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(packs); i++) {
		if (strcmp(packs[i].name, name) == 0)
			return &packs[i];
	}
	return NULL;
}

struct span pack_text(const struct pack *asked)
{
	struct pack *pack = &packs[asked - packs];
	const struct carried *carried = carried_find(pack->name);

	if (pack->text == NULL)
		pack->text = carried_unpack(carried);
	if (pack->text == NULL)
		arena_exhausted();
	return (struct span){pack->text, carried->len};
}
