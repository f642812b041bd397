#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"

Suite *hash_suite(void);

/* SipHash-1-3 under the key 00 01 … 0f of the texts 00 01 02 …: from an independent implementation that gives the
 * published value for SipHash-2-4 and CPython's hash() for SipHash-1-3. Lengths: empty, within a word, its edges,
 * length byte. */
static const struct {
	size_t len;
	uint64_t hash;
} vectors[] = {
	{0, 0xabac0158050fc4dc},   {1, 0xc9f49bf37d57ca93},   {2, 0x82cb9b024dc7d44d},  {3, 0x8bf80ab8e7ddf7fb},
	{4, 0xcf75576088d38328},   {5, 0xdef9d52f49533b67},   {6, 0xc50d2b50c59f22a7},  {7, 0xd3927d989bb11140},
	{8, 0x369095118d299a8e},   {9, 0x25a48eb36c063de4},   {11, 0x70c118c1f94dc352}, {15, 0xd320d86d2a519956},
	{16, 0xcc4fdd1a7d908b66},  {17, 0x9cf2689063dbd80c},  {23, 0x525a0e7fdae6c123}, {24, 0xf464aeb267349c8c},
	{63, 0x9d199062b7bbb3a8},  {64, 0xf17997ec4b4a6065},  {65, 0x5e1e6109660f720e}, {255, 0xf76214e3153c4a15},
	{256, 0x75b3e64e167de370}, {257, 0x5d8ffca6213c73b8},
};

START_TEST(text_of_length)
{
	struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	size_t len = vectors[_i].len;
	/* A block of its own, so that reading beside it is seen by the sanitizers and valgrind. */
	char *text = malloc(len ? len : 1);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)i;
	uint64_t got = hash_span(&key, (struct span){text, len});
	free(text);
	ck_assert_msg(got == vectors[_i].hash, "length %zu: got %016" PRIx64 ", want %016" PRIx64, len, got,
	              vectors[_i].hash);
}
END_TEST

START_TEST(key_decides)
{
	struct hash_key a = {1, 2}, b = {1, 3}, c = {2, 2};
	ck_assert_uint_ne(hash_span(&a, SPAN("step")), hash_span(&b, SPAN("step")));
	ck_assert_uint_ne(hash_span(&a, SPAN("step")), hash_span(&c, SPAN("step")));
	ck_assert_uint_eq(hash_span(&a, (struct span){NULL, 0}), hash_span(&a, SPAN("")));
}
END_TEST

Suite *hash_suite(void)
{
	Suite *suite = suite_create("hash");
	TCase *vector_case = tcase_create("vectors");
	tcase_add_loop_test(vector_case, text_of_length, 0, (int)ARRAY_LEN(vectors));
	suite_add_tcase(suite, vector_case);
	TCase *key_case = tcase_create("keys");
	tcase_add_test(key_case, key_decides);
	suite_add_tcase(suite, key_case);
	return suite;
}
