/* Addresses as configurations write them: entries of allow_from, and whether a host is the machine itself. */
#ifndef STATSIDECAR_SETTINGS_NETWORK_H
#define STATSIDECAR_SETTINGS_NETWORK_H

#include "settings/settings.h"

/* `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`. 0, or -1 with *why, a static text. */
int network_parse(struct network *network, struct span text, const char **why) __attribute__((warn_unused_result));

/* As network_parse() reads it; out has room for NETWORK_TEXT_MAX bytes. */
#define NETWORK_TEXT_MAX 64
void network_write(char *out, const struct network *network);

/* 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104, localhost. */
bool network_is_loopback(const char *host);

#endif
