/* A static program cannot ask the C library's name services (NSS): they are shared libraries, which must be there when it
 * runs, and be of the same version. What the agent needs of them is little: addresses that are written as numbers (names of
 * hosts are resolved by libevent), and groups as /etc/group has them. These stand in for the C library's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	struct addrinfo info; /* first */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
};

static bool number_parse(const char *text, unsigned long max, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *number <= max;
}

/* `fe80::1%eth0`, `fe80::1%2` */
static bool v6_parse(struct sockaddr_in6 *v6, const char *host)
{
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	size_t len = strlen(host);
	unsigned long scope = 0;
	char *percent;

	if (len >= sizeof text)
		return false;
	memcpy(text, host, len + 1);
	percent = strchr(text, '%');
	if (percent != NULL) {
		*percent++ = '\0';
		scope = if_nametoindex(percent);
		if (scope == 0 && !number_parse(percent, UINT32_MAX, &scope))
			return false;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_scope_id = (uint32_t)scope;
	return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
}

static bool host_parse(struct answer *answer, const char *host, int family)
{
	if (family != AF_INET6 && inet_pton(AF_INET, host, &answer->address.v4.sin_addr) == 1) {
		answer->address.v4.sin_family = AF_INET;
		answer->info.ai_addrlen = sizeof answer->address.v4;
		return true;
	}
	answer->info.ai_addrlen = sizeof answer->address.v6;
	return family != AF_INET && v6_parse(&answer->address.v6, host);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	struct answer *answer = calloc(1, sizeof *answer);
	unsigned long port = 0;

	if (answer == NULL)
		return EAI_MEMORY;
	if (host == NULL || !host_parse(answer, host, hints != NULL ? hints->ai_family : AF_UNSPEC)) {
		free(answer);
		return EAI_NONAME;
	}
	if (service != NULL && !number_parse(service, UINT16_MAX, &port)) {
		free(answer);
		return EAI_SERVICE;
	}
	/* The port stands in the same place in both. */
	answer->address.v4.sin_port = htons((uint16_t)port);
	answer->info.ai_family = answer->address.any.sa_family;
	answer->info.ai_addr = &answer->address.any;
	if (hints != NULL) {
		answer->info.ai_socktype = hints->ai_socktype;
		answer->info.ai_protocol = hints->ai_protocol;
	}
	*result = &answer->info;
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	free(info);
}

/* The file is read until the name comes; what is returned stays until the next call. */
struct group *getgrnam(const char *name)
{
	FILE *file = fopen("/etc/group", "re");
	struct group *group = NULL;

	if (file == NULL)
		return NULL;
	while ((group = fgetgrent(file)) != NULL && strcmp(group->gr_name, name) != 0)
		;
	fclose(file);
	return group;
}

/* What libevent would look up for names of ports and protocols: it is never asked for one. */
struct servent *getservbyname(const char *name, const char *protocol)
{
	(void)name;
	(void)protocol;
	return NULL;
}

struct protoent *getprotobynumber(int number)
{
	(void)number;
	return NULL;
}
