#include "emit/relay.h"

int relay_init(struct relay *relay, uint32_t limit)
{
	*relay = (struct relay){.count = 0};
	for (int i = 0; i < RELAY_KEYS; i++)
		if (guard_init(&relay->guards[i], limit))
			return -1;
	return 0;
}

void relay_fini(struct relay *relay)
{
	for (int i = 0; i < RELAY_KEYS; i++)
		guard_fini(&relay->guards[i]);
}

size_t relay_memory(uint32_t limit)
{
	return sizeof(struct relay) + RELAY_KEYS * guard_memory(limit);
}

static struct guard *find_guard(struct relay *relay, uint64_t key)
{
	for (uint32_t i = 0; i < relay->count; i++)
		if (relay->keys[i] == key)
			return &relay->guards[i];
	if (relay->count == RELAY_KEYS)
		return NULL;
	relay->keys[relay->count] = key;
	return &relay->guards[relay->count++];
}

bool relay_admits(struct relay *relay, const struct hash_key *hash, struct span key, struct span value, struct guard **guard)
{
	*guard = find_guard(relay, hash_padded(hash, key));
	return *guard && guard_admits(*guard, hash_padded(hash, value));
}
