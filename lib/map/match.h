/* A canonical identifier -> the rules that match it, in their order, without asking every rule: literal patterns are found by
 * binary search, globs by their first segment, and only those that begin with a star are tried one by one. */
#ifndef STATSIDECAR_MAP_MATCH_H
#define STATSIDECAR_MAP_MATCH_H

#include "map/mapping.h"

struct match_entry {
	struct span key; /* the literal, or a glob's first segment */
	uint32_t rule;
	uint16_t pattern;
};

struct match_list {
	struct match_entry *entries; /* sorted by key, then rule, then pattern */
	uint32_t count;
};

struct matcher {
	struct match_list literals;
	struct match_list prefixed;
	struct match_list others;
};

struct match {
	uint32_t rule;
	uint16_t pattern; /* the first of the rule's that matches */
};

/* The rules that act on event, by SPEC section 3: first match a file unless `continue`, drop, replace, fallback. Up to size of
 * them are written; the number, and *is_dropped where the last one ends everything. */
uint32_t match_event(const struct mapping *mapping, struct span event, struct match *matches, uint32_t size, bool *is_dropped);

#endif
