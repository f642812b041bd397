#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/arena.h"

Suite *arena_suite(void);

static bool is_filled(const char *block, size_t size, char byte)
{
	for (size_t i = 0; i < size; i++)
		if (block[i] != byte)
			return false;
	return true;
}

/* Sizes around what decides: nothing, alignments, big blocks, chunks. */
static const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 4095, 4096, 4097, 32767, 32768, 32769, 1 << 20};

START_TEST(blocks_are_zeroed_aligned_and_apart)
{
	struct arena *arena = arena_new();
	char *blocks[3 * ARRAY_LEN(sizes)];
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		size_t size = sizes[i * 7 % ARRAY_LEN(sizes)];
		blocks[i] = arena_alloc(arena, size);
		size_t align = size >= 64 ? 64 : 16;
		ck_assert_msg((uintptr_t)blocks[i] % align == 0, "%zu bytes: got %p, want a multiple of %zu", size,
		              (void *)blocks[i], align);
		ck_assert_msg(is_filled(blocks[i], size, 0), "%zu bytes are not zeroed", size);
		memset(blocks[i], (int)i + 1, size);
	}
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		size_t size = sizes[i * 7 % ARRAY_LEN(sizes)];
		ck_assert_msg(is_filled(blocks[i], size, (char)(i + 1)),
		              "block %zu of %zu bytes: another one wrote into it", i, size);
	}
	arena_free(arena);
}
END_TEST

START_TEST(small_blocks_share_chunks)
{
	struct arena *arena = arena_new();
	for (int i = 0; i < 10000; i++)
		memset(arena_alloc(arena, 1), 1, 1);
	ck_assert_uint_ge(arena_size(arena), 160000);
	ck_assert_uint_le(arena_size(arena), 200000);
	arena_free(arena);
}
END_TEST

START_TEST(big_blocks_leave_the_chunk_open)
{
	struct arena *arena = arena_new();
	char *before = arena_alloc(arena, 16);
	arena_alloc(arena, 100000);
	char *after = arena_alloc(arena, 16);
	ck_assert_ptr_eq(before + 16, after);
	arena_free(arena);
}
END_TEST

START_TEST(copies_and_prints)
{
	struct arena *arena = arena_new();
	char source[] = "step";
	struct span copy = arena_copy(arena, span_of(source));
	source[0] = '!';
	ck_assert_str_eq(copy.at, "step");
	ck_assert_uint_eq(copy.len, 4);

	struct span empty = arena_copy(arena, (struct span){NULL, 0});
	ck_assert_ptr_nonnull(empty.at);
	ck_assert_uint_eq(empty.len, 0);
	ck_assert_int_eq(empty.at[0], 0);

	struct span part = arena_copy(arena, (struct span){"a\0bc", 3});
	ck_assert(span_equal(part, SPAN("a\0b")));
	ck_assert_int_eq(part.at[3], 0);

	struct span text = arena_printf(arena, "%s:%d", "conf", 42);
	ck_assert_str_eq(text.at, "conf:42");
	ck_assert_uint_eq(text.len, 7);
	ck_assert_uint_eq(arena_printf(arena, "%5000d", 1).len, 5000);
	arena_free(arena);
}
END_TEST

START_TEST(arrays)
{
	struct arena *arena = arena_new();
	uint32_t *items = arena_array(arena, 1000, sizeof(*items));
	ck_assert(is_filled((const char *)items, 1000 * sizeof(*items), 0));
	ck_assert_ptr_nonnull(arena_array(arena, 0, 8));
	arena_free(arena);
	arena_free(NULL);
}
END_TEST

/* ---- attempts ---- */

struct building {
	struct arena *older;
	struct arena *kept;
	char released[8];
	bool ends_in_the_middle;
	bool has_ended;
};

static struct building *building_now;

static void note(void *what)
{
	strncat(building_now->released, what, sizeof(building_now->released) - strlen(building_now->released) - 1);
}

static void build(void *context)
{
	struct building *building = context;
	struct arena_guard guards[3];
	static char names[][2] = {"a", "b", "c"};
	building->kept = arena_new();
	arena_keep(building->kept);
	struct arena *arena = arena_new();
	arena_copy(arena, SPAN("gone where it ends in the middle"));
	arena_copy(building->older, SPAN("there before, and there afterwards"));
	for (int i = 0; i < 3; i++)
		arena_guard(&guards[i], note, names[i]);
	arena_unguard(&guards[2]);
	if (building->ends_in_the_middle)
		arena_exhausted();
	arena_unguard(&guards[1]);
	arena_unguard(&guards[0]);
	arena_free(arena);
	building->has_ended = true;
}

START_TEST(attempts)
{
	/* Whether arenas are freed, and freed once, is for leak checkers to see. */
	for (int i = 0; i < 4; i++) {
		struct building building = {.older = arena_new(), .ends_in_the_middle = i % 2 == 0};
		building_now = &building;
		ck_assert_int_eq(arena_attempt(build, &building), i % 2);
		ck_assert_int_eq(building.has_ended, i % 2);
		ck_assert_str_eq(building.released, i % 2 ? "" : "ba");
		arena_copy(building.kept, SPAN("still there"));
		arena_free(building.kept);
		arena_free(building.older);
	}
}
END_TEST

/* Held here, so that leak checkers see that it is not lost at exit. */
static struct arena *volatile held;

START_TEST(array_that_overflows)
{
	held = arena_new();
	arena_array(held, SIZE_MAX / 4, 8);
}
END_TEST

START_TEST(block_that_overflows)
{
	held = arena_new();
	arena_alloc(held, SIZE_MAX - 8);
}
END_TEST

Suite *arena_suite(void)
{
	Suite *suite = suite_create("arena");
	TCase *blocks = tcase_create("blocks");
	tcase_add_test(blocks, blocks_are_zeroed_aligned_and_apart);
	tcase_add_test(blocks, small_blocks_share_chunks);
	tcase_add_test(blocks, big_blocks_leave_the_chunk_open);
	tcase_add_test(blocks, copies_and_prints);
	tcase_add_test(blocks, arrays);
	tcase_add_test(blocks, attempts);
	suite_add_tcase(suite, blocks);
	/* Without a process of their own (under valgrind) they would end the whole run. */
	const char *fork_mode = getenv("CK_FORK");
	if (fork_mode && strcmp(fork_mode, "no") == 0)
		return suite;
	TCase *exhausted = tcase_create("out of memory");
	tcase_add_exit_test(exhausted, array_that_overflows, EX_OSERR);
	tcase_add_exit_test(exhausted, block_that_overflows, EX_OSERR);
	suite_add_tcase(suite, exhausted);
	return suite;
}
