#include <check.h>
#include <stdio.h>

#include "decode/fieldset.h"
#include "rig.h"

Suite *fieldset_suite(void);

/* Room behind a key, of which fieldset_child() may look at eight bytes. */
static uint16_t child(const struct fieldset *set, uint16_t parent, const char *key)
{
	char padded[64];
	memset(padded, 'x', sizeof(padded));
	memcpy(padded, key, strlen(key));
	return fieldset_child(set, &set->nodes[parent], padded, (uint32_t)strlen(key));
}

START_TEST(paths_share_their_beginnings)
{
	struct arena *arena = arena_new();
	struct fieldset set;
	const struct span ab[] = {SPAN("a"), SPAN("b")};
	const struct span ac[] = {SPAN("a"), SPAN("c")};
	fieldset_init(&set, arena);
	const uint16_t b = fieldset_add(&set, ab, 2);
	const uint16_t c = fieldset_add(&set, ac, 2);
	const uint16_t a = fieldset_add(&set, ab, 1);
	ck_assert_uint_eq(fieldset_add(&set, ab, 2), b);
	ck_assert_uint_eq(set.count, 4);
	fieldset_seal(&set, arena);
	ck_assert_uint_eq(child(&set, 0, "a"), a);
	ck_assert_uint_eq(child(&set, a, "b"), b);
	ck_assert_uint_eq(child(&set, a, "c"), c);
	ck_assert_uint_eq(child(&set, 0, "b"), FIELDSET_NONE);
	ck_assert_uint_eq(child(&set, 0, ""), FIELDSET_NONE);
	ck_assert_uint_eq(set.nodes[a].below_count, 2);
	ck_assert_uint_eq(set.nodes[0].below_count, 3);
	arena_free(arena);
}
END_TEST

/* Keys of every length, told apart from all that differ in one byte. */
START_TEST(keys_of_every_length)
{
	struct arena *arena = arena_new();
	struct fieldset set;
	char text[40];
	uint16_t locations[40];
	memset(text, 'k', sizeof(text));
	fieldset_init(&set, arena);
	for (uint32_t len = 0; len < 40; len++)
		locations[len] = fieldset_add(&set, &(struct span){text, len}, 1);
	fieldset_seal(&set, arena);
	for (uint32_t len = 0; len < 40; len++) {
		char other[64];
		memset(other, 'k', sizeof(other));
		ck_assert_uint_eq(fieldset_child(&set, &set.nodes[0], other, len), locations[len]);
		for (uint32_t at = 0; at < len; at++) {
			other[at] = 'j';
			ck_assert_msg(fieldset_child(&set, &set.nodes[0], other, len) == FIELDSET_NONE,
			              "length %u, byte %u", len, at);
			other[at] = 'k';
		}
	}
	arena_free(arena);
}
END_TEST

START_TEST(a_full_set)
{
	struct arena *arena = arena_new();
	struct fieldset set;
	static char texts[LOCATIONS_MAX + 1][16];
	fieldset_init(&set, arena);
	for (uint32_t i = 1; i < LOCATIONS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "field_%u", i);
		ck_assert_uint_eq(fieldset_add(&set, &(struct span){texts[i], strlen(texts[i])}, 1), i);
	}
	ck_assert_uint_eq(fieldset_add(&set, &SPAN("one_more"), 1), FIELDSET_NONE);
	ck_assert_uint_eq(fieldset_add(&set, &SPAN("field_7"), 1), 7);
	fieldset_seal(&set, arena);
	for (uint32_t i = 1; i < LOCATIONS_MAX; i++)
		ck_assert_uint_eq(child(&set, 0, texts[i]), i);
	ck_assert_uint_eq(child(&set, 0, "field_0"), FIELDSET_NONE);
	arena_free(arena);
}
END_TEST

static const struct {
	const char *key;
	uint32_t index; /* UINT32_MAX: none */
} indexes[] = {
	{"0", 0},           {"7", 7},           {"10", 10},       {"999999999", 999999999}, {"1000000000", UINT32_MAX},
	{"00", UINT32_MAX}, {"01", UINT32_MAX}, {"", UINT32_MAX}, {"-1", UINT32_MAX},       {"1a", UINT32_MAX}};

START_TEST(elements)
{
	struct arena *arena = arena_new();
	struct fieldset set;
	const struct span keys[] = {SPAN("a"), span_of(indexes[_i].key)};
	fieldset_init(&set, arena);
	const uint16_t location = fieldset_add(&set, keys, 2);
	const uint16_t array = fieldset_add(&set, keys, 1);
	fieldset_seal(&set, arena);
	const uint32_t asked = indexes[_i].index == UINT32_MAX ? 1 : indexes[_i].index;
	const uint16_t want = indexes[_i].index == UINT32_MAX ? FIELDSET_NONE : location;
	ck_assert_msg(fieldset_element(&set, &set.nodes[array], asked) == want, "%s", indexes[_i].key);
	ck_assert_uint_eq(fieldset_element(&set, &set.nodes[array], asked + 1), FIELDSET_NONE);
	arena_free(arena);
}
END_TEST

Suite *fieldset_suite(void)
{
	Suite *suite = suite_create("fieldset");
	TCase *all = tcase_create("fieldset");
	tcase_add_test(all, paths_share_their_beginnings);
	tcase_add_test(all, keys_of_every_length);
	tcase_add_test(all, a_full_set);
	tcase_add_loop_test(all, elements, 0, ARRAY_LEN(indexes));
	suite_add_tcase(suite, all);
	return suite;
}
