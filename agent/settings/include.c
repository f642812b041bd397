#include "settings/include.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "settings/expand.h"
#include "settings/fault.h"
#include "settings/names.h"
#include "settings/paths.h"
#include "settings/ports.h"

enum {
	/* More than any configuration; keeps a wrong path (/dev/zero) from filling the memory. */
	FILE_SIZE_MAX = 8 << 20,
	FILES_MAX = 256,
	GLOBS_MAX = 64,
};

/* What a file is, whatever path led to it. */
struct identity {
	const struct pack *pack;
	dev_t device;
	ino_t inode;
};

struct loader {
	struct reader *reader;
	struct settings *settings;
	struct source **tail;
	struct identity seen[FILES_MAX]; /* in the order of reading */
	bool is_open[FILES_MAX];         /* its includes are being read: to meet it again is a circle */
	size_t seen_count;
};

/* Where to read, and for whom. */
struct request {
	const char *path; /* or a pack's name */
	const struct pack *pack;
	struct mark mark; /* of the entry of include: */
};

static bool is_same(const struct identity *a, const struct identity *b)
{
	return a->pack || b->pack ? a->pack == b->pack : a->device == b->device && a->inode == b->inode;
}

/* Reads the whole of a descriptor into memory to be freed; NULL with errno, EFBIG beyond FILE_SIZE_MAX. */
static char *read_all(int descriptor, size_t *whole)
{
	size_t size = 16384, len = 0;
	char *bytes = malloc(size);
	while (bytes) {
		ssize_t got = read(descriptor, bytes + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		*whole = len;
		if (got == 0)
			return bytes;
		len += got < 0 ? 0 : (size_t)got;
		if (got < 0 || len > FILE_SIZE_MAX) {
			int error = got < 0 ? errno : EFBIG;
			free(bytes);
			errno = error;
			return NULL;
		}
		if (len == size) {
			char *grown = realloc(bytes, size *= 2);
			if (!grown)
				free(bytes);
			bytes = grown;
		}
	}
	errno = ENOMEM;
	return NULL;
}

/* The own configuration may come from a pipe; included ones not: a reload would wait for whoever writes there. */
static bool may_be_read(const struct loader *loader, const struct stat *status)
{
	return loader->seen_count == 0 || S_ISREG(status->st_mode) || S_ISDIR(status->st_mode);
}

/* -1 with errno; 0 there where it is no file that can be read again. */
static int request_open(const struct loader *loader, const struct request *request, struct identity *identity,
                        struct span *text)
{
	struct stat status;
	*identity = (struct identity){.pack = request->pack};
	if (request->pack) {
		*text = pack_text(request->pack);
		return 0;
	}
	int descriptor = open(request->path, O_RDONLY | O_CLOEXEC | (loader->seen_count > 0 ? O_NONBLOCK : 0));
	if (descriptor < 0)
		return -1;
	size_t len = 0;
	char *bytes = NULL;
	int error = fstat(descriptor, &status) < 0 ? errno : 0;
	if (error == 0 && may_be_read(loader, &status)) {
		bytes = read_all(descriptor, &len);
		error = errno;
	}
	close(descriptor);
	errno = error;
	if (!bytes)
		return -1;
	identity->device = status.st_dev;
	identity->inode = status.st_ino;
	struct arena_guard guard;
	arena_guard(&guard, free, bytes);
	*text = arena_copy(loader->reader->arena, (struct span){bytes, len});
	arena_unguard(&guard);
	free(bytes);
	return 0;
}

/* What a reload compares: which files were read, in which order, and what they said. */
static void digest_add(struct loader *loader, const char *path, struct span text)
{
	struct hash_key key = {loader->settings->digest, 0};
	key.k1 = hash_span(&key, span_of(path));
	loader->settings->digest = hash_span(&key, text);
}

static void files_add(struct loader *loader, const char *path)
{
	if (loader->settings->file_count < FILES_MAX)
		loader->settings->files[loader->settings->file_count++] = path;
}

/* Keys that only the own file may hold. */
static void refuse_key(struct loader *loader, const struct node *key)
{
	fault(loader->reader->problems, key->mark,
	      "an included file must not hold `%.*s`: put it into the file that includes this one",
	      FAULT_ARG(key->raw));
}

static void source_read(struct loader *loader, struct source *source, const struct node *root, bool is_own)
{
	struct part parts[] = {{&source_table, source}, {&settings_table, loader->settings}};
	if (root->kind != NODE_MAP) {
		if (!root->is_faulty)
			fault(loader->reader->problems, root->mark,
			      "a configuration is a map: begin with `rules:` or another key");
		return;
	}
	/* From the end, as table_read() does it. */
	for (size_t i = root->count; i-- > 0;) {
		const struct node_entry *entry = &root->entries[i];
		const struct setting *common = table_find(&source_table, entry->key->raw);
		const struct setting *own = table_find(&settings_table, entry->key->raw);
		if (common)
			setting_read(loader->reader, common, entry->value, source);
		else if (own && is_own)
			setting_read(loader->reader, own, entry->value, loader->settings);
		else if (own)
			refuse_key(loader, entry->key);
		else if (!entry->key->is_faulty)
			(void)table_unknown_key(loader->reader, parts, is_own ? 2 : 1, entry->key);
	}
}

static void load_include(struct loader *loader, const struct source *source, const struct text *entry);

/* Whether this is a new file, which is noted then; one that is read already counts once. */
static bool loader_meet(struct loader *loader, const struct request *request, const struct identity *identity)
{
	struct problems *problems = loader->reader->problems;
	for (size_t i = 0; i < loader->seen_count; i++) {
		if (!is_same(&loader->seen[i], identity))
			continue;
		if (loader->is_open[i])
			fault(problems, request->mark, "`%s` includes itself, by way of this line", request->path);
		return false;
	}
	if (loader->seen_count == FILES_MAX) {
		fault(problems, request->mark, "more than %d files", FILES_MAX);
		return false;
	}
	loader->seen[loader->seen_count++] = *identity;
	return true;
}

static struct source *source_new(struct loader *loader, const struct request *request)
{
	struct source *source = arena_alloc(loader->reader->arena, sizeof(*source));
	source->path = name_keep(request->path);
	if (!request->pack) {
		const char *slash = strrchr(source->path, '/');
		struct span directory = {source->path, slash ? (size_t)(slash - source->path) + 1 : 0};
		source->directory = arena_copy(loader->reader->arena, directory).at;
		files_add(loader, source->path);
	}
	*loader->tail = source;
	loader->tail = &source->next;
	return source;
}

/* Reads one file and its includes, where it was not read yet. */
static void load(struct loader *loader, const struct request *request)
{
	struct reader *reader = loader->reader;
	struct identity identity;
	struct span text;
	if (request_open(loader, request, &identity, &text) < 0) {
		int error = errno;
		files_add(loader, name_keep(request->path));
		digest_add(loader, request->path, (struct span){"", 0});
		fault(reader->problems, request->mark, "cannot read `%s`: %s", request->path,
		      error ? strerror(error) : "it is no regular file");
		return;
	}
	size_t index = loader->seen_count;
	if (!loader_meet(loader, request, &identity))
		return;
	struct source *source = source_new(loader, request);
	if (!request->pack)
		digest_add(loader, source->path, text);
	struct node *root = yaml_tree_read(text, source->path, reader->arena, reader->problems);
	if (root) {
		expand_tree(root, reader->arena, reader->problems);
		source_read(loader, source, root, index == 0);
	}
	loader->is_open[index] = true;
	for (size_t i = 0; i < source->include.count; i++)
		load_include(loader, source, &source->include.items[i]);
	loader->is_open[index] = false;
}

static const char *nearest_pack(struct span name)
{
	const char *names[64];
	size_t count = 0;
	const struct pack *pack;
	while (count < ARRAY_LEN(names) - 1 && (pack = pack_at(count)))
		names[count++] = pack->name;
	names[count] = NULL;
	return problem_nearest(name, names);
}

struct found {
	struct arena *arena;
	const char **paths;
	size_t count;
};

/* One more than may be read: then there are too many, and reading them says so. */
static void found_add(void *context, const char *path)
{
	struct found *found = context;
	if (found->count <= FILES_MAX)
		found->paths[found->count++] = arena_copy(found->arena, span_of(path)).at;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A pattern that fits nothing is no fault: the folder may be filled later. */
static void load_glob(struct loader *loader, struct request request)
{
	struct settings *settings = loader->settings;
	struct arena *arena = loader->reader->arena;
	struct found found = {arena, arena_array(arena, FILES_MAX + 1, sizeof(*found.paths)), 0};
	if (settings->glob_count < GLOBS_MAX)
		settings->globs[settings->glob_count++] = name_keep(request.path);
	paths_find(request.path, found_add, &found);
	qsort(found.paths, found.count, sizeof(*found.paths), compare_paths);
	for (size_t i = 0; i < found.count; i++) {
		request.path = found.paths[i];
		load(loader, &request);
	}
}

static void load_include(struct loader *loader, const struct source *source, const struct text *entry)
{
	struct problems *problems = loader->reader->problems;
	const char *name = entry->span.at;
	struct request request = {name, pack_find(name), entry->mark};
	if (request.pack) {
		load(loader, &request);
		return;
	}
	bool is_name = !strpbrk(name, "/.*?[");
	const char *nearest = is_name ? nearest_pack(entry->span) : NULL;
	if (!source->directory && name[0] != '/') {
		fault(problems, entry->mark, "there is no pack `%s`%s%s%s", name, nearest ? "; did you mean `" : "",
		      nearest ? nearest : "", nearest ? "`?" : "");
		return;
	}
	if (name[0] != '/')
		request.path = arena_printf(loader->reader->arena, "%s%s", source->directory, name).at;
	if (strpbrk(name, "*?[")) {
		load_glob(loader, request);
	} else if (is_name && access(request.path, F_OK) < 0) {
		files_add(loader, name_keep(request.path));
		fault(problems, entry->mark, "there is neither a pack `%s` nor a file `%s`%s%s%s", name, request.path,
		      nearest ? "; did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
	} else {
		load(loader, &request);
	}
}

struct source *include_load(struct reader *reader, struct settings *settings, const char *config)
{
	struct source *first = NULL;
	struct loader *loader = arena_alloc(reader->arena, sizeof(*loader));
	*loader = (struct loader){.reader = reader, .settings = settings, .tail = &first};
	settings->files = arena_array(reader->arena, FILES_MAX, sizeof(*settings->files));
	settings->globs = arena_array(reader->arena, GLOBS_MAX, sizeof(*settings->globs));
	struct request request = {config, pack_find(config), {name_keep(config), 0, 0}};
	settings->origin = request.pack ? arena_printf(reader->arena, "built-in %s", config).at : name_keep(config);
	load(loader, &request);
	return first;
}
