#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "settings/expand.h"

Suite *settings_yaml_suite(void);

/* A tree in one line: plain texts as they are, quoted ones in quotes, `!` behind those with a reported fault. */
static void tree_write(FILE *out, const struct node *node)
{
	switch (node->kind) {
	case NODE_SCALAR:
		fprintf(out, node->is_plain ? "%.*s%s" : "\"%.*s\"%s", SPAN_ARG(node->text),
		        node->is_faulty ? "!" : "");
		break;
	case NODE_LIST:
		fputc('[', out);
		for (size_t i = 0; i < node->count; i++) {
			fputs(i ? "," : "", out);
			tree_write(out, node->items[i]);
		}
		fputc(']', out);
		break;
	case NODE_MAP:
		fputc('{', out);
		for (size_t i = 0; i < node->count; i++) {
			fprintf(out, "%s%.*s:", i ? "," : "", SPAN_ARG(node->entries[i].key->raw));
			tree_write(out, node->entries[i].value);
		}
		fputc('}', out);
		break;
	}
	fputs(node->is_cut ? "…" : "", out);
}

/* The tree and, behind it, a line for every fault. */
static char *tree_text(const char *yaml, size_t len)
{
	struct arena *arena = arena_new();
	struct problems problems = {0};
	char *text = NULL;
	size_t text_len;
	FILE *out = open_memstream(&text, &text_len);
	struct node *root = yaml_tree_read((struct span){yaml, len}, "c.yaml", arena, &problems);
	if (root) {
		expand_tree(root, arena, &problems);
		tree_write(out, root);
	}
	problems_sort(&problems);
	for (size_t i = 0; i < problems.count; i++)
		fprintf(out, "\n%u:%u: %s", problems.items[i].mark.line, problems.items[i].mark.column,
		        problems.items[i].text);
	fclose(out);
	problems_fini(&problems);
	arena_free(arena);
	return text;
}

static const struct {
	const char *name;
	const char *yaml;
	const char *want;
} rows[] = {
	{"texts stay as written", "[n, NO, 12:30, 1e3, 0620, ~, null, 2024-01-01, .inf]",
         "[n,NO,12:30,1e3,0620,~,null,2024-01-01,.inf]"},
	{"quotes are remembered", "a: 'x'\nb: \"y\"\nc: |\n  z\n", "{a:\"x\",b:\"y\",c:\"z\n\"}"},
	{"an empty document is nothing", "", ""},
	{"comments alone are nothing", "# none\n", ""},
	{"a byte order mark is skipped",
         "\xEF\xBB\xBF"
         "a: b",
         "{a:b}"},
	{"a document's start and end", "---\na: b\n...\n", "{a:b}"},
	{"a version", "%YAML 1.1\n---\na: b\n", "{a:b}"},
	{"lists and maps nest", "a:\n  - b: c\n    d: [e, {f: g}]\n", "{a:[{b:c,d:[e,{f:g}]}]}"},

	{"an alias is its anchor's node", "a: &x [1, 2]\nb: *x\n", "{a:[1,2],b:[1,2]}"},
	{"an anchor may be set again", "- &x 1\n- *x\n- &x 2\n- *x\n", "[1,1,2,2]"},
	{"a merge brings what is not there", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", "{a:{b:1,c:2},d:{b:1,c:3}}"},
	{"of several merges the first counts", "- &x {a: 1}\n- &y {a: 2, b: 3}\n- <<: [*x, *y]\n",
         "[{a:1},{a:2,b:3},{a:1,b:3}]"},
	{"a merge of a merge", "- &x {a: 1}\n- &y {<<: *x, b: 2}\n- {<<: *y, c: 3}\n",
         "[{a:1},{a:1,b:2},{a:1,b:2,c:3}]"},
	{"a merge stands where it is written", "- &x {b: 1, c: 2}\n- {a: 0, <<: *x, d: 3}\n", "[{b:1,c:2},{a:0,b:1,c:2,d:3}]"},
	{"a quoted << is a key", "{'<<': a}", "{<<:a}"},
	{"a merge of a text", "<<: a\nb: c\n",
         "{b:c}\n1:5: `<<` takes a map or a list of maps: write *NAME of an anchored map"},
	{"a merge of texts", "<<: [a, {b: c}]\n", "{b:c}\n1:6: `<<` takes maps: write *NAME of an anchored map"},

	{"an unknown alias", "a: *x\n",
         "{a:\"x\"!}\n1:4: a text that begins with * must stand in quotes: \"*x\" (no anchor has that name)"},
	{"an alias inside of its own node", "a: &x\n  - *x\n",
         "{a:[\"x\"!]}\n2:5: `*x` stands inside of what it names"},
	{"a tag", "a: !x b\n",
         "{a:b!}\n1:4: a text that begins with ! must stand in quotes: \"!x b\" (tags are not read)"},
	{"a tag alone", "a: !debug.x\n",
         "{a:!}\n1:4: a text that begins with ! must stand in quotes: \"!debug.x\" (tags are not read)"},
	{"a tag of YAML's own", "a: !!str 1\n",
         "{a:1!}\n1:4: tags such as !!str are not read: the key decides the type; quote a text"},
	{"a tag on a list", "a: !l [b]\n",
         "{a:[b]}\n1:4: a text that begins with ! must stand in quotes: \"!l\" (tags are not read)"},
	{"a repeated key", "a: 1\nb: 2\na: 3\n",
         "{a:1,b:2,a:3}\n3:1: the key `a` stands here twice: line 1 has it already"},
	{"a repeated key in one line", "{a: 1, 'a': 2}",
         "{a:1,a:2}\n1:8: the key `a` stands here twice: line 1 has it already"},
	{"a key that is a list", "? [a, b]\n: c\nd: e\n",
         "{d:e}\n1:3: a key must be a text: one that begins with { or [ must stand in quotes"},
	{"a key that begins with a brace", "{a}: b\n",
         "{}\n1:1: a key must be a text: one that begins with { or [ must stand in quotes"},
	{"two documents", "a: b\n---\nc: d\n",
         "{a:b}\n2:1: a second document begins here: a configuration is one document; use `include` for further files"},
	{"the character 0", "a: \"b\\0c\"\n", NULL},

	{"a star alone", "- *\n- b\n", "[x!,b]\n1:3: a text that begins with * must stand in quotes: \"*\""},
	{"two stars", "a: **\nb: c\n", "{a:x*!,b:c}\n1:4: a text that begins with * must stand in quotes: \"**\""},
	{"a star and a dot", "[*.failed, b]",
         "[x.failed!,b]\n1:2: a text that begins with * must stand in quotes: \"*.failed\""},
	{"an exclamation mark and a star in a list", "[a, !debug.**, b]",
         "[a,!,b]\n1:5: a text that begins with ! must stand in quotes: \"!debug.**\" (tags are not read)"},
	{"an at sign", "a: @b\nc: d\n", "{a:xb!,c:d}\n1:4: a text that begins with @ must stand in quotes: \"@b\""},
	{"a backtick", "a: `b`\n", "{a:xb`!}\n1:4: a text that begins with ` must stand in quotes: \"`b`\""},
	{"a per cent sign", "a: %b\n", "{a:xb!}\n1:4: a text that begins with % must stand in quotes: \"%b\""},
	{"an ampersand", "a: &&b\nc: d\n",
         "{a:x&b!,c:d}\n1:4: a text that begins with & must stand in quotes: \"&&b\""},
	{"greater than", "- > 5\n- >= 8\n- b\n", NULL},
	{"a colon in a text", "a: Error: none\nb: c\n",
         "{a:Errorx none!,b:c}\n1:9: a `:` before a blank begins a value here: put the whole text in quotes, or check "
         "the indentation"},
	{"a field and more", "a: {event}.count\nb: c\n",
         "{a:xeventx.count!,b:c}\n1:4: a text with { in it must stand in quotes here: \"{event}.count\""},
	{"a field inside a list's text", "[a.{b}, c]",
         "[a.xbx!,c]\n1:2: a text with { in it must stand in quotes here: \"a.{b}\""},
	{"a variable inside a map's text", "{a: ${B}, c: d}",
         "{a:$xBx!,c:d}\n1:5: a text with { in it must stand in quotes here: \"${B}\""},
	{"two fields inside a list's text", "[{a}.{b}, c]",
         "[xax.xbx!,c]\n1:2: a text with { in it must stand in quotes here: \"{a}.{b}\""},
	{"several of them", "- **\n- *.a\n- @b\n",
         "[x*!,x.a!,xb!]\n1:3: a text that begins with * must stand in quotes: \"**\"\n"
         "2:3: a text that begins with * must stand in quotes: \"*.a\"\n"
         "3:3: a text that begins with @ must stand in quotes: \"@b\""},
	{"columns count characters", "{\"ä€\": **}",
         "{ä€:x*!}\n1:8: a text that begins with * must stand in quotes: \"**\""},

	{"a quote that stays open", "a: b\nc: \"d\n", "{a:b}…\n2:4: a quote opens here and is never closed"},
	{"a tab that indents", "a:\n\tb: c\n", NULL},
	{"a bracket that stays open", "a: b\nc: [d\n", NULL},
	{"a byte that is no UTF-8", "a: b\nc: \xFF\n", NULL},
};

static const struct {
	const char *name;
	const char *want; /* how the faults begin */
} begins[] = {
	{"the character 0", "{a:\"b"},
	{"greater than", "[x 5!,x= 8!,b]\n1:3: a text that begins with > must stand in quotes: \">\"\n"
                         "2:3: a text that begins with > must stand in quotes: \">=\""},
	{"a tab that indents", "{}…\n2:1: a tab cannot indent: use blanks"},
	{"a bracket that stays open",
         "{a:b,c:[d]…}…\n3:1: did not find expected ',' or ']', in the [ ] that opens on line 2"},
	{"a byte that is no UTF-8", "\n2:4: a character that YAML does not allow"},
};

START_TEST(document)
{
	char *got = tree_text(rows[_i].yaml, strlen(rows[_i].yaml));
	if (rows[_i].want) {
		ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: got\n%s\nwant\n%s", rows[_i].name, got,
		              rows[_i].want);
	} else {
		size_t k = 0;
		while (strcmp(begins[k].name, rows[_i].name) != 0)
			k++;
		ck_assert_msg(strncmp(got, begins[k].want, strlen(begins[k].want)) == 0, "%s: got\n%s\nwant\n%s",
		              rows[_i].name, got, begins[k].want);
	}
	free(got);
}
END_TEST

START_TEST(laughs_are_bounded)
{
	/* Each level has nine aliases of the level below: 9^9 nodes. */
	char yaml[2048];
	int len = snprintf(yaml, sizeof(yaml), "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 9; i++) {
		len += snprintf(yaml + len, sizeof(yaml) - (size_t)len, "a%d: &a%d [", i, i);
		for (int k = 0; k < 9; k++)
			len += snprintf(yaml + len, sizeof(yaml) - (size_t)len, "%s*a%d", k ? "," : "", i - 1);
		len += snprintf(yaml + len, sizeof(yaml) - (size_t)len, "]\n");
	}
	char *got = tree_text(yaml, (size_t)len);
	ck_assert_ptr_nonnull(strstr(got, "\n5:"));
	ck_assert_ptr_nonnull(strstr(got, ": aliases stand for more than 10000 nodes"));
	free(got);
}
END_TEST

START_TEST(aliased_nodes_are_bounded)
{
	/* A list of 100 nodes used 100 times: 10,000; and once more. What is written counts for nothing. */
	for (int extra = 0; extra < 2; extra++) {
		char *yaml = malloc(16384), *at = yaml;
		at = stpcpy(at, "[&a [");
		for (int i = 0; i < 99; i++)
			at = stpcpy(at, i ? ",a" : "a");
		*at++ = ']';
		for (int i = 0; i < 100 + extra; i++)
			at = stpcpy(at, ",*a");
		for (int i = 0; i < 3000; i++)
			at = stpcpy(at, ",a");
		*at++ = ']';
		char *got = tree_text(yaml, (size_t)(at - yaml));
		ck_assert_int_eq(strstr(got, "aliases stand for more than 10000 nodes") != NULL, extra);
		free(got);
		free(yaml);
	}
}
END_TEST

START_TEST(depth_is_bounded)
{
	char yaml[400];
	memset(yaml, '[', 200);
	memset(yaml + 200, ']', 200);
	char *got = tree_text(yaml, 400);
	ck_assert_ptr_nonnull(strstr(got, "1:65: nested more than 64 deep"));
	free(got);
}
END_TEST

START_TEST(mending_is_bounded)
{
	char yaml[512] = "";
	for (int i = 0; i < 80; i++)
		strcat(yaml, "- *.\n");
	char *got = tree_text(yaml, strlen(yaml));
	ck_assert_ptr_nonnull(strstr(got, "\n64:3: a text that begins with *"));
	ck_assert_ptr_nonnull(strstr(got, "\n65:"));
	ck_assert_ptr_null(strstr(got, "\n66:"));
	free(got);
}
END_TEST

/* Every prefix of a rich document, and every document with one byte replaced, must be read without harm. */
START_TEST(damaged_documents)
{
	static const char yaml[] =
		"a: &x {b: \"c${D:-e}\", <<: {f: g}}\nh:\n  - *x\n  - !t 'i'\n  - {j}.k\n  - l: m: n\n";
	static const char bytes[] = "\t\n !\"#$%&'*,-:>?@[]`{|}\xFF";
	for (size_t len = 0; len < sizeof(yaml); len++)
		free(tree_text(yaml, len));
	for (size_t at = 0; at < sizeof(yaml) - 1; at++) {
		for (size_t k = 0; k < sizeof(bytes); k++) {
			char copy[sizeof(yaml)];
			memcpy(copy, yaml, sizeof(yaml));
			copy[at] = bytes[k];
			free(tree_text(copy, sizeof(yaml) - 1));
		}
	}
}
END_TEST

static const struct {
	const char *name;
	const char *yaml;
	const char *want;
} expansions[] = {
	{"a variable", "a: ${SET}", "{a:value}"},
	{"a variable in a text", "a: x${SET}y${SET}z", "{a:xvalueyvaluez}"},
	{"a variable in quotes", "a: 'x${SET}'\nb: \"${SET}\"", "{a:\"xvalue\",b:\"value\"}"},
	{"env: before the name", "a: ${env:SET}", "{a:value}"},
	{"a default that is not needed", "a: ${SET:-b}", "{a:value}"},
	{"a default", "a: ${UNSET:-b c}", "{a:b c}"},
	{"an empty default", "a: x${UNSET:-}y", "{a:xy}"},
	{"a default ends at the first brace", "a: ${UNSET:-{b}}", "{a:{b}}"},
	{"a default with env:", "a: ${env:UNSET:-b}", "{a:b}"},
	{"an empty variable takes the default", "a: ${EMPTY:-b}", "{a:b}"},
	{"what was put in is not read again", "a: ${NESTED}", "{a:${SET}}"},
	{"what was put in adds no structure", "a: ${LIST}", "{a:[b, c]: d # e}"},
	{"a dollar", "a: $$\nb: $${SET}\nc: $$$$", "{a:$,b:${SET},c:$$}"},
	{"any other dollar is itself", "a: $\nb: x$y\nc: ${\nd: ${}\ne: ${a.b}\nf: $(SET)\ng: ${A B}\nh: ${SET-x}",
         "{a:$,b:x$y,c:${,d:${},e:${a.b},f:$(SET),g:${A B},h:${SET-x}}"},
	{"digits are no variable", "a: $1\nb: ${1}\nc: ${1A}", "{a:$1,b:${1},c:${1A}}"},
	{"a key stays", "${SET}: a", "{${SET}:a}"},
	{"an alias is expanded once", "a: &x $$$$\nb: *x", "{a:$$,b:$$}"},
	{"an unset variable", "a: [b, 'x${UNSET}']",
         "{a:[b,\"x\"!]}\n1:8: the environment variable UNSET is not set: set it, or give a default: ${UNSET:-…}"},
	{"an empty variable without default", "a: ${EMPTY}",
         "{a:!}\n1:4: the environment variable EMPTY is not set: set it, or give a default: ${EMPTY:-…}"},
	{"two unset variables in one text", "a: ${UNSET}${env:UNSET2}",
         "{a:!}\n1:4: the environment variable UNSET is not set: set it, or give a default: ${UNSET:-…}\n"
         "1:4: the environment variable UNSET2 is not set: set it, or give a default: ${UNSET2:-…}"},
};

START_TEST(expansion)
{
	setenv("SET", "value", 1);
	setenv("EMPTY", "", 1);
	setenv("NESTED", "${SET}", 1);
	setenv("LIST", "[b, c]: d # e", 1);
	unsetenv("UNSET");
	unsetenv("UNSET2");
	char *got = tree_text(expansions[_i].yaml, strlen(expansions[_i].yaml));
	ck_assert_msg(strcmp(got, expansions[_i].want) == 0, "%s: got\n%s\nwant\n%s", expansions[_i].name, got,
	              expansions[_i].want);
	free(got);
}
END_TEST

Suite *settings_yaml_suite(void)
{
	Suite *suite = suite_create("settings_yaml");
	TCase *tree = tcase_create("tree");
	tcase_add_loop_test(tree, document, 0, ARRAY_LEN(rows));
	tcase_add_test(tree, laughs_are_bounded);
	tcase_add_test(tree, aliased_nodes_are_bounded);
	tcase_add_test(tree, depth_is_bounded);
	tcase_add_test(tree, mending_is_bounded);
	tcase_add_test(tree, damaged_documents);
	suite_add_tcase(suite, tree);
	TCase *expand = tcase_create("expand");
	tcase_add_loop_test(expand, expansion, 0, ARRAY_LEN(expansions));
	suite_add_tcase(suite, expand);
	return suite;
}
