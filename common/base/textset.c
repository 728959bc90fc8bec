/* SPDX-License-Identifier: Apache-2.0 */
/* textset.c - a set of texts, kept as fingerprints. */
#include "base/textset.h"

#include <stdlib.h>

#define FIRST 64

static struct hash
fingerprint(const struct textset *s, struct slice text)
{
	struct hash h = hash_bytes(&s->key, text.p, text.len);

	if (h.a == 0 && h.b == 0)
		h.a = 1;
	return h;
}

/* The slot of a fingerprint, or the empty one where it belongs. */
static struct hash *
find(struct hash *slot, size_t room, struct hash h)
{
	size_t i = h.a & (room - 1);

	while ((slot[i].a || slot[i].b) && !hash_equal(slot[i], h))
		i = (i + 1) & (room - 1);
	return &slot[i];
}

static int
grow(struct textset *s, struct err *e)
{
	size_t i, room = s->room ? 2 * s->room : FIRST;
	struct hash *slot = calloc(room, sizeof(*slot));

	if (!slot)
		return err_nomem(e);
	for (i = 0; i < s->room; i++)
		if (s->slot[i].a || s->slot[i].b)
			*find(slot, room, s->slot[i]) = s->slot[i];
	free(s->slot);
	s->slot = slot;
	s->room = room;
	return 0;
}

int
textset_add(struct textset *s, struct slice text, struct err *e)
{
	struct hash *at;

	if (s->room == 0 && hash_key_init(&s->key, e) < 0)
		return -1;
	if (s->n >= s->room / 4 * 3 && grow(s, e) < 0)
		return -1;
	at = find(s->slot, s->room, fingerprint(s, text));
	s->n += !at->a && !at->b;
	*at = fingerprint(s, text);
	return 0;
}

bool
textset_has(const struct textset *s, struct slice text)
{
	struct hash *at;

	if (s->n == 0)
		return false;
	at = find(s->slot, s->room, fingerprint(s, text));
	return at->a || at->b;
}

void
textset_release(struct textset *s)
{
	free(s->slot);
	*s = (struct textset){ 0 };
}
