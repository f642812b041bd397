/* What the environment says of outputs, and which container this is. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings/container_id.h"
#include "settings_support.h"

Suite *settings_environment_suite(void);

/* Sets `NAME=VALUE;NAME=VALUE`. */
static void environment_set(const char *list)
{
	char copy[512], *rest = copy;
	snprintf(copy, sizeof(copy), "%s", list);
	for (char *item; (item = strsep(&rest, ";"));) {
		char *equals = strchr(item, '=');
		if (!equals)
			continue;
		*equals = 0;
		setenv(item, equals + 1, 1);
	}
}

/* LABEL DIALECT {TAGS} SUFFIX of the first output, or its faults. */
static char *output_text(const char *yaml)
{
	const struct support_file files[] = {{"c.yaml", yaml}, {NULL, NULL}};
	struct settings *settings;
	char *faults, *text = NULL;
	size_t len;
	support_load(files, NULL, &settings, &faults);
	if (*faults) {
		settings_free(settings);
		return faults;
	}
	free(faults);
	const struct output_model *model = &settings->model.outputs[0];
	FILE *out = open_memstream(&text, &len);
	fprintf(out, "%s %s {", settings->outputs[0].label, dialect_names[model->dialect]);
	for (size_t i = 0; i < model->tags.count; i++)
		fprintf(out, "%s%.*s=%.*s", i ? "," : "", SPAN_ARG(model->tags.items[i].key.span),
		        SPAN_ARG(model->tags.items[i].value.span));
	fprintf(out, "}%s%.*s", model->suffix.len ? " " : "", SPAN_ARG(model->suffix));
	fputs(settings->outputs[0].origin_is_unknown ? " unknown" : "", out);
	fclose(out);
	settings_free(settings);
	return text;
}

#define LOCAL      "udp://127.0.0.1:8125 dogstatsd "
#define ONE        "outputs: [{url: \"udp://127.0.0.1:8125\"}]\n"
#define WITH(more) "outputs: [{url: \"udp://127.0.0.1:8125\", " more "}]\n"

static const struct {
	const char *name;
	const char *environment;
	const char *yaml;
	const char *want;
} rows[] = {
	{"nothing", "", "", LOCAL "{}"},
	{"empty variables count as unset", "DD_AGENT_HOST=;DD_ENV=;DD_DOGSTATSD_URL=;DD_ENTITY_ID=;DD_CARDINALITY=", "",
         LOCAL "{}"},
	{"a URL goes first", "DD_DOGSTATSD_URL=unix:///run/dsd.socket;DD_AGENT_HOST=a;STATSD_HOST=b", "",
         "unix:///run/dsd.socket dogstatsd {}"},
	{"the Agent's host", "DD_AGENT_HOST=10.0.0.7;STATSD_HOST=b", "", "udp://10.0.0.7:8125 dogstatsd {}"},
	{"the Agent's host and port", "DD_AGENT_HOST=agent;DD_DOGSTATSD_PORT=9125", "",
         "udp://agent:9125 dogstatsd {}"},
	{"the Agent's host with IPv6", "DD_AGENT_HOST=fd00::7", "", "udp://[fd00::7]:8125 dogstatsd {}"},
	{"the port alone says nothing", "DD_DOGSTATSD_PORT=9125", "", LOCAL "{}"},
	{"a StatsD host", "STATSD_HOST=graphite", "", "udp://graphite:8125 statsd {}"},
	{"a StatsD host and port", "STATSD_HOST=graphite;STATSD_PORT=9", "", "udp://graphite:9 statsd {}"},
	{"a configured output goes before all", "DD_AGENT_HOST=a;DD_DOGSTATSD_URL=udp://b", ONE, LOCAL "{}"},
	{"a wrong URL", "DD_DOGSTATSD_URL=udp//b", "",
         "DD_DOGSTATSD_URL:0:0: `udp//b`: write a URL: udp://HOST:PORT, unix:///PATH, unixstream:///PATH, "
         "tcp://HOST:PORT, "
         "fifo:///PATH, stdin: or stdout:\n"},
	{"a wrong port", "DD_AGENT_HOST=a;DD_DOGSTATSD_PORT=x", "",
         "DD_DOGSTATSD_PORT:0:0: `udp://a:x`: the port must be a number between 0 and 65535\n"},
	{"a port beyond all", "STATSD_HOST=a;STATSD_PORT=65536", "",
         "STATSD_PORT:0:0: `udp://a:65536`: the port must be a number between 0 and 65535\n"},

	{"service tags", "DD_ENV=prod;DD_SERVICE=shop;DD_VERSION=1.2", ONE,
         LOCAL "{env=prod,service=shop,version=1.2}"},
	{"more tags", "DD_TAGS=team:shop, tier:1 ,url:http://x,alone,:none,,empty:", ONE,
         LOCAL "{team=shop,tier=1,url=http://x,empty=}"},
	{"more tags, with blanks between them", "DD_TAGS= team:shop  tier:1 alone ", ONE, LOCAL "{team=shop,tier=1}"},
	{"a blank within a tag's value", "DD_TAGS=team:my shop,tier:1", ONE, LOCAL "{team=my shop,tier=1}"},
	{"of one key the first counts", "DD_ENV=prod;DD_TAGS=env:dev,a:1,a:2", ONE, LOCAL "{env=prod,a=1}"},
	{"other dialects have none of it", "DD_ENV=prod;DD_ENTITY_ID=uid;DD_CARDINALITY=low", WITH("dialect: statsd"),
         "udp://127.0.0.1:8125 statsd {}"},

	{"a pod by default", "DD_ENTITY_ID=uid-1", ONE, LOCAL "{dd.internal.entity_id=uid-1}"},
	{"a pod behind the tags", "DD_ENTITY_ID=uid-1;DD_ENV=prod", ONE,
         LOCAL "{env=prod,dd.internal.entity_id=uid-1}"},
	{"a pod that is asked for", "DD_ENTITY_ID=uid-1", WITH("origin: pod"), LOCAL "{dd.internal.entity_id=uid-1}"},
	{"a pod that nobody tells", "", WITH("origin: pod"), LOCAL "{} unknown"},
	{"no origin", "DD_ENTITY_ID=uid-1", WITH("origin: off"), LOCAL "{}"},
	{"a container of the pod", "DD_ENTITY_ID=uid-1", WITH("origin: {container: web}"),
         LOCAL "{dd.internal.entity_id=uid-1} |e:it-false,cn-web,pu-uid-1"},
	{"a container of a pod that nobody tells", "", WITH("origin: {container: web}"), LOCAL "{} unknown"},
	{"an id that could break the line", "DD_ENTITY_ID=u|1\n\t2", WITH("origin: {container: web}"),
         LOCAL "{dd.internal.entity_id=u|1\n\t2} |e:it-false,cn-web,pu-u12"},
	{"the external environment is not the pod's", "DD_EXTERNAL_ENV=it-false;DD_ENTITY_ID=uid-1", ONE,
         LOCAL "{dd.internal.entity_id=uid-1}"},

	{"a cardinality", "DD_CARDINALITY=orchestrator", ONE, LOCAL "{} |card:orchestrator"},
	{"a configured cardinality goes before", "DD_CARDINALITY=high", WITH("cardinality: none"),
         LOCAL "{} |card:none"},
	{"a cardinality in capitals", "DD_CARDINALITY=LOW", ONE, LOCAL "{} |card:low"},
	{"a wrong cardinality", "DD_CARDINALITY=all", ONE,
         "DD_CARDINALITY:0:0: `all`: write none, low, orchestrator or high\n"},
	{"a cardinality behind an origin", "DD_CARDINALITY=low;DD_ENTITY_ID=u", WITH("origin: {container: web}"),
         LOCAL "{dd.internal.entity_id=u} |e:it-false,cn-web,pu-u|card:low"},
};

START_TEST(first_output)
{
	support_clear_environment();
	environment_set(rows[_i].environment);
	char *got = output_text(rows[_i].yaml);
	ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: got `%s`, want `%s`", rows[_i].name, got, rows[_i].want);
	free(got);
}
END_TEST

/* Which container runs the tests nobody knows: but the parts have their order. */
START_TEST(own_origin)
{
	support_clear_environment();
	environment_set("DD_EXTERNAL_ENV=it-false,cn-a|b\x01;DD_CARDINALITY=low");
	char *got = output_text(WITH("origin: self"));
	const char *external = strstr(got, "|e:it-false,cn-ab|card:low");
	ck_assert_msg(external && strstr(got, LOCAL "{} |"), "got `%s`", got);
	free(got);
}
END_TEST

#define HEX16 "0123456789abcdef"
#define ID    HEX16 HEX16 HEX16 HEX16
#define MOUNT "1 2 0:3 "

static const struct {
	const char *name;
	const char *cgroup;
	const char *mountinfo;
	const char *want; /* NULL: none */
} containers[] = {
	{"Docker", "12:cpu:/docker/" ID "\n", "", "ci-" ID},
	{"Kubernetes with systemd", "1:name=systemd:/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope\n",
         "", "ci-" ID},
	{"Kubernetes with cgroupfs", "3:memory:/kubepods/burstable/pod1234/" ID "\n", "", "ci-" ID},
	{"the first line that tells", "3:a:/\n2:b:/docker/" ID "\n1:c:/docker/" HEX16 "\n", "", "ci-" ID},
	{"ECS", "9:perf:/ecs/task/" HEX16 HEX16 "-1234567890\n", "", "ci-" HEX16 HEX16 "-1234567890"},
	{"Garden", "1:n:/garden/6f265890-5165-7fab-6b52-18d1\n", "", "ci-6f265890-5165-7fab-6b52-18d1"},
	{"65 digits are no id", "1:n:/docker/" ID "0\n", "", NULL},
	{"63 digits are no id", "1:n:/docker/" HEX16 HEX16 HEX16 "0123456789abcde\n", "", NULL},
	{"a last part that only begins so", "1:n:/docker/" ID "/init\n", "", NULL},
	{"a mount of the container's", "0::/\n",
         MOUNT "/var/lib/docker/containers/" ID "/hostname /etc/hostname rw - ext4\n", "ci-" ID},
	{"a mount of containerd's", "0::/\n",
         MOUNT "/a/io.containerd.grpc.v1.cri/containers/" ID "/hostname /etc/hostname rw\n", "ci-" ID},
	{"a sandbox is the pod's", "0::/\n",
         MOUNT "/a/io.containerd.grpc.v1.cri/sandboxes/" ID "/hostname /etc/hostname rw\n", NULL},
	{"another mount", "0::/\n", MOUNT "/var/lib/docker/containers/" ID "/resolv.conf /etc/resolv.conf rw\n", NULL},
	{"no line end", "1:n:/docker/" ID, "", "ci-" ID},
	{"nothing", "", "", NULL},
};

static void root_write(const char *root, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/proc/self/%s", root, name);
	FILE *out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
}

static void root_make(char *root)
{
	static const char *const folders[] = {"/proc",
	                                      "/proc/self",
	                                      "/sys",
	                                      "/sys/fs",
	                                      "/sys/fs/cgroup",
	                                      "/sys/fs/cgroup/memory",
	                                      "/sys/fs/cgroup/memory/app",
	                                      "/sys/fs/cgroup/app.slice"};
	char path[256];
	ck_assert_ptr_nonnull(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(path, sizeof(path), "%s%s", root, folders[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
}

static void root_remove(const char *root)
{
	static const char *const paths[] = {"/proc/self/cgroup",
	                                    "/proc/self/mountinfo",
	                                    "/proc/self",
	                                    "/proc",
	                                    "/sys/fs/cgroup/app.slice",
	                                    "/sys/fs/cgroup/memory/app",
	                                    "/sys/fs/cgroup/memory",
	                                    "/sys/fs/cgroup",
	                                    "/sys/fs",
	                                    "/sys",
	                                    ""};
	char path[256];
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		snprintf(path, sizeof(path), "%s%s", root, paths[i]);
		ck_assert_msg(remove(path) == 0, "%s", path);
	}
}

START_TEST(container)
{
	char root[] = "/tmp/statsidecar-root-XXXXXX", got[CONTAINER_ID_MAX] = "none";
	root_make(root);
	root_write(root, "cgroup", containers[_i].cgroup);
	root_write(root, "mountinfo", containers[_i].mountinfo);
	int result = container_id_read(got, root);
	/* The unified root's own directory has an inode here, as it has in a container: not what these rows are about.
	 */
	if (result == 0 && strncmp(got, "in-", 3) == 0)
		result = -1;
	ck_assert_msg((result == 0) == (containers[_i].want != NULL), "%s: got %s", containers[_i].name, got);
	ck_assert_msg(result < 0 || strcmp(got, containers[_i].want) == 0, "%s: got %s, want %s", containers[_i].name,
	              got, containers[_i].want);
	root_remove(root);
}
END_TEST

START_TEST(container_by_inode)
{
	static const char *const rows_of[][2] = {
		{"0::/app.slice\n", "/sys/fs/cgroup/app.slice"},
		{"4:cpu:/app\n3:memory:/app\n", "/sys/fs/cgroup/memory/app"},
		{"0::/\n", "/sys/fs/cgroup"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++) {
		char root[] = "/tmp/statsidecar-root-XXXXXX", got[CONTAINER_ID_MAX], want[CONTAINER_ID_MAX], path[256];
		struct stat status;
		root_make(root);
		root_write(root, "cgroup", rows_of[i][0]);
		root_write(root, "mountinfo", "");
		snprintf(path, sizeof(path), "%s%s", root, rows_of[i][1]);
		ck_assert_int_eq(stat(path, &status), 0);
		snprintf(want, sizeof(want), "in-%llu", (unsigned long long)status.st_ino);
		ck_assert_int_eq(container_id_read(got, root), 0);
		ck_assert_str_eq(got, want);
		root_remove(root);
	}
	char got[CONTAINER_ID_MAX];
	ck_assert_int_lt(container_id_read(got, "/nowhere"), 0);
}
END_TEST

Suite *settings_environment_suite(void)
{
	Suite *suite = suite_create("settings_environment");
	TCase *outputs = tcase_create("outputs");
	tcase_add_loop_test(outputs, first_output, 0, ARRAY_LEN(rows));
	tcase_add_test(outputs, own_origin);
	suite_add_tcase(suite, outputs);
	TCase *ids = tcase_create("container");
	tcase_add_loop_test(ids, container, 0, ARRAY_LEN(containers));
	tcase_add_test(ids, container_by_inode);
	suite_add_tcase(suite, ids);
	return suite;
}
