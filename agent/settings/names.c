#include "settings/names.h"

#include "base/arena.h"
#include "settings/settings.h"

struct name {
	struct name *next;
	const char *text;
};

/* A reload reads the same files again, so that this does not grow. */
static struct arena *names_arena;
static struct name *names;

const char *name_keep(const char *text)
{
	for (const struct name *name = names; name; name = name->next)
		if (strcmp(name->text, text) == 0)
			return name->text;
	if (!names_arena) {
		names_arena = arena_new();
		arena_keep(names_arena);
	}
	struct name *name = arena_alloc(names_arena, sizeof(*name));
	name->text = arena_copy(names_arena, span_of(text)).at;
	name->next = names;
	names = name;
	return name->text;
}

void settings_names_free(void)
{
	arena_free(names_arena);
	names_arena = NULL;
	names = NULL;
}
